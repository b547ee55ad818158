"""Values of one key under concurrent writes: a write replaces what its client had seen, and stands beside all else.

A dotted version vector set: N. Preguiça et al., "Dotted Version Vectors: Efficient Causality Tracking for Distributed Key-Value
Stores", 2012; P. Almeida et al., "Scalable and Accurate Causality Tracking for Eventually Consistent Stores", DAIS 2014.
Unlike one version vector a value, two clients that write through the same node at once do not replace each other's values,
and values do not multiply.

Whole `Siblings` travel between nodes, never single values. Of every node that its context names, it then includes all writes up
to that count, which is what `synced` relies on. So a node that has lost its disk needs another name: it would count anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from systems.parts.version_vectors import merged

Value = TypeVar("Value")


class Dot(msgspec.Struct, frozen=True, order=True, array_like=True):
    """One write: the `count`-th to its key that a node coordinated."""

    node: str
    count: int


class Version(msgspec.Struct, Generic[Value], frozen=True, array_like=True):
    """A value and the write that it is of."""

    dot: Dot
    value: Value


class Siblings(msgspec.Struct, Generic[Value], frozen=True):
    """The values of a key of which none replaced another, by dot; none of a key never written, or deleted.

    `context` covers all writes that these values are of or have replaced. A client sends it back with its next write.
    """

    context: dict[str, int] = {}
    versions: tuple[Version[Value], ...] = ()

    @property
    def values(self) -> list[Value]:
        """The values, in the order of their dots."""
        return [version.value for version in self.versions]

    @property
    def dots(self) -> tuple[Dot, ...]:
        """Which writes these values are of: together with the context it tells two states apart."""
        return tuple(version.dot for version in self.versions)


def written(held: Siblings[Value], node: str, seen: Mapping[str, int], *values: Value) -> Siblings[Value]:
    """What `node` holds once a client that has `seen` this context has written a value; without a value it is a delete.

    A client without context replaces nothing. O(values + nodes).
    """
    context = merged(held.context, seen)
    kept = [version for version in held.versions if not _includes(seen, version.dot)]
    new = []
    for value in values:
        context[node] = context.get(node, 0) + 1
        new.append(Version(Dot(node, context[node]), value))
    if not values:  # a delete is a write as well: it must not look like what it replaced
        context[node] = context.get(node, 0) + 1
    return Siblings(merged(context), _sorted([*kept, *new]))


def synced(one: Siblings[Value], other: Siblings[Value]) -> Siblings[Value]:
    """What is left of two replicas' values: what neither has replaced. Commutative, associative and idempotent.

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
