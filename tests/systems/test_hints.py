"""Hints for absent replicas: one for each key, bounded in number and age; a late answer does not remove a newer hint."""

from __future__ import annotations

from systems.parts.hints import Hints


def test_a_newer_hint_takes_the_place_of_an_older_one_of_its_key() -> None:
    hints = Hints[str](["n2", "n3"], most=10, keep_s=60)
    assert hints.leave("n2", "a", "1", 0)
    assert hints.leave("n2", "b", "1", 1)
    assert hints.leave("n2", "a", "2", 2)
    assert [(hint.key, hint.what, hint.since_s) for hint in hints.oldest("n2", 5)] == [("a", "2", 0), ("b", "1", 1)]
    assert hints.oldest("n2", 1)[0].key == "a"
    assert hints.count("n3") == 0


def test_what_came_while_a_hint_was_on_its_way_stays() -> None:
    hints = Hints[str](["n2"], most=10, keep_s=60)
    hints.leave("n2", "a", "1", 0)
    [sent] = hints.oldest("n2", 1)
    hints.leave("n2", "a", "2", 1)
    assert not hints.delivered("n2", sent, 5)
    [left] = hints.oldest("n2", 1)
    assert (left.what, left.since_s) == ("2", 5)
    assert hints.delivered("n2", left, 6)
    assert not hints.delivered("n2", left, 7)
    assert hints.count("n2") == 0


def test_hints_that_are_too_many_or_too_old_are_dropped_and_told() -> None:
    hints = Hints[int](["n2", "n3"], most=2, keep_s=10)
    assert hints.leave("n2", "a", 1, 0)
    assert hints.leave("n2", "b", 1, 8)
    assert not hints.leave("n2", "c", 1, 9)
    assert hints.leave("n2", "b", 2, 9)
    assert hints.expire(10) == {}
    assert hints.expire(10.5, spare="a".__eq__) == {}
    assert hints.waits("n2", "a")
    assert hints.expire(10.5) == {"n2": ["a"]}
    assert hints.leave("n2", "c", 1, 11)
    hints.drop("n2", "b")
    assert [hint.key for hint in hints.oldest("n2", 9)] == ["c"]
