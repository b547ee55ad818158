"""A partitioned store before and after: rings of partitions coloured by owner, and what each node held, copied and answered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from harness.model.history import History
from results.analysis.partitions import Division, Ownership, division
from results.report.page_sections import Column, Row, Table

WIDTH: Final = 260
_CENTER: Final = WIDTH / 2
_OUTER, _INNER = 112.0, 82.0
_MARK_OUTER, _MARK_INNER = 122.0, 115.0
_GAP: Final = 0.0015
"""The gap between two arcs, as a share of the circle."""
_COLOURS: Final = ("#2f7ed8", "#e08b00", "#1a9e77", "#c25ea8", "#7a6bd1", "#d1553b", "#5f8a1f", "#1c9bb5", "#a9761c", "#8a8a8a")
"""Distinguishable on light and dark backgrounds. Nodes beyond the tenth reuse them; every arc's tooltip names its owner."""


@dataclass(frozen=True, kw_only=True)
class Arc:
    """A piece of a ring: an SVG path, its colour, and its tooltip."""

    path: str
    colour: str
    tip: str


@dataclass(frozen=True, kw_only=True)
class Ring:
    title: str
    caption: str
    arcs: tuple[Arc, ...]


@dataclass(frozen=True, kw_only=True)
class PartitionDrawing:
    rings: tuple[Ring, ...]
    width: int
    legend: tuple[tuple[str, str], ...]
    """Each node's name and colour."""
    nodes: Table


def partition_drawing(history: History) -> PartitionDrawing | None:
    """The drawing of a run's partitions; None if it has none."""
    found = division(history)
    if found is None:
        return None
    before, after = found.before, found.after
    names = sorted({name for owners in (*before.owners, *after.owners) for name in owners}, key=_natural)
    colours = {name: _COLOURS[number % len(_COLOURS)] for number, name in enumerate(names)}
    moved = [number for number, low in enumerate(after.lows) if before.owner_at(low) != after.owners[number][0]]
    return PartitionDrawing(
        rings=(
            Ring(title="Before", caption=_caption(before), arcs=tuple(_arcs(before, colours))),
            Ring(
                title="After",
                caption=f"{_caption(after)}; the outer marks are what has another owner: {len(moved)} of {len(after.lows)}",
                arcs=(*_arcs(after, colours), *_marks(before, after, moved, colours)),
            ),
        ),
        width=WIDTH,
        legend=tuple(colours.items()),
        nodes=_nodes(history, found, names),
    )


def _caption(ownership: Ownership) -> str:
    return f"epoch {ownership.epoch}, {len(ownership.lows)} partitions"


def _arcs(ownership: Ownership, colours: dict[str, str]) -> list[Arc]:
    return [
        Arc(
            path=_piece(ownership.begins[number], ownership.ends(number), _INNER, _OUTER),
            colour=colours[owners[0]],
            tip=f"from {ownership.lows[number] or 'the beginning'}: {', '.join(owners)}",
        )
        for number, owners in enumerate(ownership.owners)
    ]


def _marks(before: Ownership, after: Ownership, moved: Sequence[int], colours: dict[str, str]) -> list[Arc]:
    """Marks in the colour of the old owner."""
    return [
        Arc(
            path=_piece(after.begins[number], after.ends(number), _MARK_INNER, _MARK_OUTER),
            colour=colours[before.owner_at(after.lows[number])],
            tip=f"{before.owner_at(after.lows[number])} → {after.owners[number][0]}",
        )
        for number in moved
    ]


def _piece(begin: float, end: float, inner: float, outer: float) -> str:
    """A part of a ring, clockwise from the top."""
    end = max(begin + 1e-6, min(end, begin + 0.99999) - min(_GAP, (end - begin) / 4))
    large = int(end - begin > 0.5)
    (a, b), (c, d), (e, f), (g, h) = _at(begin, outer), _at(end, outer), _at(end, inner), _at(begin, inner)
    return f"M{a} {b}A{outer} {outer} 0 {large} 1 {c} {d}L{e} {f}A{inner} {inner} 0 {large} 0 {g} {h}Z"


def _at(place: float, radius: float) -> tuple[float, float]:
    angle = 2 * math.pi * place
    return round(_CENTER + radius * math.sin(angle), 2), round(_CENTER - radius * math.cos(angle), 2)


def _nodes(history: History, found: Division, names: Sequence[str]) -> Table:
    load = history.load
    answered = load[load["outcome"] == "ok"]
    first_ns, last_ns = (int(load["sent_ns"].min()), int(load["sent_ns"].max())) if len(load) else (0, 0)
    third_ns = (last_ns - first_ns) // 3
    early = answered[answered["sent_ns"] <= first_ns + third_ns]["node"].value_counts()
    late = answered[answered["sent_ns"] >= last_ns - third_ns]["node"].value_counts()
    rows = [
        Row(
            cells=(
                name,
                f"{found.before.held.get(name, 0.0):.1%}",
                f"{found.after.held.get(name, 0.0):.1%}",
                f"{found.copied_bytes.get(name, 0):,}",
                f"{int(early.get(name, 0)) / max(1, int(early.sum())):.1%}",
                f"{int(late.get(name, 0)) / max(1, int(late.sum())):.1%}",
            )
        )
        for name in names
    ]
    columns = (
        Column(name="node"),
        Column(name="owned before", number=True),
        Column(name="after", number=True),
        Column(name="bytes copied to it", number=True),
        Column(name="calls in the first third", number=True),
        Column(name="in the last third", number=True),
    )
    return Table(columns=columns, rows=tuple(rows), note=f"{found.epochs} epochs")


def _natural(name: str) -> tuple[str, int]:
    digits = name[len(name.rstrip("0123456789")) :]
    return name[: len(name) - len(digits)], int(digits or 0)
