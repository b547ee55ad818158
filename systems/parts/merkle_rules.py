"""The rule of comparisons: whatever a peer may lack, or hold otherwise, a replica's Merkle tree finds just that.

Replicas rarely differ in more than a few keys, so a kind of difference that comparisons miss rarely occurs in a run; and what
one of them misses, the peer's own finds. So peers that lack much are imagined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from systems.parts.merkle import MerkleTree, differences, tree_of
from systems.parts.rules import InTurn

_EVERY: Final = 16
"""At one in so many looks, one replica is looked at."""

_DIGITS: Final = "0123456789abcdef"


class FindsAllDifferences:
    """Imagines, for one replica at a time, a peer that has nothing in one range of keys, and differs a little elsewhere."""

    def __init__(self) -> None:
        self._in_turn = InTurn(_EVERY)

    def broken(self, held: Mapping[str, tuple[MerkleTree, Mapping[str, bytes]]]) -> str | None:
        """What some replica would not find, or find wrongly. `held`: by replica, its tree and the contents of its keys."""
        name = self._in_turn.pick(held)
        if name is None:
            return None
        tree, contents = held[name]
        prefix = _DIGITS[self._in_turn.turn % len(_DIGITS)]
        imagined = dict(contents)
        for number, key in enumerate(sorted(contents)):
            if number % 7 == 0:
                imagined[key] = contents[key] + b"?"
            elif number % 5 == 0:
                del imagined[key]
        imagined["imagined"] = b""
        for key in _keys_in(tree, prefix):
            imagined.pop(key, None)
        differ = sorted(key for key in imagined.keys() | contents.keys() if imagined.get(key) != contents.get(key))
        other = tree_of(imagined.items())
        for who, found in ((name, differences(tree, other)[0]), ("the peer", differences(other, tree)[0])):
            if found != differ:
                key = min({*found} ^ {*differ})
                does = "miss that they differ in" if key in differ else "take them to differ in"
                return f"{name} compared with a peer that has nothing in the range {prefix!r}: {who} would {does} key {key}"
        return None


def _keys_in(tree: MerkleTree, prefix: str) -> Iterator[str]:
    """The keys whose hashes begin so."""
    found = tree.range(prefix)
    yield from found.keys
    for digit in found.parts or ():
        yield from _keys_in(tree, prefix + digit)
