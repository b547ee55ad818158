"""A cycle of contradictory dependencies, drawn as a circle of transactions with an arrow for each dependency."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import pandas as pd

from results.record.result import CheckResult

_MOST: Final = 12
"""The most transactions that are drawn; a longer cycle is only described in words."""
_WIDTH: Final = 860
_NODE_WIDTH: Final = 156
_NODE_HEIGHT: Final = 40
_SHOWN: Final = 22
"""How many characters of a transaction its box shows."""
_MEANING: Final = {"ww": "wrote before", "wr": "was read by", "rw": "read before it was written by", "rt": "was done before"}


@dataclass(frozen=True, kw_only=True)
class Box:
    """A transaction; `x` and `y` are the centre of its box."""

    x: float
    y: float
    name: str
    text: str
    tip: str


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """A dependency: an SVG path with a label at its middle."""

    path: str
    x: float
    y: float
    label: str
    tip: str


@dataclass(frozen=True, kw_only=True)
class CycleDrawing:
    title: str
    width: int
    height: int
    box_width: int
    box_height: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    steps: tuple[str, ...]
    """The dependencies in words, in their order."""


def cycle_drawing(check: CheckResult, ops: pd.DataFrame) -> CycleDrawing | None:
    """The drawing of a check's cycle; None if it has none, or if a transaction of it was not recorded."""
    cycle = check.cycle
    if not cycle or any(step.source not in ops.index for step in cycle):
        return None
    drawn = cycle if len(cycle) <= _MOST else ()
    height = 150 if len(drawn) == 2 else 160 + 40 * len(drawn)
    places = [_place(number, len(drawn), height) for number in range(len(drawn))]
    boxes = []
    for (x, y), step in zip(places, drawn, strict=True):
        value = ops["value"].loc[step.source]
        text = value if isinstance(value, str) else ""
        client = f"op {step.source}, client {ops['client'].loc[step.source]}"
        boxes.append(Box(x=x, y=y, name=client, text=_short(text), tip=f"{client}: {text}"))
    arrows = [
        _arrow(place, places[(number + 1) % len(places)], height, len(places), step.kind, step.why)
        for number, (place, step) in enumerate(zip(places, drawn, strict=True))
    ]
    return CycleDrawing(
        title=f"What contradicts {check.name}, transaction by transaction",
        width=_WIDTH,
        height=height if drawn else 0,
        box_width=_NODE_WIDTH,
        box_height=_NODE_HEIGHT,
        boxes=tuple(boxes),
        arrows=tuple(arrows),
        steps=tuple(step.why for step in cycle),
    )


def _place(number: int, count: int, height: int) -> tuple[float, float]:
    """Places on an ellipse: the first one at the left, the others clockwise."""
    angle = math.pi + 2 * math.pi * number / count
    across, down = (_WIDTH - _NODE_WIDTH - 20) / 2, (height - _NODE_HEIGHT - 60) / 2
    return round(_WIDTH / 2 + across * math.cos(angle), 1), round(height / 2 + down * math.sin(angle), 1)


def _arrow(start: tuple[float, float], end: tuple[float, float], height: int, count: int, kind: str, why: str) -> Arrow:
    """A curve from box to box that bulges outwards, so that two arrows between the same boxes do not overlap."""
    middle_x, middle_y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    if count == 2:
        bend_x, bend_y = middle_x, middle_y + (-60 if start[0] < end[0] else 60)
    else:
        bend_x, bend_y = middle_x + (middle_x - _WIDTH / 2) * 0.25, middle_y + (middle_y - height / 2) * 0.25
    x1, y1 = _edge(start, (bend_x, bend_y))
    x2, y2 = _edge(end, (bend_x, bend_y))
    return Arrow(
        path=f"M{x1:.1f} {y1:.1f}Q{bend_x:.1f} {bend_y:.1f} {x2:.1f} {y2:.1f}",
        x=round((x1 + 2 * bend_x + x2) / 4, 1),
        y=round((y1 + 2 * bend_y + y2) / 4 - 6, 1),
        label=f"{kind}: {_MEANING[kind]}",
        tip=why,
    )


def _edge(box: tuple[float, float], towards: tuple[float, float]) -> tuple[float, float]:
    """Where the line from a box's middle to a point leaves the box, with a little room."""
    dx, dy = towards[0] - box[0], towards[1] - box[1]
    half_width, half_height = _NODE_WIDTH / 2 + 4, _NODE_HEIGHT / 2 + 4
    shrink = min(half_width / abs(dx) if dx else math.inf, half_height / abs(dy) if dy else math.inf)
    return (box[0] + dx * shrink, box[1] + dy * shrink) if math.isfinite(shrink) else box


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
