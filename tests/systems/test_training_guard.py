"""The guard of a training: which members it finds wrong, and the effect of a wrong bit in each place."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.model.training_events import GradientsChanged, TrainingEvent
from systems.parts.checksums import of_numbers, of_tensor, of_tensors
from systems.parts.sampler import shards_of
from systems.training import trainer as trainers
from systems.training.guard import Guard, Named, Session, Statement, Undecided
from systems.training.judgement import OUTLIER, Wrong, audit_of, judged_claims, judged_states, outlier_of
from systems.training.models import task
from systems.training.trainer import Trainer

DEADLINE_S = 60.0


def dealt(world: int) -> list[range]:
    return [shards_of(rank, world, 12) for rank in range(world)]


# ----------------------------------------------------------------------------------------------------------- judgement


@pytest.mark.parametrize("world", [2, 3, 5, 12])
@pytest.mark.parametrize("every", [1, 4])
def test_each_member_is_audited_once_a_round_by_each_other_one_in_turn_and_with_each_shard(world: int, every: int) -> None:
    rounds = 12 * (world - 1)
    audits = [audit_of(step, every, dealt(world)) for step in range(rounds * world * every)]
    made = [audit for audit in audits if audit is not None]
    assert [audit.owner for audit in made] == [*range(world)] * rounds
    assert audits[1 : len(audits) : every].count(None) == (0 if every == 1 else len(made))
    assert {audit.shard for audit in made} == set(range(12))
    assert all(audit.auditor != audit.owner and audit.shard in dealt(world)[audit.owner] for audit in made)
    assert len({(audit.owner, audit.auditor) for audit in made}) == world * (world - 1)


def test_no_member_audits_itself_and_there_are_no_audits_unless_asked_for() -> None:
    assert audit_of(0, 1, dealt(1)) is None
    assert audit_of(0, 0, dealt(3)) is None


@pytest.mark.parametrize(
    ("left", "held", "wrong"),
    [
        ([7, 7, 7], [7, 7, 7], None),
        ([7, 7, 7], [7, 8, 7], {1}),  # changed by itself
        ([7, 7], [9, 7], {0}),  # two are enough for that
        ([7, 8, 7], [7, 8, 7], {1}),  # applied wrongly
        ([7, 8], [7, 8], set()),  # who?
        ([7, 7, 8, 8], [7, 7, 8, 8], set()),
        ([7, 8, 9], [7, 8, 9], set()),
        ([7], [7], None),
        ([7], [8], {0}),
    ],
)
def test_whose_state_is_wrong(left: list[int], held: list[int], wrong: set[int] | None) -> None:
    found = judged_states(left, held)
    assert (None if found is None else set(found.ranks)) == wrong


@pytest.mark.parametrize(
    ("claims", "wrong"),
    [
        ({0: [5], 1: [5], 2: [5]}, None),
        ({0: [6], 1: [5], 2: [5]}, {0}),
        ({0: [5], 1: [6, 7], 2: [5]}, {1}),  # the auditor
        ({0: [5], 1: [6, 5], 2: [5]}, {1}),  # once
        ({0: [6, 5], 1: [5, 5]}, {0}),  # two, and it was right the second time
        ({0: [6, 7], 1: [5, 5]}, {0}),  # contradicts itself
        ({0: [6, 6], 1: [5, 5]}, set()),
        ({0: [5], 1: [6], 2: [7]}, set()),
        ({0: [5, 6]}, set()),
        ({0: [5, 5]}, None),
    ],
)
def test_whose_gradient_is_wrong(claims: dict[int, list[int]], wrong: set[int] | None) -> None:
    found = judged_claims(claims)
    assert (None if found is None else set(found.ranks)) == wrong


@given(st.integers(3, 6), st.data())
def test_one_wrong_member_of_three_and_more_is_named_whatever_it_says(world: int, data: st.DataObject) -> None:
    wrong = data.draw(st.integers(0, world - 1))
    lies = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=2))
    claims = {rank: lies if rank == wrong else [0] for rank in range(world)}
    assert judged_claims(claims) == Wrong(ranks=frozenset([wrong]), why="")


@pytest.mark.parametrize(
    ("lengths", "place"),
    [
        ([1.0, 2.0, 3.0], None),
        ([1.0, 2.0 * OUTLIER + 1, 2.0], 1),
        ([float("nan"), 1.0], 0),
        ([1.0, float("inf")], 1),
        ([float("nan")], 0),
        ([0.0, 0.0, 1.0], None),
        ([0.0, float("inf")], 1),
    ],
)
def test_a_gradient_that_is_far_too_long(lengths: list[float], place: int | None) -> None:
    assert outlier_of(lengths) == place


def test_a_checksum_changes_with_any_bit_and_with_the_names() -> None:
    tensor = torch.arange(40.0)
    seen = {of_tensor(tensor)}
    for bit in range(40 * 32):
        changed = tensor.clone()
        changed.view(torch.int32)[bit // 32] ^= -(2**31) if bit % 32 == 31 else 1 << bit % 32
        seen.add(of_tensor(changed))
    assert len(seen) == 40 * 32 + 1
    assert max(seen) < 2**63
    assert of_tensors({"a": tensor}) != of_tensors({"b": tensor})
    assert of_numbers([1, 2]) != of_numbers([2, 1])


def test_a_statement_that_did_not_arrive_as_it_was_sent_is_refused() -> None:
    statement = Statement(left=1, held=2, arrived=3, audited=-1, outlier=-1, sent=(5, 6))
    numbers = statement.numbers(room=4)
    assert Statement.of(numbers, 2) == statement
    for place in range(len(numbers)):
        with pytest.raises(RuntimeError, match="did not arrive"):
            Statement.of([*numbers[:place], numbers[place] ^ 1, *numbers[place + 1 :]], 2)


# --------------------------------------------------------------------------------------------------------------- guard


class Ranks:
    """Some ranks in threads, which exchange by memory; `touches(rank, name, contents)` may change what one of them computes."""

    def __init__(self, world: int, every: int) -> None:
        self.names = [f"rank{rank}" for rank in range(world)]
        self._every = every
        self.trainers = [Trainer("digits", 1) for _ in self.names]
        self.guards = [Guard(trainer, every) for trainer in self.trainers]
        self.on_wire: Callable[[int, torch.Tensor], None] = lambda to, whole: None
        self.told: list[TrainingEvent] = []
        self._sent: dict[int, object] = {}
        self._meet = threading.Barrier(world, timeout=DEADLINE_S)
        self.join()

    def flips(self, rank: int, of: str, *, nth: int = 1, byte: int = 0, always: bool = False) -> None:
        """Flip bits in the nth thing of a kind that a rank computes."""
        seen: Counter[str] = Counter()

        def computed(name: str, contents: object) -> None:
            seen[name] += 1
            if name == of and (always or seen[name] == nth):
                contents[-1][byte] ^= 0x55  # type: ignore[index]

        self.trainers[rank].tell(computed, lambda: True)

    def join(self) -> None:
        """A new group of all begins."""
        exchanges = [partial(self._exchange, rank) for rank in range(len(self.names))]
        with ThreadPoolExecutor(len(self.names)) as threads:
            list(threads.map(lambda guard, exchange: guard.joins(self.names, exchange), self.guards, exchanges))

    def restart(self, rank: int) -> None:
        """Start a rank again: it gets the state from the others, and knows nothing else."""
        self.trainers[rank], before = Trainer("digits", 1), self.trainers[rank]
        self.trainers[rank].decode(before.encode())
        self.guards[rank] = Guard(self.trainers[rank], self._every)
        self.join()

    def step(self) -> list[BaseException | None]:
        """One step of all"""
        ends: list[BaseException | None] = [None] * len(self.names)
        threads = [threading.Thread(target=self._one, args=(rank, ends)) for rank in range(len(self.names))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
        return ends

    def _one(self, rank: int, ends: list[BaseException | None]) -> None:
        trainer, guard, world = self.trainers[rank], self.guards[rank], len(self.names)
        part = torch.zeros(-(-12 // world), trainer.row)
        whole = torch.empty(world, *part.shape)
        session = Session(
            generation=1,
            members=self.names,
            rank=rank,
            dealt=dealt(world),
            gather=lambda mine, into: self._gather(rank, mine, into),
            exchange=lambda numbers: self._exchange(rank, numbers),
            told=self.told.append,
        )
        try:
            trainer.keeps()
            guard.begins()
            with _LOCK:  # torch's generator is one for all threads
                trainer.contribute(dealt(world)[rank], part)
            guard.gather(session, part, whole)
            trainer.apply([whole[shard % world][shard // world] for shard in range(12)])
            guard.ends()
        except RuntimeError as error:
            ends[rank] = error

    def _gather(self, rank: int, mine: torch.Tensor, into: torch.Tensor) -> None:
        for other, tensor in enumerate(self._all(rank, mine.clone())):
            into[other].copy_(tensor)
        self.on_wire(rank, into)

    def _exchange(self, rank: int, numbers: list[int]) -> list[list[int]]:
        return self._all(rank, numbers)

    def _all(self, rank: int, mine: object) -> list:  # type: ignore[type-arg]
        self._sent[rank] = mine
        self._meet.wait()
        found = [self._sent[other] for other in range(len(self.names))]
        self._meet.wait()
        return found


_LOCK = threading.Lock()
_task = cache(task)


@pytest.fixture(autouse=True)
def _one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ranks are processes; here they share torch's generator of random numbers."""
    compute = Guard._compute

    def locked(guard: Guard, shard: int) -> int:
        with _LOCK:
            return compute(guard, shard)

    monkeypatch.setattr(Guard, "_compute", locked)
    monkeypatch.setattr(trainers, "task", _task)  # the samples are read once
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def named(ends: list[BaseException | None]) -> set[tuple[frozenset[int], int | None]]:
    """The finding of all members: the ranks they name, and since when."""
    assert all(isinstance(end, Named) for end in ends), ends
    return {(end.ranks, end.since) for end in ends if isinstance(end, Named)}


def test_ranks_that_are_right_are_left_alone_and_the_bits_are_those_of_one_that_is_not_guarded() -> None:
    ranks, alone = Ranks(3, every=1), Trainer("digits", 1)
    rows = torch.zeros(12, alone.row)
    for _ in range(3):
        assert ranks.step() == [None, None, None]
        alone.contribute(range(12), rows)
        alone.apply(list(rows))
    assert {trainer.digest() for trainer in ranks.trainers} == {alone.digest()}
    assert ranks.told == []


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_a_rank_that_is_always_a_little_wrong_is_named_within_a_round(wrong: int) -> None:
    ranks = Ranks(3, every=1)
    ranks.flips(wrong, "gradient", always=True)
    ends = ranks.step()
    while ends == [None, None, None] and ranks.trainers[0].step < 3:
        ends = ranks.step()
    assert named(ends) == {(frozenset([wrong]), 0)}


def test_audits_of_steps_that_were_taken_back_do_not_excuse_a_rank() -> None:
    ranks = Ranks(3, every=1)
    begun = ranks.trainers[0].encode()
    for _ in range(3):  # each is audited once
        assert ranks.step() == [None, None, None]
    for trainer in ranks.trainers:
        trainer.decode(begun)
    ranks.join()
    ranks.flips(2, "gradient", always=True)
    while (ends := ranks.step()) == [None, None, None]:
        assert ranks.trainers[0].step < 3
    assert named(ends) == {(frozenset([2]), 0)}


def test_a_rank_is_named_for_all_since_its_last_audit_though_the_others_were_started_again_one_by_one() -> None:
    ranks = Ranks(3, every=2)  # the third one has to audit another one in step 2
    ranks.flips(2, "gradient", always=True)
    for other in (0, 1):
        assert ranks.step() == [None] * 3
        ranks.restart(other)
    assert named(ranks.step()) == {(frozenset([2]), 0)}


def test_no_audit_excuses_a_rank_that_was_named_before() -> None:
    ranks = Ranks(3, every=1)
    ranks.flips(2, "gradient", always=True)
    assert ranks.step() == [None] * 3
    assert named(ranks.step()) == {(frozenset([2]), 0)}
    ranks.trainers[2].tell(lambda name, contents: None, lambda: True)  # it is right for a while
    ranks.join()  # another member died before a coordinator had heard all of them
    for _ in range(3):
        assert ranks.step() == [None] * 3
    ranks.flips(2, "gradient", always=True)
    while (ends := ranks.step()) == [None] * 3:
        assert ranks.trainers[0].step < 9
    assert named(ends) == {(frozenset([2]), 0)}


def test_a_gradient_that_is_far_too_long_is_named_without_an_audit_and_not_applied() -> None:
    ranks = Ranks(3, every=100)
    assert ranks.step() == [None] * 3
    before = [trainer.digest() for trainer in ranks.trainers]
    ranks.flips(2, "gradient", byte=3)
    assert {ranks for ranks, _ in named(ranks.step())} == {frozenset([2])}
    assert [trainer.digest() for trainer in ranks.trainers] == before


@pytest.mark.parametrize("of", ["parameters", "optimizer"])
@pytest.mark.parametrize("world", [2, 3])
def test_memory_that_changes_between_steps_is_named_before_the_next_is_applied(of: str, world: int) -> None:
    ranks = Ranks(world, every=100)
    assert ranks.step() == [None] * world
    guard, trainer = ranks.guards[1], ranks.trainers[1]
    ranks.flips(1, of)
    trainer.keeps()
    assert named(ranks.step()) == {(frozenset([1]), None)}
    assert guard is ranks.guards[1]
    assert {other.step for other in ranks.trainers} == {1}


def test_what_changes_on_the_wire_is_sent_again_and_names_no_rank() -> None:
    ranks, times = Ranks(3, every=1), list[int]()

    def on_wire(to: int, whole: torch.Tensor) -> None:
        if to == 1 and not times:
            times.append(to)
            whole.view(torch.int32)[2][0][7] ^= 1

    ranks.on_wire = on_wire
    assert ranks.step() == [None] * 3
    assert len({trainer.digest() for trainer in ranks.trainers}) == 1
    assert ranks.told == [GradientsChanged(generation=1, step=0, ranks=("rank1",))] * 3


def test_two_that_contradict_each_other_apply_nothing() -> None:
    ranks = Ranks(2, every=1)
    for trainer in ranks.trainers[:1]:
        trainer.tell(lambda name, contents: contents[0].__setitem__(0, 1) if name == "gradient" else None, lambda: True)
    ends = ranks.step()
    assert all(isinstance(end, Undecided) for end in ends), ends
    assert {trainer.step for trainer in ranks.trainers} == {0}
