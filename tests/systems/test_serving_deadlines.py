"""A deadline travels with the request: no node sends, waits or works past it, and the client gets an answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from harness.cluster.ports import HOST
from harness.http import batched_server
from harness.http.batched_server import RequestBatch
from harness.http.client import HttpClient
from harness.http.deadlines import Deadline
from harness.http.message import Request, Response
from harness.http.server import listen
from harness.http.writing import encode_response
from harness.model.errors import UsageError
from harness.model.system import Address, Answer, Call, CallFailed
from systems.parts.retry_budget import RetryBudget
from systems.serving import Serving, artifacts, limited_replica
from systems.serving.admission import Admission
from systems.serving.batching import Batcher
from systems.serving.client import PredictClient
from systems.serving.dispatch import Dispatcher
from systems.serving.ejection import FALL_REQUESTS
from systems.serving.known_bad import heedless_replica
from systems.serving.limited import LimitedServing
from systems.serving.messages import Prediction, PredictRequest
from systems.serving.policy import Pool
from systems.serving.settings import Settings
from tests.helpers.asking import ask
from tests.helpers.one_replica import Main, with_replica

HEADER = "timeout-ms"


class Replica:
    """Records the deadlines that it receives, and answers, or never does."""

    def __init__(self, *, answers: bool, status: int = 200) -> None:
        self.told: list[str | None] = []
        self._answers = answers
        self._status = status

    async def handle(self, request: Request) -> Response:
        self.told.append(request.headers.get(HEADER))
        if not self._answers:
            await asyncio.Event().wait()
        return Response(self._status, b"an answer")


@contextlib.asynccontextmanager
async def dispatching(*replicas: Replica, try_s: float = 10.0) -> AsyncIterator[tuple[Dispatcher, Pool]]:
    """A dispatcher in front of the replicas r1, r2, …, which it asks in turn."""

    class Timed(Dispatcher):
        TRY_TIMEOUT_S = try_s

    async with contextlib.AsyncExitStack() as stack:
        addresses: dict[str, Address] = {}
        for number, replica in enumerate(replicas, start=1):
            server = await listen(replica.handle, (HOST, 0))
            stack.callback(server.close)
            addresses[f"r{number}"] = server.sockets[0].getsockname()
        pool = Pool(list(addresses), Settings(strategy="round-robin"))
        yield Timed(pool, addresses, lambda _: None, Admission(None), RetryBudget(None)), pool


@pytest.fixture(scope="module")
def folder() -> Path:
    Serving().prepare()
    return artifacts.folder()


def within(timeout_ms: int) -> Deadline:
    return Deadline(asyncio.get_running_loop().time() + timeout_ms / 1e3, timeout_ms)


async def status(dispatcher: Dispatcher, deadline: Deadline | None) -> int:
    """How one request was answered."""
    (answer,) = await ask(dispatcher, b"image", deadline=deadline)
    return answer.status


def test_a_replica_is_told_what_is_left_and_no_more_than_the_try() -> None:
    async def scenario() -> None:
        replica = Replica(answers=True)
        async with dispatching(replica, try_s=60.0) as (dispatcher, _):
            assert await status(dispatcher, None) == 200
            assert await status(dispatcher, within(30_000)) == 200
            assert await status(dispatcher, within(300_000)) == 200
        untold, left, capped = replica.told
        assert untold is None
        assert left is not None
        assert 0 < int(left) <= 30_000
        assert capped == "60000"

    asyncio.run(scenario())


def test_no_replica_is_asked_after_the_deadline() -> None:
    async def scenario() -> None:
        replica = Replica(answers=True)
        async with dispatching(replica) as (dispatcher, _):
            assert await status(dispatcher, within(0)) == 504
        assert replica.told == []

    asyncio.run(scenario())


def test_the_wait_ends_with_the_deadline_and_no_other_replica_is_tried() -> None:
    """A try might take an hour here: only the deadline ends it."""

    async def scenario() -> None:
        silent, other = Replica(answers=False), Replica(answers=True)
        async with dispatching(silent, other, try_s=3600.0) as (dispatcher, _), asyncio.timeout(60):
            assert await status(dispatcher, within(200)) == 504
        assert len(silent.told) == 1
        assert other.told == []

    asyncio.run(scenario())


@pytest.mark.slow
def test_hasty_clients_do_not_take_a_replica_down_and_patient_ones_do() -> None:
    async def scenario(timeout_ms: int) -> tuple[int, bool]:
        async with dispatching(Replica(answers=False), Replica(answers=False)) as (dispatcher, pool):
            asked = 2 * FALL_REQUESTS
            for _ in range(asked):
                assert await status(dispatcher, within(timeout_ms)) == 504
            seen = pool.status(0.0)
            assert sum(replica.outstanding for replica in seen) == 0
            return sum(replica.failed for replica in seen) // asked, all(replica.up for replica in seen)

    assert asyncio.run(scenario(20)) == (0, True)
    assert asyncio.run(scenario(400)) == (1, False)


def test_a_replica_that_had_too_little_time_and_says_so_has_not_failed() -> None:
    async def scenario(timeout_ms: int) -> tuple[int, bool]:
        replicas = Replica(answers=True, status=504), Replica(answers=True, status=504)
        async with dispatching(*replicas) as (dispatcher, pool), asyncio.timeout(60):
            for _ in range(FALL_REQUESTS):
                await ask(dispatcher, b"image", deadline=within(timeout_ms))
            seen = pool.status(0.0)
            assert sum(replica.outstanding for replica in seen) == 0
            return sum(replica.failed for replica in seen), all(replica.up for replica in seen)

    assert asyncio.run(scenario(80)) == (0, True)
    assert asyncio.run(scenario(60_000)) == (2 * FALL_REQUESTS, False)


@pytest.mark.slow
def test_a_retry_is_told_less() -> None:
    async def scenario() -> None:
        silent, well = Replica(answers=False), Replica(answers=True)
        async with dispatching(silent, well, try_s=1.0) as (dispatcher, _):
            assert await status(dispatcher, within(1900)) == 200
        assert [len(told) for told in (silent.told, well.told)] == [1, 1]
        assert well.told[0] is not None
        assert int(well.told[0]) <= 900

    asyncio.run(scenario())


# -------------------------------------------------------------------------------------------------------------- replica


def test_a_batch_leaves_out_what_is_past_its_deadline() -> None:
    passes: list[Sequence[Sequence[float]]] = []

    def model(images: Sequence[Sequence[float]]) -> list[Prediction]:
        passes.append(images)
        return [Prediction(label=round(image[0]), score=1.0) for image in images]

    async def scenario() -> list[int]:
        batcher, held, whole = Batcher(model), list[RequestBatch](), asyncio.Event()

        def hold(batch: RequestBatch) -> None:
            held.append(batch)
            if len(held) == 4:
                whole.set()

        server = await batched_server.listen(hold, (HOST, 0))
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for image, timeout in ((1, "timeout-ms: 1\r\n"), (2, "timeout-ms: 60000\r\n"), (3, ""), (4, "timeout-ms: 1\r\n")):
            writer.write(f"POST / HTTP/1.1\r\n{timeout}content-length: 1\r\n\r\n{image}".encode())
        await whole.wait()
        past = held[0].deadline
        assert past is not None
        while asyncio.get_running_loop().time() < past.at_s:
            await asyncio.sleep(0.001)
        for batch in held:
            batcher.add(batch.messages[0], [float(batch.messages[0].body)], lambda seen: encode_response(Response.json(seen)))
            batcher.finish_after_pass(batch)
        statuses = [int((await reader.readuntil(b"}" if number in (1, 2) else b"request")).split()[1]) for number in range(4)]
        writer.close()
        server.close()
        return statuses

    assert asyncio.run(scenario()) == [504, 200, 200, 504]
    assert passes == [[[2.0], [3.0]]]


@pytest.mark.parametrize(("main", "late"), [(limited_replica.main, 504), (heedless_replica.main, 200)])
def test_a_queue_of_expired_requests_is_not_worked_off(main: Main, late: int, folder: Path, tmp_path: Path) -> None:
    """Ten requests of 50 ms each, which have 200 ms: the last ones' turn comes too late. One without a deadline waits."""

    body = msgspec.json.encode(PredictRequest(artifacts.digits(folder)[0].pixels))

    async def scenario(client: HttpClient) -> None:
        timed = [client.request("POST", "/predict", body, timeout_s=10, headers=((HEADER, "200"),)) for _ in range(10)]
        *answers, last = await asyncio.gather(*timed, client.request("POST", "/predict", body, timeout_s=10))
        statuses = [answer.status for answer in answers]
        assert statuses[-1] == late
        assert set(statuses) <= {200, late}
        assert last.status == 200

    with_replica(folder, tmp_path, scenario, main=main, service_ms=50)


# --------------------------------------------------------------------------------------------------------------- client


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("deadline_ms", [None, 30])
def test_the_client_sends_its_deadline_and_504_is_a_definite_failure(deadline_ms: int | None) -> None:

    async def scenario() -> Request:
        asked: list[Request] = []

        async def handle(request: Request) -> Response:
            asked.append(request)
            await asyncio.sleep((deadline_ms or 0) / 1e3)
            return Response(504, b"too late")

        server = await listen(handle, (HOST, 0))
        client = Serving(deadline_ms=deadline_ms).client(0, {"balancer": server.sockets[0].getsockname()})
        assert isinstance(client, PredictClient)
        with pytest.raises(CallFailed, match="too late"):
            await client.invoke(Call(kind="predict", key="3"))
        await client.close()
        server.close()
        return asked[0]

    assert asyncio.run(scenario()).headers.get(HEADER) == (None if deadline_ms is None else "30")


@pytest.mark.parametrize("deadline_ms", [0, -1, 100_000_000])
def test_a_deadline_that_makes_no_sense_is_refused(deadline_ms: int) -> None:
    with pytest.raises(UsageError, match=f"deadline_ms={deadline_ms}"):
        LimitedServing(deadline_ms=deadline_ms)


@pytest.mark.parametrize(("after_s", "deadline_ms"), [(0.0, None), (0.4, 400), (0.25, 400)])
def test_a_refusal_as_too_late_near_the_deadline_is_a_failure(folder: Path, after_s: float, deadline_ms: int | None) -> None:
    with pytest.raises(CallFailed, match="too late"):
        asyncio.run(refused_as_too_late(folder, after_s, deadline_ms))


def test_a_refusal_as_too_late_long_before_the_deadline_is_an_answer_and_no_prediction(folder: Path) -> None:
    assert asyncio.run(refused_as_too_late(folder, 0.02, 60_000)) == Answer("504 too late")


async def refused_as_too_late(folder: Path, after_s: float, deadline_ms: int | None) -> Answer:
    async def refuse(_: Request) -> Response:
        await asyncio.sleep(after_s)
        return Response(504, b"too late")

    server = await listen(refuse, (HOST, 0))
    client = PredictClient(folder, server.sockets[0].getsockname(), deadline_ms)
    try:
        return await client.invoke(Call(kind="predict", key="0"))
    finally:
        await client.close()
        server.close()
