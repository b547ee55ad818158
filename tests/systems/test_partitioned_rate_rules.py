"""How far a node may be ahead of a copy at the highest rate."""

from __future__ import annotations

from systems.partitioned.rate_rules import CopiesKeepToTheirRate, Pulling

RATE = 1000.0
PART = 100


def look(rule: CopiesKeepToTheirRate, at_s: float, pulled_bytes: int, *, start: int = 1, at_once: int = 1) -> str | None:
    pulling = Pulling(now_s=at_s, pulled_bytes=pulled_bytes, largest_bytes=PART, bytes_per_s=RATE)
    return rule.broken({"coordinator": {"moves_at_once": at_once}, "n1": {"start": start, "pulling": pulling}})


def test_a_copy_at_the_highest_rate_keeps_to_it() -> None:
    rule = CopiesKeepToTheirRate()
    assert all(look(rule, step * PART / RATE, (step + 1) * PART) is None for step in range(50))


def test_what_was_pulled_while_nobody_looked_may_have_taken_all_that_time() -> None:
    rule = CopiesKeepToTheirRate()
    assert look(rule, 0.0, 0) is None
    assert look(rule, 1.0, 10 * PART) is None
    assert look(rule, 1.0, 13 * PART) is not None


def test_a_copy_at_twice_the_rate_does_not() -> None:
    rule = CopiesKeepToTheirRate()
    told = [look(rule, step * PART / RATE / 2, step * PART) for step in range(10)]
    assert told[:4] == [None] * 4
    assert told[-1] is not None
    assert "ahead of a copy at its highest rate, and 200 are the most" in told[-1]


def test_each_of_several_moves_may_have_parts_on_their_way() -> None:
    assert look(CopiesKeepToTheirRate(), 1.0, 8 * PART, at_once=4) is None
    assert look(CopiesKeepToTheirRate(), 1.0, 9 * PART, at_once=4) is not None


def test_what_was_not_used_is_not_saved_and_a_new_start_counts_anew() -> None:
    rule = CopiesKeepToTheirRate()
    assert look(rule, 0.0, 0) is None
    assert look(rule, 60.0, 0) is None
    assert look(rule, 60.0, 3 * PART) is not None
    assert look(rule, 60.0, 2 * PART, start=2) is None
