"""A Merkle tree over a store's keys: two replicas find the keys in which they differ by comparing digests from the root down.

R. Merkle, "A Digital Signature Based on a Conventional Encryption Function", CRYPTO 1987; for replicas' anti-entropy, G.
DeCandia et al., "Dynamo: Amazon's Highly Available Key-value Store", SOSP 2007, section 4.7. It differs from the textbook in
two ways:

- Keys are ordered by their hashes, so that ranges are even. A range is split into sixteen when it has more than `LEAF_KEYS`
  keys, and joined again when it no longer has. The tree's shape depends only on its keys, not on the order of updates.
- A range's digest is the sum of its entries' hashes modulo 2**64 (M. Bellare, D. Micciancio, "A New Paradigm for
  Collision-Free Hashing", EUROCRYPT 1997), so an update costs one addition per level. Two different ranges have equal digests
  with probability 2**-64; the sum does not protect against an adversary who chooses values.

A range is named by the hexadecimal digits that its keys' hashes begin with; "" is the whole key space.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
import xxhash

LEAF_KEYS: Final = 16
"""The most keys of a leaf. Sending these key by key costs about as much as the digests of sixteen parts."""

_DIGITS: Final = "0123456789abcdef"
_MASK: Final = (1 << 64) - 1


class Range(msgspec.Struct, frozen=True, array_like=True):
    """What a tree holds in a range: the digest of each part by its digit, or of each key if there are few."""

    prefix: str
    parts: dict[str, int] | None
    """None if `keys` holds the whole range. Parts without a key are left out."""
    keys: dict[str, int]


class _Node:
    __slots__ = ("count", "digest", "keys", "parts")

    def __init__(self) -> None:
        self.count = self.digest = 0
        self.parts: dict[str, _Node] | None = None
        self.keys: dict[str, int] = {}
        """Each key's digest; only for a leaf."""


class MerkleTree:
    """The digests of what one replica holds."""

    def __init__(self) -> None:
        self._root = _Node()

    @property
    def digest(self) -> int:
        """The root's digest: two trees with the same digest hold the same."""
        return self._root.digest

    def __len__(self) -> int:
        return self._root.count

    def update(self, key: str, content: bytes | None) -> None:
        """Set a key's content; None removes the key. O(depth), the logarithm to base 16 of the number of keys."""
        place, digest = _place(key), None if content is None else _digest(key, content)
        before = self._digest_of(place, key)
        if before == digest:
            return
        path = [self._root]
        while (parts := path[-1].parts) is not None:
            path.append(parts.setdefault(place[len(path) - 1], _Node()))
        for node in path:
            node.digest = (node.digest + (digest or 0) - (before or 0)) & _MASK
            node.count += (digest is not None) - (before is not None)
        if digest is None:
            del path[-1].keys[key]
        else:
            path[-1].keys[key] = digest
        self._reshape(path, place)

    def has(self, key: str, content: bytes | None) -> bool:
        """Whether a key has this content; with None, whether it has none. O(depth)."""
        return self._digest_of(_place(key), key) == (None if content is None else _digest(key, content))

    def range(self, prefix: str) -> Range:
        """What the tree holds in a range. O(keys of a leaf)."""
        node = self._find(prefix)
        if node is None or node.parts is None:
            return Range(prefix, None, dict(self._entries(prefix)))
        return Range(prefix, {digit: part.digest for digit, part in sorted(node.parts.items()) if part.count}, {})

    def compare(self, theirs: Range) -> tuple[list[str], list[str]]:
        """The ranges to ask the other replica about next, and the keys in which the replicas differ.

        Both are sorted. O(digits + keys that differ).
        """
        ours, prefix = self.range(theirs.prefix), theirs.prefix
        if theirs.parts is None:
            return [], self._differing(prefix, theirs.keys)
        if ours.parts is None:
            parts = dict.fromkeys(_DIGITS, 0)
            for key, digest in ours.keys.items():
                digit = _place(key)[len(prefix)]
                parts[digit] = (parts[digit] + digest) & _MASK
        else:
            parts = ours.parts
        differ = [digit for digit in _DIGITS if parts.get(digit, 0) != theirs.parts.get(digit, 0)]
        gone = [digit for digit in differ if digit not in theirs.parts]  # no need to ask: the other replica has nothing there
        keys = [key for digit in gone for key in self._differing(prefix + digit, {})]
        return [prefix + digit for digit in differ if digit in theirs.parts], sorted(keys)

    def _differing(self, prefix: str, theirs: Mapping[str, int]) -> list[str]:
        ours = dict(self._entries(prefix))
        return sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))

    def _entries(self, prefix: str) -> Iterator[tuple[str, int]]:
        node = self._find(prefix)
        waiting = [] if node is None else [node]
        while waiting:
            node = waiting.pop()
            waiting += (node.parts or {}).values()
            yield from ((key, digest) for key, digest in node.keys.items() if _place(key).startswith(prefix))

    def _find(self, prefix: str) -> _Node | None:
        """The node of a range, or the leaf that contains the range; None if the range has no keys."""
        node = self._root
        for digit in prefix:
            if node.parts is None:
                break
            if digit not in node.parts:
                return None
            node = node.parts[digit]
        return node

    def _digest_of(self, place: str, key: str) -> int | None:
        node = self._find(place)
        return None if node is None else node.keys.get(key)

    def _reshape(self, path: list[_Node], place: str) -> None:
        """Join the highest range of the path that has become small, or split the last one if it has become too large."""
        for depth, node in enumerate(path):
            if node.parts is not None and node.count <= LEAF_KEYS:
                node.keys = dict(self._entries(place[:depth]))
                node.parts = None
                return
        node, depth = path[-1], len(path) - 1
        if node.count > LEAF_KEYS and depth < len(place):
            keys, node.keys, node.parts = node.keys, {}, {}
            for key, digest in keys.items():
                part = node.parts.setdefault(_place(key)[depth], _Node())
                part.keys[key] = digest
                part.count += 1
                part.digest = (part.digest + digest) & _MASK
            for part in list(node.parts.values()):
                self._reshape([*path, part], _place(next(iter(part.keys))))


def differences(ours: MerkleTree, theirs: MerkleTree) -> tuple[list[str], int]:
    """The keys in which two trees differ, sorted, and how many ranges were compared. O(differences · depth)."""
    keys: list[str] = []
    waiting, asked = [""] if ours.digest != theirs.digest else [], 0
    while waiting:
        asked += 1
        further, found = ours.compare(theirs.range(waiting.pop()))
        waiting += further
        keys += found
    return sorted(keys), asked


def tree_of(contents: Iterable[tuple[str, bytes]]) -> MerkleTree:
    """The tree of a whole store. O(n · depth)."""
    tree = MerkleTree()
    for key, content in contents:
        tree.update(key, content)
    return tree


def _place(key: str) -> str:
    return xxhash.xxh3_64_hexdigest(key.encode())


def _digest(key: str, content: bytes) -> int:
    name = key.encode()
    return xxhash.xxh3_64_intdigest(b"%d:%s%s" % (len(name), name, content))
