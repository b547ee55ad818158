"""Delta debugging: its result suffices to fail, and every part of it is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.run.shrink import fewer, shorter


class Asked:
    """A predicate that fails if everything needed is there; it records its arguments."""

    def __init__(self, *needed: set[int]) -> None:
        self.needed = needed
        self.parts: list[tuple[int, ...]] = []

    def __call__(self, part: tuple[int, ...]) -> bool:
        self.parts.append(part)
        return any(one <= set(part) for one in self.needed)


def last(parts: Iterator[tuple[int, ...]], otherwise: Sequence[int]) -> tuple[int, ...]:
    return [tuple(otherwise), *parts][-1]


@settings(deadline=None)
@given(
    st.integers(0, 40).flatmap(lambda size: st.tuples(st.just(size), st.sets(st.integers(0, max(size - 1, 0)), max_size=size)))
)
def test_exactly_what_is_needed_is_found(case: tuple[int, set[int]]) -> None:
    size, needed = case
    fails = Asked(needed)
    found = last(fewer(range(size), fails), range(size))
    assert found == tuple(sorted(needed))
    assert len(set(fails.parts)) == len(fails.parts)  # nothing was tried twice


@settings(deadline=None)
@given(st.lists(st.sets(st.integers(0, 19), min_size=1), min_size=1, max_size=5))
def test_what_is_found_is_one_minimal_for_any_monotone_predicate(needed: list[set[int]]) -> None:
    fails = Asked(*needed)
    found = last(fewer(range(20), fails), range(20))
    assert fails(found)
    for item in found:
        assert not fails(tuple(other for other in found if other != item))


@settings(deadline=None)
@given(st.integers(), st.floats(0.05, 0.95), st.integers(0, 12))
def test_a_flaky_predicate_ends_in_something_that_was_seen_to_fail(seed: int, chance: float, size: int) -> None:
    random, failed = Random(seed), set()

    def flaky(part: tuple[int, ...]) -> bool:
        if random.random() < chance:
            failed.add(part)
            return True
        return False

    before = size
    for part in fewer(range(size), flaky):
        assert part in failed
        assert len(part) < before
        before = len(part)


def test_a_failure_that_shows_half_the_time_is_found_by_asking_several_times() -> None:
    random = Random(7)

    def often(part: tuple[int, ...]) -> bool:
        return any({3, 11} <= set(part) and random.random() < 0.5 for _ in range(8))

    assert all(last(fewer(range(16), often), range(16)) == (3, 11) for _ in range(10))


def test_nothing_is_tried_first() -> None:
    fails = Asked(set())
    assert list(fewer(range(5), fails)) == [()]
    assert fails.parts == [()]


def test_it_takes_few_runs_where_few_are_needed() -> None:
    fails = Asked({13})
    assert last(fewer(range(64), fails), range(64)) == (13,)
    assert len(fails.parts) <= 1 + 2 * 6
    none = Asked(set(range(8)))
    assert list(fewer(range(8), none)) == []
    assert len(none.parts) <= 8**2 + 3 * 8  # the bound of the paper


def test_order_is_kept() -> None:
    assert last(fewer([5, 3, 9, 1], lambda part: {3, 1} <= set(part)), []) == (3, 1)


def halves(length: int) -> list[int]:
    return [length // 2] if length >= 2 else []


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 1000)), max_size=6))
def test_each_item_is_made_as_short_as_halving_can(case: list[tuple[int, int]]) -> None:
    lengths, least = [length for length, _ in case], [min(pair) for pair in case]

    def fails(part: tuple[int, ...]) -> bool:
        return all(length >= bound for length, bound in zip(part, least, strict=True))

    found = last(shorter(lengths, fails, halves), lengths)
    assert fails(found)
    for length, bound in zip(found, least, strict=True):
        assert all(half < bound for half in halves(length))


def test_the_best_that_fails_takes_an_items_place() -> None:
    def candidates(item: int) -> list[int]:
        return [item // 4, item // 2, item - 1] if item else []

    assert last(shorter([16], lambda part: part[0] in (16, 8, 7), candidates), []) == (7,)
