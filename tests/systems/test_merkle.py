"""The Merkle tree: compared with a plain comparison, its cost, and that its shape does not depend on history."""

from __future__ import annotations

import math
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systems.parts.merkle import LEAF_KEYS, MerkleTree, Range, differences, tree_of
from tests.helpers.effort import cases

contents = st.dictionaries(st.integers(0, 120).map(lambda number: f"k{number}"), st.binary(max_size=2), max_size=90)


@given(contents, contents)
@settings(max_examples=cases(80))
def test_it_finds_exactly_the_keys_that_differ(ours: dict[str, bytes], theirs: dict[str, bytes]) -> None:
    expected = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
    assert differences(tree_of(ours.items()), tree_of(theirs.items()))[0] == expected


@given(st.lists(st.tuples(st.integers(0, 60).map(lambda number: f"k{number}"), st.none() | st.binary(max_size=1))))
@settings(max_examples=cases(80))
def test_a_tree_depends_on_what_is_held_and_not_on_how_it_came_there(changes: list[tuple[str, bytes | None]]) -> None:
    tree, held = MerkleTree(), dict[str, bytes]()
    for key, content in changes:
        tree.update(key, content)
        held.pop(key, None)
        if content is not None:
            held[key] = content
    fresh = tree_of(held.items())
    assert len(tree) == len(held)
    for key in {key for key, _ in changes}:
        assert tree.has(key, held.get(key))
        assert not tree.has(key, b"something else")
        assert tree.has(key, None) == (key not in held)
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        assert tree.range(prefix) == fresh.range(prefix)
        waiting += [prefix + digit for digit in fresh.range(prefix).parts or ()]


@pytest.mark.parametrize("keys", [1_000, 30_000])
def test_comparing_costs_differences_times_depth_however_many_keys_there_are(keys: int) -> None:
    random = Random(keys)
    ours = tree_of((f"key{number}", b"1") for number in range(keys))
    theirs = tree_of((f"key{number}", b"1") for number in range(keys))
    assert differences(ours, theirs) == ([], 0)
    changed = sorted({f"key{random.randrange(keys)}" for _ in range(5)})
    for key in changed:
        theirs.update(key, b"2")
    theirs.update("new", b"1")
    found, asked = differences(ours, theirs)
    depth = math.ceil(math.log(keys / LEAF_KEYS, 16)) + 2
    assert found == sorted([*changed, "new"])
    assert asked <= len(found) * depth


def test_one_side_empty_is_found_without_asking_for_each_key() -> None:
    full = tree_of((f"key{number}", b"1") for number in range(2_000))
    found, asked = differences(full, MerkleTree())
    assert (len(found), asked) == (2_000, 1)


def test_a_key_and_its_content_are_told_apart() -> None:
    assert tree_of([("a", b"bc")]).digest != tree_of([("ab", b"c")]).digest


def test_ranges_travel_as_json() -> None:
    tree = tree_of((f"key{number}", b"1") for number in range(100))
    for prefix in ("", "0", "01234"):
        found = tree.range(prefix)
        assert msgspec.json.decode(msgspec.json.encode(found), type=Range) == found
