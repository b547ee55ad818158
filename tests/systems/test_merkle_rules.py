"""The rule of comparisons: which trees it must accept, and which it must find."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from systems.parts.merkle import MerkleTree, Range, tree_of
from systems.parts.merkle_rules import FindsAllDifferences

LOOKS = 3 * 16 * 16
"""Enough for each of three replicas to be compared with a peer that lacks each range."""


class MissesWhatIsGone(MerkleTree):
    """Does not see that the other replica has nothing in a range."""

    def compare(self, theirs: Range) -> tuple[list[str], list[str]]:
        further, keys = super().compare(theirs)
        return further, keys if theirs.parts is None else []


class SeesTooMuch(MerkleTree):
    """Takes whatever shares a range with a difference for different."""

    def compare(self, theirs: Range) -> tuple[list[str], list[str]]:
        further, keys = super().compare(theirs)
        return further, sorted({*keys, *self.range(theirs.prefix).keys}) if keys else []


def contents(keys: int) -> dict[str, bytes]:
    return {f"k{number}": b"%d" % number for number in range(keys)}


def found(trees: Mapping[str, tuple[MerkleTree, Mapping[str, bytes]]]) -> str | None:
    rule = FindsAllDifferences()
    return next((why for _ in range(LOOKS) if (why := rule.broken(trees)) is not None), None)


def filled(tree: MerkleTree, keys: int) -> tuple[MerkleTree, Mapping[str, bytes]]:
    for key, content in contents(keys).items():
        tree.update(key, content)
    return tree, contents(keys)


@pytest.mark.parametrize("keys", [0, 1, 16, 17, 60, 400])
def test_a_tree_of_what_is_held_finds_all(keys: int) -> None:
    assert found({name: (tree_of(contents(keys).items()), contents(keys)) for name in ("n1", "n2", "n3")}) is None
    assert found({}) is None


def test_what_the_peer_has_nothing_of_is_not_to_be_missed() -> None:
    why = found({"n1": filled(MerkleTree(), 60), "n2": filled(MissesWhatIsGone(), 60)})
    assert why is not None
    assert why.startswith("n2 compared with a peer that has nothing in the range '")
    assert "': n2 would miss that they differ in key k" in why


def test_what_is_the_same_is_not_to_be_found() -> None:
    why = found({"n1": filled(SeesTooMuch(), 60)})
    assert why is not None
    assert "': n1 would take them to differ in key k" in why


def test_a_tree_that_was_not_updated_is_found() -> None:
    tree = tree_of(contents(60).items())
    for changed in (b"other", None):
        held = contents(60)
        if changed is None:
            del held["k7"]
        else:
            held["k7"] = changed
        why = found({"n1": (tree, held)})
        assert why is not None
        assert why.endswith("key k7")
