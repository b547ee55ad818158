"""The rules of the parameter server: which worker computes what, what counts, and which master a worker obeys."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems.parameter_server.bugs import Limits, Rules
from systems.parameter_server.messages import Alive, Damaged, Push, pack, unpack
from systems.parameter_server.protocol import Outcome, Promise, Promises, Round, majority
from systems.parts.sampler import Use

WORKERS = ("worker1", "worker2", "worker3")
LIMITS = Limits(overdue_s=0.2, slow=2, least_s=0.02, heard_s=0.6)
SHARDS = 12


def begun(step: int = 7, present: tuple[str, ...] = WORKERS, **rules: bool) -> Round[float]:
    return Round(step=step, shards=SHARDS, workers=WORKERS, present=present, rules=Rules(limits=LIMITS, **rules))  # type: ignore[arg-type]


def push_all(step: Round[float], worker: str, shards: tuple[int, ...], *, now_s: float = 0) -> list[Outcome]:
    return [step.push(worker, step.step, shard, float(shard), now_s=now_s) for shard in shards]


# ------------------------------------------------------------------------------------------------------------- a step


def test_workers_that_pull_get_equal_parts_of_a_step() -> None:
    step = begun()
    assert step.deal("worker1", seen=False, now_s=0) == (0, 1, 2, 3)
    assert step.deal("worker2", seen=False, now_s=0) == (4, 5, 6, 7)
    assert step.deal("worker3", seen=False, now_s=0) == (8, 9, 10, 11)


def test_a_pull_that_is_repeated_gives_what_is_still_to_be_done_of_the_same_shards() -> None:
    step = begun()
    assert step.deal("worker1", seen=False, now_s=0) == (0, 1, 2, 3)
    push_all(step, "worker1", (0, 2))
    assert step.deal("worker1", seen=False, now_s=0.01) == (1, 3)


def test_a_worker_that_has_pushed_its_shards_waits_for_the_others_until_theirs_are_overdue() -> None:
    step = begun()
    mine, others, _ = (step.deal(worker, seen=False, now_s=0) or () for worker in WORKERS)
    push_all(step, "worker1", mine[:2], now_s=0.01)
    assert step.deal("worker1", seen=True, now_s=0.01) == mine[2:]
    push_all(step, "worker1", mine[2:], now_s=0.01)
    assert step.deal("worker1", seen=True, now_s=0.01) is None
    assert (step.deal("worker1", seen=True, now_s=0.2) or ())[: len(others)] == others


def test_a_step_is_complete_with_the_last_shard() -> None:
    step = begun()
    for worker in WORKERS:
        assert not step.complete
        push_all(step, worker, step.deal(worker, seen=False, now_s=0) or ())
    assert step.complete
    assert [held.shard for held in step.contributions()] == list(range(SHARDS))
    assert step.took_part == set(WORKERS)


def test_a_worker_that_never_comes_is_not_waited_for() -> None:
    step = begun()
    now_s = 0.0
    while not step.complete:
        for worker in WORKERS[:2]:
            push_all(step, worker, step.deal(worker, seen=now_s > 0, now_s=now_s) or ())
        now_s += 0.001
    assert now_s < LIMITS.overdue_s


def test_a_shard_that_is_overdue_goes_to_another_worker_and_the_first_answer_counts() -> None:
    step = begun()
    lost = step.deal("worker1", seen=False, now_s=0) or ()
    for worker in WORKERS[1:]:
        push_all(step, worker, step.deal(worker, seen=False, now_s=0) or (), now_s=0.15)
    assert step.deal("worker2", seen=True, now_s=0.19) is None
    assert step.deal("worker2", seen=True, now_s=0.2) == lost
    assert step.push("worker1", 7, lost[0], 10.0, now_s=0) is Outcome.HELD
    assert step.push("worker2", 7, lost[0], 20.0, now_s=0) is Outcome.AGAIN
    assert step.contributions()[0].value == 10.0


def test_a_worker_that_takes_twice_as_long_as_the_others_is_not_waited_for_longer() -> None:
    step = begun()
    slow = step.deal("worker1", seen=False, now_s=0) or ()
    for worker in WORKERS[1:]:
        push_all(step, worker, step.deal(worker, seen=False, now_s=0) or (), now_s=0.03)
    assert step.deal("worker2", seen=True, now_s=0.059) is None
    assert step.deal("worker2", seen=True, now_s=0.06) == slow


def test_a_worker_without_shards_still_gets_the_parameters_once() -> None:
    step = begun(present=WORKERS[:1])
    assert step.deal("worker1", seen=False, now_s=0) == tuple(range(SHARDS))
    assert step.deal("worker2", seen=False, now_s=0) == ()
    assert step.deal("worker2", seen=True, now_s=0) is None


def test_a_step_is_not_done_by_less_than_half_of_the_workers() -> None:
    step = begun(present=WORKERS[:1])
    push_all(step, "worker1", step.deal("worker1", seen=False, now_s=0) or ())
    assert not step.complete
    step.deal("worker2", seen=False, now_s=0)  # it may have asked before the step began
    assert not step.complete
    step.deal("worker2", seen=True, now_s=0)
    assert step.complete
    assert [majority(workers) for workers in (1, 2, 3, 4, 5)] == [1, 2, 2, 3, 3]


def test_a_gradient_of_another_step_is_refused() -> None:
    step = begun(step=7)
    assert step.push("worker1", 6, 0, 1.0, now_s=0) is Outcome.LATE
    assert step.push("worker1", 8, 0, 1.0, now_s=0) is Outcome.LATE
    assert step.took_part == frozenset()


def test_each_broken_rule_lets_through_what_it_should_not() -> None:
    twice = begun(pushes_count_once=False)
    assert [twice.push("worker1", 7, 0, 1.0, now_s=0), twice.push("worker1", 7, 0, 1.0, now_s=0)] == [
        Outcome.HELD,
        Outcome.HELD,
    ]
    assert begun(steps_compared=False).push("worker1", 3, 0, 1.0, now_s=0) is Outcome.HELD
    lossy = begun(shards_dealt_again=False)
    lossy.deal("worker1", seen=False, now_s=0)
    for worker in WORKERS[1:]:
        push_all(lossy, worker, lossy.deal(worker, seen=False, now_s=0) or ())
    lossy.deal("worker2", seen=True, now_s=0.2)
    assert lossy.complete
    assert len(lossy.contributions()) == 8


@given(seed=st.integers(0, 2**32))
def test_whatever_is_lost_repeated_or_late_each_shard_of_each_step_counts_once_with_its_own_gradient(seed: int) -> None:
    """A network that loses, repeats and delays, and workers that die: value = (step, shard), as no other push has."""
    random = Random(seed)
    under_way: list[tuple[str, int, int]] = []
    for number in range(4):
        step: Round[tuple[int, int]] = Round(
            step=number, shards=SHARDS, workers=WORKERS, present=random.sample(WORKERS, 2), rules=Rules(limits=LIMITS)
        )
        seen: set[str] = set()
        now_s = 0.0
        while not step.complete:
            now_s += random.random() * 0.1
            worker = random.choice(WORKERS)
            for shard in step.deal(worker, seen=worker in seen, now_s=now_s) or ():
                under_way += [(worker, number, shard)] * random.choice((0, 1, 1, 2))
            if random.random() < 0.7:
                seen.add(worker)
            random.shuffle(under_way)
            for _ in range(min(len(under_way), random.randrange(6))):
                pusher, of, shard = under_way.pop()
                step.push(pusher, of, shard, (of, shard), now_s=now_s)
        assert [held.value for held in step.contributions()] == [(number, shard) for shard in range(SHARDS)]
        assert len(step.took_part) >= majority(len(WORKERS))


# ------------------------------------------------------------------------------------------------------------ promises


def test_a_worker_that_hears_its_master_promises_itself_to_no_other() -> None:
    promises = Promises(Promise(3, "master"), Rules(limits=LIMITS))
    promises.heard(10.0)
    assert not promises.ask(4, "standby", 10.5)
    assert promises.ask(4, "standby", 10.61)
    assert promises.kept == Promise(4, "standby")


def test_a_promise_excludes_every_lower_term_and_a_promise_to_another_server_in_its_own() -> None:
    promises = Promises(Promise(), Rules(limits=LIMITS))
    assert promises.ask(4, "standby", 0)
    assert promises.ask(4, "standby", 0)
    assert not promises.ask(4, "master", 0)
    assert not promises.ask(3, "master", 0)
    assert promises.obeys(4, "standby")
    assert not promises.obeys(3, "master")


def test_a_worker_obeys_whom_the_others_elected_in_the_term_in_which_it_promised_itself_to_another() -> None:
    workers = [Promises(Promise(3, "master")) for _ in range(3)]
    elected = [worker.ask(4, server, 0) for worker, server in zip(workers, ("standby", "master", "master"), strict=True)]
    assert elected == [True] * 3  # so the master leads term 4, and the standby does not
    assert [worker.obeys(4, "master") for worker in workers] == [True] * 3
    assert not workers[0].ask(4, "standby", 0)
    assert not workers[0].obeys(3, "master")


def test_a_worker_that_was_not_asked_follows_the_higher_term() -> None:
    promises = Promises(Promise(3, "master"))
    assert promises.obeys(4, "standby")
    assert not promises.obeys(3, "master")


def test_a_worker_that_does_not_compare_terms_serves_an_old_master() -> None:
    promises = Promises(Promise(4, "standby"), Rules(terms_compared=False))
    assert promises.obeys(3, "master")


@given(asks=st.lists(st.tuples(st.sampled_from(("master", "standby")), st.integers(0, 2), st.integers(1, 6)), max_size=40))
def test_no_two_servers_ever_have_the_promises_of_a_majority_for_one_term(asks: list[tuple[str, int, int]]) -> None:
    workers = [Promises(Promise()) for _ in range(3)]
    granted: dict[int, dict[str, set[int]]] = {}
    for server, worker, term in asks:
        if workers[worker].ask(term, server, 0):
            granted.setdefault(term, {}).setdefault(server, set()).add(worker)
    for servers in granted.values():
        assert sum(len(who) >= majority(3) for who in servers.values()) <= 1


# ------------------------------------------------------------------------------------------------------------ messages


@pytest.mark.parametrize("worker", ["w", "worker", "worker1", "worker12"])
def test_data_begins_where_tensors_can_be_read_without_a_copy(worker: str) -> None:
    message = pack(Alive(worker=worker, term=1), b"gradient")
    assert (len(message) - len(b"gradient")) % 8 == 0
    assert unpack(message, Alive) == (Alive(worker=worker, term=1), b"gradient")


def test_a_message_with_any_byte_flipped_is_refused() -> None:
    push = Push(worker="worker1", term=2, step=3, batch=3, shards=(4,), whole=False, uses=[Use(0, 17, 4, 3)])
    message = pack(push, b"gradient")
    assert unpack(message, Push) == (push, b"gradient")
    for at in range(len(message)):
        flipped = bytearray(message)
        flipped[at] ^= 4
        with pytest.raises(Damaged):
            unpack(bytes(flipped), Push)
