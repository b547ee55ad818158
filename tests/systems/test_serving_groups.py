"""Groups of requests: how the dispatcher asks replicas, retries, and hedges in time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from harness.http.deadlines import Deadline
from systems.parts.retry_budget import RetryBudget
from systems.serving.admission import Admission
from systems.serving.dispatch import Dispatcher
from systems.serving.policy import Pool
from systems.serving.settings import Settings
from tests.helpers.asking import Answer, Choosy, ask

LONG_S = 60.0


class Patient(Dispatcher):
    """Gives up on no replica during a test."""

    TRY_TIMEOUT_S = LONG_S


Batches = list[tuple[str, list[bytes]]]


@contextlib.asynccontextmanager
async def dispatching(
    choosy: Choosy, kind: type[Dispatcher], retry_ratio: float | None, hedge_s: float | None
) -> AsyncIterator[tuple[Dispatcher, Pool]]:
    async with choosy.listening() as addresses:
        pool = Pool(list(addresses), Settings(strategy="round-robin"))
        yield kind(pool, addresses, lambda _: None, Admission(None), RetryBudget(retry_ratio), hedge_s), pool


def group(
    manner: Callable[[str, bytes], str],
    requests: int,
    *,
    replicas: int = 5,
    kind: type[Dispatcher] = Patient,
    retry_ratio: float | None = None,
    hedge_s: float | None = None,
) -> tuple[list[Answer], Batches, int]:
    """Send requests together to replicas in turn; returns answers, the batches that reached replicas, the count of hedges."""

    async def scenario() -> tuple[list[Answer], Batches, int]:
        choosy = Choosy(*(f"r{number}" for number in range(1, replicas + 1)))
        choosy.manner = manner
        async with dispatching(choosy, kind, retry_ratio, hedge_s) as (dispatcher, pool), asyncio.timeout(LONG_S / 2):
            answers = await ask(dispatcher, *bodies(*range(requests)))
            assert pool.outstanding() == 0
            return answers, choosy.batches, dispatcher.hedges

    return asyncio.run(scenario())


def bodies(*numbers: int) -> list[bytes]:
    return [b"%d" % number for number in numbers]


def test_what_a_replica_leaves_open_goes_to_another_one_together() -> None:
    answers, batches, _ = group(lambda name, body: "breaks" if name == "r1" and body == b"20" else "well", 50)
    assert answers == [(200, b"%d at %s" % (number, b"r1" if number < 20 else b"r2")) for number in range(50)]
    assert batches == [("r1", bodies(*range(50))), ("r2", bodies(*range(20, 50)))]


def test_only_what_failed_is_asked_again() -> None:
    answers, batches, _ = group(lambda name, body: "error" if name == "r1" and int(body) % 10 == 3 else "well", 50)
    assert answers == [(200, b"%d at %s" % (number, b"r2" if number % 10 == 3 else b"r1")) for number in range(50)]
    assert batches[1:] == [("r2", bodies(3, 13, 23, 33, 43))]


def test_a_request_that_breaks_replicas_takes_no_other_with_it() -> None:
    answers, batches, _ = group(lambda _, body: "breaks" if body == b"4" else "well", 8)
    assert [status for status, _ in answers] == [200, 200, 200, 200, 503, 200, 200, 200]
    assert batches[:2] == [("r1", bodies(*range(8))), ("r2", bodies(4, 5, 6, 7))]
    assert sorted(batch for _, batch in batches[2:]) == [[b"4"], [b"5"], [b"6"], [b"7"]]


def test_a_groups_retries_cost_what_they_cost_alone() -> None:
    answers, batches, _ = group(lambda name, _: "breaks" if name == "r1" else "well", 50, retry_ratio=0.25)
    assert answers[:12] == [(200, b"%d at r2" % number) for number in range(12)]
    refusal = b"no replica answered (r1: the connection ended before the answer; retries: none is left in the budget)"
    assert answers[12:] == [(503, refusal)] * 38
    assert batches[1:] == [("r2", bodies(*range(12)))]


def test_a_group_is_not_sent_more_often_than_may_be() -> None:
    class Once(Patient):
        MAX_TRIES = 1

    answers, batches, _ = group(lambda name, _: "breaks" if name == "r1" else "well", 3, kind=Once)
    assert [status for status, _ in answers] == [503] * 3
    assert [name for name, _ in batches] == ["r1"]


# -------------------------------------------------------------------------------------------------------------- hedging


class Hasty(Dispatcher):
    TRY_TIMEOUT_S = 0.5


def test_a_second_replica_is_asked_where_the_first_takes_long() -> None:
    answers, batches, hedges = group(lambda name, _: "silent" if name == "r1" else "well", 3, hedge_s=0.05)
    assert answers == [(200, b"%d at r2" % number) for number in range(3)]
    assert batches == [("r1", bodies(0, 1, 2)), ("r2", bodies(0, 1, 2))]
    assert hedges == 3


def test_no_second_replica_is_asked_where_the_first_is_quick() -> None:
    answers, batches, hedges = group(lambda _name, _body: "well", 3, hedge_s=LONG_S)
    assert [status for status, _ in answers] == [200] * 3
    assert batches == [("r1", bodies(0, 1, 2))]
    assert hedges == 0


def test_the_first_answer_counts_from_any_replica() -> None:
    answers, batches, _ = group(lambda name, _: "late" if name == "r1" else "silent", 2, hedge_s=0.05)
    assert answers == [(200, b"0 at r1"), (200, b"1 at r1")]
    assert [name for name, _ in batches] == ["r1", "r2"]


def test_what_a_second_replica_breaks_off_the_first_may_still_answer() -> None:
    answers, batches, _ = group(lambda name, _: "late" if name == "r1" else "breaks", 2, hedge_s=0.05)
    assert answers == [(200, b"0 at r1"), (200, b"1 at r1")]
    assert [name for name, _ in batches] == ["r1", "r2"]


def test_what_two_replicas_leave_open_is_asked_elsewhere_one_by_one() -> None:
    answers, batches, _ = group(lambda name, _: {"r1": "silent", "r2": "breaks"}.get(name, "well"), 2, kind=Hasty, hedge_s=0.05)
    assert answers == [(200, b"0 at r3"), (200, b"1 at r4")]
    assert batches == [("r1", bodies(0, 1)), ("r2", bodies(0, 1)), ("r3", [b"0"]), ("r4", [b"1"])]


def test_hedges_are_paid_for_as_retries_are() -> None:
    manner = {"r1": "silent", "r2": "well"}
    answers, batches, hedges = group(lambda name, _: manner[name], 50, replicas=2, kind=Hasty, retry_ratio=0.25, hedge_s=0.05)
    assert answers[:12] == [(200, b"%d at r2" % number) for number in range(12)]
    assert [status for status, _ in answers[12:]] == [503] * 38
    assert batches == [("r1", bodies(*range(50))), ("r2", bodies(*range(12)))]
    assert hedges == 12


def test_where_there_is_no_other_replica_the_first_is_awaited() -> None:
    answers, _, hedges = group(lambda _name, _body: "late", 1, replicas=1, hedge_s=0.05)
    assert answers == [(200, b"0 at r1")]
    assert hedges == 0


def test_a_second_replica_too_is_awaited_until_the_deadline_only() -> None:
    async def scenario() -> list[Answer]:
        choosy = Choosy("r1", "r2", "r3")
        choosy.manner = lambda _name, _body: "silent"
        async with dispatching(choosy, Patient, None, 0.05) as (dispatcher, pool), asyncio.timeout(LONG_S / 2):
            deadline = Deadline(asyncio.get_running_loop().time() + 0.2, 200)
            answers = await ask(dispatcher, b"0", b"1", deadline=deadline)
            assert pool.outstanding() == 0
            assert {name for name, _ in choosy.batches} <= {"r1", "r2"}
            return answers

    assert [status for status, _ in asyncio.run(scenario())] == [504, 504]


def test_where_the_client_goes_both_replicas_are_let_go() -> None:
    async def scenario() -> None:
        choosy = Choosy("r1", "r2")
        choosy.manner = lambda _name, _body: "silent"
        async with dispatching(choosy, Patient, None, 0.01) as (dispatcher, pool), asyncio.timeout(LONG_S / 2):
            asking = asyncio.create_task(ask(dispatcher, b"0"))
            while len(choosy.batches) < 2:
                await asyncio.sleep(0.001)
            assert pool.outstanding() == 2
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert pool.outstanding() == 0

    asyncio.run(scenario())
