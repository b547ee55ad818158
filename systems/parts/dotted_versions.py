"""Values of one key under concurrent writes: a write replaces the values that its client had seen, and keeps all others.

A dotted version vector set: N. Preguiça et al., "Dotted Version Vectors: Efficient Causality Tracking for Distributed Key-Value
Stores", 2012; P. Almeida et al., "Scalable and Accurate Causality Tracking for Eventually Consistent Stores", DAIS 2014.
Unlike with one version vector per value, clients that write through the same node concurrently do not replace each other's
values, and values do not multiply.

Nodes send each other whole `Siblings`, never single values. So a context includes all of a node's writes up to the count that
it names, which `synced` relies on. A node that lost its disk needs another name, because it would count from 1 again. For the
same reason a node that forgets a deleted key must go on counting `above` what it forgot: another replica may still hold the
tombstone, and a client its context, and both would take the new write for one that was replaced long ago.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from systems.parts.version_vectors import merged

Value = TypeVar("Value")


class Dot(msgspec.Struct, frozen=True, order=True, array_like=True):
    """One write: the `count`-th write of a key that a node coordinated."""

    node: str
    count: int


class Version(msgspec.Struct, Generic[Value], frozen=True, array_like=True):
    """A value and the write that it comes from."""

    dot: Dot
    value: Value


class Siblings(msgspec.Struct, Generic[Value], frozen=True):
    """The concurrent values of a key, sorted by dot; none if the key was never written, or was deleted.

    `context` covers the writes of these values and all writes that they replaced. A client sends it with its next write.
    """

    context: dict[str, int] = {}
    versions: tuple[Version[Value], ...] = ()

    @property
    def values(self) -> list[Value]:
        """The values, in the order of their dots."""
        return [version.value for version in self.versions]

    @property
    def dots(self) -> tuple[Dot, ...]:
        """The writes of these values. Together with the context they identify a state."""
        return tuple(version.dot for version in self.versions)


def written(held: Siblings[Value], node: str, seen: Mapping[str, int], *values: Value, above: int = 0) -> Siblings[Value]:
    """What `node` holds after a client that has `seen` this context writes a value; without a value it is a delete.

    A client without a context replaces nothing. The write's count is higher than `above`: than those of all writes that the
    node has forgotten. O(values + nodes).
    """
    context = merged(held.context, seen)
    context[node] = max(context.get(node, 0), above)
    kept = [version for version in held.versions if not _includes(seen, version.dot)]
    new = []
    for value in values:
        context[node] += 1
        new.append(Version(Dot(node, context[node]), value))
    if not values:  # a delete is a write too: its state must differ from the one that it replaced
        context[node] += 1
    return Siblings(merged(context), _sorted([*kept, *new]))


def synced(one: Siblings[Value], other: Siblings[Value]) -> Siblings[Value]:
    """Merge two replicas' values: those that neither has replaced. Commutative, associative and idempotent.

    O(values + nodes).
    """
    theirs = {version.dot for version in other.versions}
    ours = {version.dot for version in one.versions}
    kept = [v for v in one.versions if v.dot in theirs or not _includes(other.context, v.dot)]
    kept += [v for v in other.versions if v.dot not in ours and not _includes(one.context, v.dot)]
    return Siblings(merged(one.context, other.context), _sorted(kept))


def _includes(context: Mapping[str, int], dot: Dot) -> bool:
    return dot.count <= context.get(dot.node, 0)


def _sorted(versions: list[Version[Value]]) -> tuple[Version[Value], ...]:
    return tuple(sorted(versions, key=lambda version: version.dot))
