"""Find the cycle that a verdict shows: of the gravest kind that exists, short, and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from harness.checkers._transactions.dependencies import Edge, Kind
from harness.checkers._transactions.graph import Booleans, Graph
from harness.checkers._transactions.reading import Element, Key
from harness.model.verdict import Dependency, DependencyKind

_NAMES: Final = {
    "G0": "G0, a dirty write",
    "G1c": "G1c, information flowing in a circle",
    "G-single": "G-single, a read skew",
    "G-nonadjacent": "G-nonadjacent, several read skews in a circle",
    "G2-item": "G2-item, a write skew",
}
_REAL_TIME: Final = "-realtime"
_SHORT: Final[dict[Kind, DependencyKind]] = {Kind.WW: "ww", Kind.WR: "wr", Kind.RW: "rw", Kind.RT: "rt"}
_TRIED: Final = 20
"""How many tangles, the smallest first, are searched for a cycle."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """A cycle's kind and its dependencies, each from one transaction to the next; the last leads back to the first."""

    phenomenon: str
    dependencies: tuple[Dependency, ...]

    @property
    def named(self) -> str:
        name = _NAMES[self.phenomenon.removesuffix(_REAL_TIME)]
        return f"{name} in real time" if self.phenomenon.endswith(_REAL_TIME) else name

    @property
    def ops(self) -> tuple[int, ...]:
        return tuple(sorted({dependency.source for dependency in self.dependencies}))


def gravest_cycle(graph: Graph, edges: list[Edge], rows: list[int], lists: set[Key]) -> Cycle | None:
    """A cycle of the gravest kind: G0, G1c, G-single, then all others; last, those closed only by real time."""
    kind = graph.kind
    inside, rw = kind == Kind.INSIDE, kind == Kind.RW
    for real_time in (False, True):
        base = inside | (kind == Kind.RT) if real_time else inside
        if real_time and not (kind == Kind.RT).any():
            break
        for chosen in (base | (kind == Kind.WW), base | (kind == Kind.WW) | (kind == Kind.WR)):
            for tangle in graph.tangles(chosen)[:_TRIED]:
                return _told(edges, rows, lists, graph.shortest_cycle(tangle, chosen))
        whole = chosen | rw
        found = graph.tangles(whole)
        for tangle in found[:_TRIED]:
            path = graph.cycle_with_one(tangle, rw & (graph.source < graph.transactions), _after_joint(graph, chosen))
            if path:
                return _told(edges, rows, lists, path)
        for tangle in found[:_TRIED]:
            return _told(edges, rows, lists, graph.shortest_cycle(tangle, whole))
    return None


def _after_joint(graph: Graph, chosen: Booleans) -> Booleans:
    """The chosen edges, and those that only continue an anti-dependency from a joint."""
    joint = (graph.source >= graph.transactions) & (graph.source < graph.nodes)
    return np.asarray(chosen | (joint & (graph.kind == Kind.RW)))


def _told(edges: list[Edge], rows: list[int], lists: set[Key], cycle: list[int]) -> Cycle:
    """Merge edges that meet in joints, and drop edges inside a transaction."""
    steps = [edge for edge in cycle if edge < len(edges)]
    first = next(place for place, edge in enumerate(steps) if edges[edge].source < len(rows))
    found, kinds = [], []
    head = -1
    for edge in steps[first:] + steps[:first]:
        if edges[edge].source < len(rows):
            head = edge
        if edges[edge].target < len(rows):
            kinds.append(edges[head].kind)
            source, target = rows[edges[head].source], rows[edges[edge].target]
            key, before, after = edges[head].key, edges[head].before, edges[edge].after
            why = _words(kinds[-1], key in lists, source, target, key, before, after)
            found.append(Dependency(source=source, target=target, kind=_SHORT[kinds[-1]], why=why))
    return Cycle(_phenomenon(kinds), tuple(found))


def _phenomenon(kinds: list[Kind]) -> str:
    anti = kinds.count(Kind.RW)
    if anti == 0:
        name = "G1c" if Kind.WR in kinds else "G0"
    elif anti == 1:
        name = "G-single"
    else:
        adjacent = any(one == Kind.RW == other for one, other in zip(kinds, kinds[1:] + kinds[:1], strict=True))
        name = "G2-item" if adjacent else "G-nonadjacent"
    return name + _REAL_TIME if Kind.RT in kinds else name


def _words(kind: Kind, is_list: bool, source: int, target: int, key: Key, before: Element, after: Element) -> str:
    """The dependency between two transactions, in words."""
    wrote = "appended" if is_list else "wrote"
    match kind:
        case Kind.WW:
            return f"op {source} {wrote} {before} to {key} before op {target} {wrote} {after}"
        case Kind.WR:
            return f"op {source} {wrote} {before} to {key}, which op {target} read"
        case Kind.RW if before is None:
            return f"op {source} found nothing in {key}, to which op {target} {wrote} {after}"
        case Kind.RW if is_list:
            return f"op {source} read {key} up to {before}, without the {after} that op {target} appended"
        case Kind.RW:
            return f"op {source} read {key} = {before}, which op {target} overwrote with {after}"
        case _:
            return f"op {source} was done before op {target} was sent"
