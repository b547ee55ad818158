"""The data order: every sample once an epoch, whatever happens to ranks."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systems.parts.sampler import Audit, Ledger, Order, OutOfOrder, Use, audit, key, shards_of

ORDERS = st.builds(
    lambda samples, shards, shard_size, seed: Order(samples=samples, batch=shards * shard_size, shards=shards, seed=seed),
    samples=st.integers(1, 60),
    shards=st.integers(1, 6),
    shard_size=st.integers(1, 5),
    seed=st.integers(0, 2**64 - 1),
)

ATTEMPTS = st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=30)
"""A history of a job: with how many ranks each attempt at a step was made, and whether it came to an end."""


@given(order=ORDERS, attempts=ATTEMPTS)
@settings(deadline=None)
def test_every_sample_is_used_once_across_failures_and_changes_of_world(order: Order, attempts: list[tuple[int, bool]]) -> None:
    ledger, used = Ledger(), list[Use]()
    for world, ended in attempts:
        step = ledger.next_step
        uses = [
            use for rank in range(world) for shard in shards_of(rank, world, order.shards) for use in order.uses(step, shard)
        ]
        if ended:
            ledger.commit(step, uses)
            used += uses
    assert audit([(use.epoch, use.sample) for use in used], order.samples).clean
    assert len(used) == ledger.next_step * order.batch
    in_order = Counter((use.epoch, use.sample) for step in range(ledger.next_step) for use in _whole(order, step))
    assert in_order == Counter((use.epoch, use.sample) for use in used)


@given(order=ORDERS, worlds=st.lists(st.integers(1, 6), min_size=1, max_size=8))
@settings(deadline=None)
def test_the_ledger_is_the_same_whatever_the_worlds_were(order: Order, worlds: list[int]) -> None:
    elastic, alone = Ledger(), Ledger()
    for step, world in enumerate(worlds):
        by_rank = [shards_of(rank, world, order.shards) for rank in reversed(range(world))]
        elastic.commit(step, [use for shards in by_rank for shard in shards for use in order.uses(step, shard)])
        alone.commit(step, _whole(order, step))
    assert elastic.state == alone.state


@given(world=st.integers(1, 9), shards=st.integers(1, 20))
def test_every_shard_is_one_ranks(world: int, shards: int) -> None:
    assert sorted(shard for rank in range(world) for shard in shards_of(rank, world, shards)) == list(range(shards))


@given(order=ORDERS)
def test_an_epoch_is_a_permutation(order: Order) -> None:
    assert sorted(order.epoch(3).tolist()) == list(range(order.samples))


def test_epochs_and_seeds_differ() -> None:
    first = Order(samples=1000, batch=10, shards=2, seed=1)
    second = Order(samples=1000, batch=10, shards=2, seed=2)
    assert first.epoch(0).tolist() != first.epoch(1).tolist()
    assert first.epoch(0).tolist() != second.epoch(0).tolist()


def test_the_order_is_the_same_for_ever() -> None:
    """Checkpoints are resumed by later versions of this program and of its libraries."""
    order = Order(samples=10, batch=4, shards=2, seed=7)
    assert [use[:2] for step in range(3) for use in _whole(order, step)] == ORDER
    assert [key(7, step, shard) for step in range(2) for shard in range(2)] == KEYS


def test_keys_do_not_repeat() -> None:
    keys = {key(seed, step, shard) for seed in range(5) for step in range(50) for shard in range(12)}
    assert len(keys) == 5 * 50 * 12
    assert all(0 <= each < 2**63 for each in keys)


def test_a_step_that_is_skipped_or_counted_twice_is_refused() -> None:
    order, ledger = Order(samples=10, batch=4, shards=2, seed=7), Ledger()
    ledger.commit(0, _whole(order, 0))
    for step in (0, 2):
        with pytest.raises(OutOfOrder, match=f"step {step} cannot be committed: the next one is step 1"):
            ledger.commit(step, _whole(order, step))
    resumed = Ledger(ledger.state)
    resumed.commit(1, _whole(order, 1))
    ledger.commit(1, _whole(order, 1))
    assert resumed.state == ledger.state


def test_uses_that_differ_give_another_digest() -> None:
    order, right, wrong = Order(samples=10, batch=4, shards=2, seed=7), Ledger(), Ledger()
    right.commit(0, _whole(order, 0))
    wrong.commit(0, [*_whole(order, 0)[:-1], Use(0, 99, 1, 0)])
    assert right.state != wrong.state


@pytest.mark.parametrize(
    ("uses", "found"),
    [
        ([(0, 0), (0, 1), (0, 2), (1, 2)], Audit()),
        ([(0, 0), (0, 1), (0, 1), (0, 2)], Audit(repeated=[(0, 1)])),
        ([(0, 0), (0, 2), (1, 1)], Audit(missing=[(0, 1)])),
        ([(1, 0)], Audit(missing=[(0, 0), (0, 1), (0, 2)])),
        ([(0, 0)], Audit()),
        ([], Audit()),
    ],
)
def test_audit_finds_what_was_repeated_and_what_is_missing(uses: list[tuple[int, int]], found: Audit) -> None:
    seen = audit(uses, 3)
    assert (list(seen.repeated), list(seen.missing)) == (list(found.repeated), list(found.missing))


@pytest.mark.parametrize("shards", [0, 3, 11])
def test_shards_that_a_batch_cannot_be_split_into_are_refused(shards: int) -> None:
    with pytest.raises(ValueError, match=f"batch of 10 of 5 samples cannot be split into {shards} shards"):
        Order(samples=5, batch=10, shards=shards, seed=1)


def _whole(order: Order, step: int) -> list[Use]:
    return [use for shard in range(order.shards) for use in order.uses(step, shard)]


ORDER = [(0, 8), (0, 1), (0, 3), (0, 2), (0, 4), (0, 7), (0, 0), (0, 6), (0, 9), (0, 5), (1, 9), (1, 6)]
KEYS = [5620672417314516668, 923064801687522736, 9071713175802274614, 5760307916767727412]
