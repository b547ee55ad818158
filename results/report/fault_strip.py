"""The strip of fault windows above a run's drawings."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Final

from bokeh.core.properties import value
from bokeh.models import ColumnDataSource, HoverTool, Range1d
from bokeh.plotting import figure

from harness.model.fault_window import FaultWindow
from results.record.result import Judged
from results.report.phrasing import recovery_words
from results.report.plot_style import TIP, TOKENS, new_figure

_MAX_NAMES: Final = 12
_CHARACTER_PX: Final = 6.5
_NARROW_PX: Final = 280
"""The width of the time axis on a narrow screen."""


def held(fault: FaultWindow) -> tuple[float, float]:
    """When a fault began and ended; for a fault that was never injected, as planned."""
    begin_s = fault.from_s if fault.injected_s is None else fault.injected_s
    return begin_s, max(fault.to_s if fault.healed_s is None else fault.healed_s, begin_s)


def fault_strip(result: Judged, end_s: float) -> figure:
    """The strip of fault windows, each above its recovery: a line up to when service was good again, or when watching ended."""
    names = _names(result.faults)
    lanes = _lanes(result.faults, names, end_s)
    drawn = new_figure("Faults", 38 * (max(lanes) + 1) + 32, end_s, y_range=Range1d(max(lanes) + 1, 0))
    drawn.axis.visible = False
    drawn.ygrid.visible = False
    windows = _window_source(result, names, lanes, end_s)
    bars = drawn.hbar(
        y="y", left="left", right="right", height=0.62, source=windows, fill_color=TOKENS["fault"], fill_alpha="fill",
        line_color=TOKENS["fault"], line_dash="dash",
    )  # fmt: skip
    drawn.text(
        x="x", y="y", text="name", x_offset="offset", text_align="align", text_baseline="middle", source=windows,
        text_color=TOKENS["ink"], text_font_size="12px", text_font=value("system-ui, sans-serif"),
    )  # fmt: skip
    ways = _recovery_source(result, lanes)
    drawn.segment(
        x0="from", x1="to", y0="y", y1="y", source=ways, line_color=TOKENS["recovery"], line_width=2, line_dash="dash"
    )
    marks = drawn.scatter("to", "y", marker="marker", angle="angle", size=11, source=ways, color=TOKENS["recovery"])
    tip = TIP.format("<b>@label @whole</b><br>@when<br>@what<br>@recovery")
    drawn.add_tools(HoverTool(renderers=[bars], tooltips=tip))
    drawn.add_tools(HoverTool(renderers=[marks], tooltips=TIP.format("<b>@label</b> @recovery")))
    return drawn


def _window_source(result: Judged, names: list[str], lanes: list[int], end_s: float) -> ColumnDataSource:
    recoveries = {recovery.window: recovery for recovery in result.recoveries}
    columns: dict[str, list[object]] = defaultdict(list)
    for fault, name, lane in zip(result.faults, names, lanes, strict=True):
        begin_s, to_s = held(fault)
        late = _late(begin_s, name, end_s)
        row = {
            "label": fault.label,
            "left": begin_s,
            "right": to_s,
            "y": lane + 0.36,
            "name": name,
            "whole": _name(fault),
            "fill": 0.32 if fault.acted else 0.0,
            "dash": "solid" if fault.acted else "dashed",
            "when": f"{begin_s:.3f} to {to_s:.3f} s",
            "what": fault.evidence,
            "recovery": recovery_words(recoveries.get(fault.label)),
            "x": to_s if late else begin_s,  # a name near the end is right-aligned, so that it is not cut off
            "align": "right" if late else "left",
            "offset": -6 if late else 6,
        }
        for column, cell in row.items():
            columns[column].append(cell)
    return ColumnDataSource(columns)


def _recovery_source(result: Judged, lanes: list[int]) -> ColumnDataSource:
    windows = {fault.label: (fault.injected_s or 0.0, lane) for fault, lane in zip(result.faults, lanes, strict=True)}
    columns: dict[str, list[object]] = {
        name: [] for name in ("label", "from", "to", "y", "marker", "angle", "dash", "recovery")
    }
    for recovery in result.recoveries:
        if recovery.seconds > 0 and recovery.window in windows:
            begin_s, lane = windows[recovery.window]
            row = {
                "label": recovery.window,
                "from": begin_s,
                "to": begin_s + recovery.seconds,
                "y": lane + 0.86,
                "marker": "triangle" if recovery.censored else "diamond",
                "angle": -math.pi / 2 if recovery.censored else 0.0,
                "dash": "dashed" if recovery.censored else "solid",
                "recovery": recovery_words(recovery),
            }
            for name, cell in row.items():
                columns[name].append(cell)
    return ColumnDataSource(columns)


def _name(fault: FaultWindow) -> str:
    acting = {True: "", False: ": did not act", None: ": did it act?"}
    return f"{fault.text} {' '.join(fault.targets) or fault.selector}{acting[fault.acted]}"


def _names(faults: tuple[FaultWindow, ...]) -> list[str]:
    """The text at each window: its fault and targets, or only its label if there are many windows."""
    return [_name(fault) if len(faults) <= _MAX_NAMES else fault.label for fault in faults]


def _name_s(name: str, end_s: float) -> float:
    """How many seconds of the time axis a name covers on a narrow screen."""
    return (len(name) * _CHARACTER_PX + 12) / _NARROW_PX * end_s


def _late(begin_s: float, name: str, end_s: float) -> bool:
    """Whether a window begins so near the end that its name must be right-aligned to fit."""
    return begin_s + _name_s(name, end_s) > end_s


def _lanes(faults: tuple[FaultWindow, ...], names: list[str], end_s: float) -> list[int]:
    """A lane for each fault, so that no windows or names overlap, even on a narrow screen."""
    free_from_s: list[float] = []
    lanes: list[int] = []
    extents = []
    for fault, name in zip(faults, names, strict=True):
        begin_s, to_s = held(fault)
        name_s = _name_s(name, end_s)
        extents.append(
            (min(begin_s, to_s - name_s), to_s) if _late(begin_s, name, end_s) else (begin_s, max(to_s, begin_s + name_s))
        )
    for from_s, to_s in extents:
        lane = next((lane for lane, free_s in enumerate(free_from_s) if free_s <= from_s), len(free_from_s))
        free_from_s[lane : lane + 1] = [to_s]
        lanes.append(lane)
    return lanes
