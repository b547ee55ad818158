"""Failing calls of several processes, grouped by reason."""

from __future__ import annotations

from results.analysis.failures import FailureGroup, merged


def group(reason: str, calls: int, example: str = "") -> FailureGroup:
    return FailureGroup(outcome="failed", reason=reason, calls=calls, example=example)


def test_groups_of_several_sources_are_merged_with_an_example_of_either() -> None:
    assert merged([group("a", 1), group("b", 5), group("a", 7, "text")]) == (group("a", 8, "text"), group("b", 5))


def test_the_largest_groups_are_kept_and_the_calls_of_the_others_counted() -> None:
    found = merged([group(str(calls), calls) for calls in range(100)], at_most=2)
    assert found == (group("99", 99), group("98", 98), group("other reasons", sum(range(98))))


def test_other_reasons_of_several_sources_are_one_group() -> None:
    sources = [group("other reasons", 50), group("other reasons", 7), group("a", 3), group("b", 1)]
    assert merged(sources, at_most=1) == (group("a", 3), group("other reasons", 58))
