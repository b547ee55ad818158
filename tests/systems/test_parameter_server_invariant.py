"""The invariant of the parameter server: states that it must accept and must reject."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pytest

from systems.parameter_server.batch_rules import misplaced
from systems.parameter_server.bugs import CORRECT, Limits, Rules
from systems.parameter_server.invariant import OneMaster
from systems.parameter_server.promise_rules import PromisesKept
from systems.parameter_server.protocol import Outcome, Promise, Promises
from systems.parameter_server.shown import NOTHING_TAKEN, ShownRound, ShownServer, ShownUpdates, ShownWorker
from systems.parameter_server.step_rules import counts_too_many, oversleeps
from systems.parameter_server.updates import Task


def server(
    term: int, *, leads: bool = False, began_s: float = 0.0, work: ShownRound | ShownUpdates | None = None
) -> ShownServer:
    return ShownServer(term=term, leads=term if leads else None, began_s=began_s, work=work)


def worker(
    term: int,
    *,
    at: tuple[int, int] = NOTHING_TAKEN,
    now_s: float = 0.0,
    durable: int | None = None,
    rules: Rules = CORRECT,
    heard_s: float | None = None,
) -> ShownWorker:
    promises = Promises(Promise(term, "master" if term else ""), rules)
    if heard_s is not None:
        promises.heard(heard_s)
    kept = Promise(term if durable is None else durable, "master")
    return ShownWorker(promises=promises, durable=kept, at=at, now_s=now_s)


# ----------------------------------------------------------------------------------------------------------- masters


def broken(*looks: Mapping[str, object], workers: int = 3) -> str | None:
    invariant, why = OneMaster(workers), None
    for states in looks:
        why = why or invariant.broken(states)
    return why


def test_a_master_and_then_its_successor_may_lead() -> None:
    first = {"master": server(1, leads=True), "standby": server(1), "worker1": worker(1), "worker2": worker(1)}
    second = {"master": server(1, leads=True), "standby": server(2, leads=True), "worker1": worker(2), "worker2": worker(2)}
    assert broken(first, second, second | {"master": server(2)}) is None


@pytest.mark.parametrize(
    ("then", "told"),
    [
        ({"standby": server(1, leads=True, began_s=3.0)}, "term 1 has two masters: first master, then standby"),
        ({"master": server(1, leads=True, began_s=3.0)}, "term 1 has two masters: first master, then master"),
        ({"master": server(0)}, "master knew of term 1, and now only of term 0"),
        ({"worker1": worker(0)}, "worker1 knew of term 1, and now only of term 0"),
        ({"standby": server(2, leads=True)}, "standby leads term 2, of which worker1, worker2 do not know"),
    ],
)
def test_terms_have_one_master_which_a_majority_knows_and_nobody_falls_back(then: dict[str, object], told: str) -> None:
    first = {"master": server(1, leads=True), "standby": server(1), "worker1": worker(1), "worker2": worker(1)}
    assert broken(first, first | then) == told


def test_half_of_the_workers_are_no_majority() -> None:
    states: dict[str, object] = {"master": server(1, leads=True), "worker1": worker(1), "worker2": worker(1)}
    lacking = states | {"worker3": worker(0), "worker4": worker(0)}
    assert broken(lacking, workers=4) == "master leads term 1, of which worker3, worker4 do not know"
    assert broken(lacking | {"worker3": worker(1)}, workers=4) is None


def test_nodes_agree_if_one_server_leads_and_all_know_its_term() -> None:
    agreed = {"master": server(2), "standby": server(2, leads=True), "worker1": worker(2)}
    assert OneMaster(1).apart(agreed) is None
    assert OneMaster(1).apart(agreed | {"master": server(1)}) == "standby leads term 2, but master knows term 1"
    assert OneMaster(1).apart(agreed | {"worker1": worker(1)}) == "standby leads term 2, but worker1 knows term 1"
    assert OneMaster(1).apart(agreed | {"standby": server(2)}) == "0 servers lead a term: nobody"


# ---------------------------------------------------------------------------------------------------------- promises


def kept(*looks: ShownWorker) -> str | None:
    rule, why = PromisesKept(), None
    for look in looks:
        why = why or rule.broken({"worker1": look})
    return why


def test_a_worker_that_hears_its_master_and_one_that_was_started_again_keep_their_promises() -> None:
    at_work = [worker(1, at=(1, step), now_s=step / 100, heard_s=step / 100) for step in range(20)]
    assert kept(worker(0), *at_work, worker(1, now_s=0.3), worker(2, at=(2, 5), now_s=1.0, heard_s=1.0)) is None


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (Rules(promises_once=False), "worker1 has promised itself to master in term 1, and would to another server as well"),
        (Rules(terms_compared=False), "worker1 knows of term 1, and would obey the master of term 0"),
        (Rules(limits=Limits(heard_s=math.inf)), "worker1 would promise itself to nobody after term 1"),
    ],
)
def test_what_a_worker_would_answer_to_other_servers_is_imagined(rules: Rules, told: str) -> None:
    assert told in (kept(worker(1, rules=rules, heard_s=0.0)) or "")


def test_a_worker_that_took_work_a_moment_ago_promises_itself_to_nobody_else() -> None:
    forgets = worker(1, at=(1, 5), now_s=1.0), worker(1, at=(1, 6), now_s=1.01)
    assert kept(*forgets) == "worker1 has just taken step 6 of term 1, and would promise itself to another server"
    long_ago = worker(1, at=(1, 5), now_s=1.0), worker(1, at=(1, 6), now_s=2.0)  # it may have taken it at any time since
    assert kept(*long_ago) is None


def test_a_worker_works_only_in_a_term_that_its_disk_knows() -> None:
    assert kept(worker(2, at=(2, 0), durable=1)) == "worker1 works in term 2, and its disk knows only of term 1"
    assert kept(worker(2, at=(1, 9), durable=2)) is None


# ------------------------------------------------------------------------------------------------------------- steps


def at_step_7(*, complete: bool = False, asleep: bool = True) -> ShownRound:
    return ShownRound(step=7, took_part=frozenset({"worker1", "worker2"}), complete=complete, asleep=asleep)


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ((2, 7), None),
        ((2, 8), None),
        ((3, 0), None),  # of the next master; it took step 7 before
        (NOTHING_TAKEN, None),  # it was started again since
        ((2, 6), "master counts worker1 in step 7 of term 2, which is at step 6 of term 2"),
        ((1, 9), "master counts worker1 in step 7 of term 2, which is at step 9 of term 1"),
    ],
)
def test_a_master_counts_only_workers_that_have_the_step(at: tuple[int, int], told: str | None) -> None:
    masters = {"master": server(2, leads=True, work=at_step_7())}
    assert counts_too_many(masters, {"worker1": worker(3, at=at)}) == told


@pytest.mark.parametrize(
    ("work", "told"),
    [
        (at_step_7(), None),
        (at_step_7(complete=True, asleep=False), None),  # it was told, and goes on in its next turn
        (at_step_7(complete=True), "master has all of step 7 of term 2, and does not know it"),
    ],
)
def test_a_master_does_not_wait_once_it_has_all_of_a_step(work: ShownRound, told: str | None) -> None:
    assert oversleeps({"master": server(2, leads=True, work=work)}) == told


# ----------------------------------------------------------------------------------------------------------- batches


def updates(
    *,
    version: int,
    waiting: tuple[int, ...] = (),
    given: Mapping[str, int] = {},
    clocks: Mapping[str, int] | None = None,
    takes: Callable[[str, Task], bool] = lambda worker, task: False,
) -> dict[str, ShownServer]:
    tasks = {name: Task(batch=batch, version=3) for name, batch in given.items()}

    def judged(worker: str, task: Task) -> Outcome:
        return Outcome.HELD if tasks.get(worker) == task or takes(worker, task) else Outcome.LATE

    work = ShownUpdates(
        version=version,
        next=6,
        waiting=waiting,
        given=tasks,
        clocks={"w1": 3, "w2": 1} if clocks is None else clocks,
        bound=2,
        judged=judged,
    )
    return {"standby": server(1), "master": server(1, leads=True, work=work)}


@pytest.mark.parametrize(
    ("states", "told"),
    [
        (updates(version=4, given={"w1": 5, "w2": 2}), None),
        (updates(version=3, waiting=(0, 1), given={"w1": 5}), None),
        (updates(version=6), None),
        (updates(version=4, given={"w1": 5}), "has done 4 updates, and 5 of 6 batches neither wait nor are given: w1 has 5"),
        (updates(version=6, given={"w1": 5}), "has done 6 updates, and 5 of 6 batches"),
        (updates(version=4, waiting=(5,), given={"w1": 5}), "has batch 5 at two places: w1 has 5; waiting: 5"),
        (updates(version=4, given={"w1": 5, "w2": 5}), "has batch 5 at two places"),
        (updates(version=5, given={"w1": 5}, clocks={"w1": 4, "w2": 1}), "has given w1 batch 5, 3 clocks ahead of the slowest"),
        (updates(version=5, given={"w1": 5}, clocks={"w2": 1}), "has left out w1, which still has batch 5"),
        (
            updates(version=4, given={"w1": 5, "w2": 2}, takes=lambda worker, task: task.batch == 2),
            "would take batch 2, computed after 3 updates, from w1: w1 has 5, w2 has 2; waiting: none",
        ),
        (updates(version=4, waiting=(0,), given={"w1": 5}, takes=lambda _, task: task.batch == 0), "would take batch 0"),
        (updates(version=5, given={"w1": 5}, takes=lambda _, task: task.version == 2), "batch 5, computed after 2 updates"),
    ],
)
def test_each_batch_is_at_one_place_and_no_worker_too_far_ahead(states: dict[str, ShownServer], told: str | None) -> None:
    why = misplaced(states)
    assert why is None if told is None else told in (why or "")
