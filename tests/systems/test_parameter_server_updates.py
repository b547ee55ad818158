"""The rules of the modes without rounds: which workers may go on, which batch is whose, and which gradients count."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checkers.bounded_staleness import bounded_staleness
from harness.model.history import History
from harness.model.training_events import Membership
from systems.parameter_server.batch_rules import misplaced
from systems.parameter_server.bugs import Limits, Rules
from systems.parameter_server.clocks import Clocks
from systems.parameter_server.protocol import Outcome
from systems.parameter_server.shown import ShownServer, ShownUpdates
from systems.parameter_server.updates import Task, Updates, Used

WORKERS = ("worker1", "worker2", "worker3")
GONE_S = 1.0
NOTHING = Used()


def begun(bound: int | None = None, used: Used = NOTHING, version: int = 0, **rules: bool) -> Updates:
    return Updates(used, version, bound=bound, rules=Rules(limits=Limits(gone_s=GONE_S), **rules))  # type: ignore[arg-type]


def task_of(updates: Updates, worker: str, now_s: float = 0.0) -> Task:
    task = updates.pull(worker, now_s)
    assert task is not None
    return task


def update(updates: Updates, worker: str, now_s: float = 0.0) -> None:
    assert updates.push(worker, task_of(updates, worker, now_s), now_s) is Outcome.HELD


# -------------------------------------------------------------------------------------------------------------- bounds


@pytest.mark.parametrize("bound", [0, 1, 4])
def test_a_worker_gets_as_many_clocks_ahead_of_the_slowest_as_the_bound_and_waits_then(bound: int) -> None:
    updates = begun(bound)
    task_of(updates, "worker2")
    for _ in range(bound + 1):
        update(updates, "worker1")
    assert updates.pull("worker1", 0) is None
    update(updates, "worker2")
    assert updates.pull("worker1", 0) is not None


def test_without_a_bound_a_worker_goes_on_for_ever() -> None:
    updates = begun()
    task_of(updates, "worker2")
    for _ in range(100):
        update(updates, "worker1")
    assert updates.version == 100


def test_a_worker_that_is_alone_does_not_wait() -> None:
    updates = begun(0)
    for _ in range(5):
        update(updates, "worker1")


def test_a_worker_that_is_gone_is_waited_for_so_long_and_no_longer_and_comes_back_beside_the_slowest() -> None:
    updates = begun(1)
    lost = task_of(updates, "worker2")
    for _ in range(2):
        update(updates, "worker1")
    assert updates.pull("worker1", 0.9) is None
    assert task_of(updates, "worker1", GONE_S).batch == lost.batch
    assert updates.push("worker1", Task(batch=lost.batch, version=2), 1.0) is Outcome.HELD
    for _ in range(3):
        update(updates, "worker1", 1.0)
    task_of(updates, "worker2", 1.1)  # it joins with worker1's clock
    for _ in range(2):
        update(updates, "worker1", 1.1)
    assert updates.pull("worker1", 1.1) is None


def test_a_worker_that_says_it_is_there_is_not_gone_however_long_it_computes() -> None:
    updates = begun(0)
    task = task_of(updates, "worker2")
    update(updates, "worker1")
    for tenth in range(50):
        updates.hear("worker2", tenth / 10)
        assert updates.pull("worker1", tenth / 10) is None
    assert updates.push("worker2", task, 5) is Outcome.HELD


def test_each_broken_rule_of_clocks_lets_a_worker_go_or_stops_it() -> None:
    clocks = Clocks(0, Rules(clocks_count_applied=False))
    for worker in WORKERS[:2]:
        clocks.hear(worker, 0)
    clocks.tick("worker1")
    assert clocks.may_go_on("worker1", frozenset({"worker2"}))
    waits = begun(0, gone_are_left_out=False)
    task_of(waits, "worker2")
    update(waits, "worker1")
    assert waits.pull("worker1", 100) is None
    ignores = begun(0, staleness_checked=False)
    task_of(ignores, "worker2")
    update(ignores, "worker1")
    assert ignores.pull("worker1", 0) is not None


# -------------------------------------------------------------------------------------------------------------- pushes


def test_a_pull_that_is_repeated_gives_the_same_batch_and_what_the_first_one_gave_is_refused() -> None:
    updates = begun()
    first = task_of(updates, "worker1")
    update(updates, "worker2")
    second = task_of(updates, "worker1")
    assert (second.batch, first.version, second.version) == (first.batch, 0, 1)
    assert updates.push("worker1", first, 0) is Outcome.LATE
    assert updates.push("worker1", second, 0) is Outcome.HELD


def test_a_push_that_is_repeated_is_applied_once() -> None:
    updates = begun()
    task = task_of(updates, "worker1")
    assert [updates.push("worker1", task, 0) for _ in range(3)] == [Outcome.HELD, Outcome.AGAIN, Outcome.AGAIN]
    assert updates.version == 1
    assert updates.push("worker2", task, 0) is Outcome.LATE


def test_a_gradient_of_a_worker_that_was_left_out_is_refused_whether_its_batch_was_given_again_or_not() -> None:
    updates = begun()
    late = task_of(updates, "worker1")
    again = task_of(updates, "worker2", GONE_S)
    assert again.batch == late.batch
    assert updates.push("worker1", late, GONE_S) is Outcome.LATE
    assert updates.push("worker2", again, GONE_S) is Outcome.HELD
    assert updates.push("worker1", late, GONE_S) is Outcome.LATE
    assert updates.used == Used(next=1)


def test_open_batches_are_given_first_after_a_takeover() -> None:
    before = begun()
    for worker in WORKERS:
        task_of(before, worker)
    update(before, "worker2")
    stored = msgspec.json.decode(msgspec.json.encode(before.used), type=Used)
    after = begun(used=stored, version=before.version)
    assert [task_of(after, worker).batch for worker in WORKERS] == [0, 2, 3]
    assert task_of(after, "worker1").version == 1
    forgets = begun(open_batches_saved=False)
    task_of(forgets, "worker1")
    assert forgets.used == Used(next=1)


def test_workers_that_come_and_go_are_reported() -> None:
    moves: list[tuple[str, bool]] = []
    updates = Updates(Used(), 0, bound=1, moved=lambda worker, present: moves.append((worker, present)))
    task_of(updates, "worker1")
    task_of(updates, "worker2", 0.5)
    task_of(updates, "worker2", 1.0)
    updates.hear("worker1", 1.5)
    assert moves == [("worker1", True), ("worker2", True), ("worker1", False), ("worker1", True)]


# ------------------------------------------------------------------------------------------------------ whatever comes


@dataclass
class Network:
    """Workers that are slow, die and come back, and a network that loses, repeats and delays what they push."""

    random: Random
    bound: int | None
    rules: Rules
    now_s: float = 0.0
    under_way: list[tuple[str, Task]] = field(default_factory=list)
    applied: list[tuple[str, Task]] = field(default_factory=list)
    moves: list[tuple[int, str, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.updates = Updates(Used(), 0, bound=self.bound, rules=self.rules, moved=self.moved)

    def moved(self, worker: str, present: bool) -> None:
        self.moves.append((self.updates.version, worker, present))

    def go_on(self, turns: int) -> None:
        for _ in range(turns):
            self.now_s += self.random.random() * 0.3
            worker = self.random.choice(WORKERS)
            if (task := self.updates.pull(worker, self.now_s)) is not None:
                self.under_way += [(worker, task)] * self.random.choice((0, 1, 1, 2))
            self.random.shuffle(self.under_way)
            for _ in range(min(len(self.under_way), self.random.randrange(3))):
                pusher, pushed = self.under_way.pop()
                if self.updates.push(pusher, pushed, self.now_s) is Outcome.HELD:
                    self.applied.append((pusher, pushed))

    def each_batch_was_applied_once_or_is_open(self) -> bool:
        counts = Counter(task.batch for _, task in self.applied)
        used = self.updates.used
        return not (counts.keys() & set(used.open)) and counts | Counter(used.open) == Counter(range(used.next))

    def misplaced(self) -> str | None:
        made = self.updates
        work = ShownUpdates(
            version=made.version,
            next=made.used.next,
            waiting=made.waiting,
            given=made.given,
            clocks=made.clocks,
            bound=self.bound,
            judged=made.judged,
        )
        return misplaced({"master": ShownServer(term=1, leads=1, began_s=0.0, work=work)})

    def history(self) -> History:
        rows: list[dict[str, object]] = [
            {
                "node": "master", "generation": 1, "step": step, "begun_ns": step, "done_ns": step, "batch": task.batch,
                "worker": worker, "computed_at": task.version, "staleness_bound": self.bound,
            }
            for step, (worker, task) in enumerate(self.applied)
        ]  # fmt: skip
        moves = [Membership(term=1, step=step, worker=worker, present=present) for step, worker, present in self.moves]
        told = [msgspec.json.encode(move).decode() for move in moves]
        events: list[dict[str, object]] = [
            {"at_ns": at, "node": "master", "kind": "membership", "detail": detail} for at, detail in enumerate(told)
        ]
        return History.of([], events=events, steps=rows)


def network(seed: int, bound: int | None, **rules: bool) -> Network:
    made = Network(Random(seed), bound, Rules(limits=Limits(gone_s=GONE_S), **rules))  # type: ignore[arg-type]
    made.go_on(60)
    return made


@given(seed=st.integers(0, 2**32), bound=st.sampled_from([None, 0, 1, 4]))
def test_whatever_is_lost_repeated_or_late_each_batch_is_applied_once_or_open(seed: int, bound: int | None) -> None:
    made = network(seed, bound)
    assert made.each_batch_was_applied_once_or_is_open()
    assert all(task.version <= place for place, (_, task) in enumerate(made.applied))
    assert made.updates.version == len(made.applied)


@pytest.mark.parametrize("rule", ["tasks_compared", "updates_count_once", "batches_given_again", "open_batches_saved"])
def test_without_one_of_the_rules_some_batch_is_not(rule: str) -> None:
    assert not all(network(seed, 1, **{rule: False}).each_batch_was_applied_once_or_is_open() for seed in range(30))


@pytest.mark.parametrize("bound", [0, 1, 4])
def test_no_update_is_further_ahead_than_the_bound_as_the_checker_counts_it_from_the_record(bound: int) -> None:
    assert {bounded_staleness(network(seed, bound).history()).valid for seed in range(8)} == {True}


@pytest.mark.parametrize("rule", ["staleness_checked", "clocks_count_applied", "tasks_compared"])
def test_the_checker_finds_each_rule_that_is_broken(rule: str) -> None:
    assert any(bounded_staleness(network(seed, 1, **{rule: False}).history()).valid is False for seed in range(30))


@pytest.mark.parametrize("bound", [None, 0, 1, 4])
def test_whatever_happens_nothing_is_misplaced_as_the_invariant_counts_it(bound: int | None) -> None:
    assert {network(seed, bound).misplaced() for seed in range(20)} == {None}


@pytest.mark.parametrize(
    "rule", ["tasks_compared", "updates_count_once", "batches_given_again", "staleness_checked", "clocks_count_applied"]
)
def test_the_invariant_finds_each_rule_that_is_broken(rule: str) -> None:
    assert any(network(seed, 1, **{rule: False}).misplaced() is not None for seed in range(30))
