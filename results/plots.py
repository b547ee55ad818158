"""A run on one time axis: what was done to the system, the latency of its operations, how many it answered.

Bokeh draws. Colours are tokens, replaced in the browser by those of the page's light or dark scheme.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from bokeh.core.properties import value
from bokeh.embed import json_item
from bokeh.events import DoubleTap
from bokeh.layouts import column
from bokeh.models import (
    BoxAnnotation,
    BoxZoomTool,
    ColumnDataSource,
    CustomJS,
    HoverTool,
    LogTicker,
    NumeralTickFormatter,
    Range1d,
    Span,
    WheelZoomTool,
)
from bokeh.plotting import figure

from harness.history import History
from results.result import FaultResult, Result
from results.series import OUTCOMES, Slots, sample, slots_of
from results.words import operation, recovery_words

TOKENS: Final = {
    "ink": "#0a0b01",
    "faint": "#0a0b02",
    "line": "#0a0b03",
    "ok": "#0a0b04",
    "failed": "#0a0b05",
    "unknown": "#0a0b06",
    "p50": "#0a0b07",
    "p99": "#0a0b08",
    "fault": "#0a0b09",
    "recovery": "#0a0b0a",
}
"""Colours that stand for the page's CSS variables of the same names."""

_MARKERS: Final = {"ok": "circle", "failed": "x", "unknown": "triangle"}
_OK_SHARE: Final = 0.6
"""How many of the operations shown may be ok ones, where all do not fit."""
_LEFT, _RIGHT = 62, 14
_TIP: Final = "<div style='max-width:300px;white-space:normal;overflow-wrap:anywhere;font:12px system-ui'>{}</div>"


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A drawing for the browser, and what it left out."""

    item: str
    """JSON for `Bokeh.embed.embed_item`, without a target."""
    height: int
    """In pixels."""
    sampled: str
    """One sentence on what is shown where that is not everything, else empty."""


def plot_run(result: Result, history: History, points: int) -> Plot:
    """Draw a run with at most so many operations."""
    ops = history.load
    ends_s = [1e-3] + [at_ns / 1e9 for at_ns in (ops["due_ns"].max(), ops["done_ns"].max()) if len(ops)]
    ends_s += [fault.healed_s or fault.to_s for fault in result.faults]
    end_s = max(ends_s)
    shown = _shown(ops, points)
    slots = slots_of(ops, end_s)
    latency, throughput = _latency(shown, slots, result, end_s), _throughput(slots, end_s)
    figures = [latency, throughput]
    if result.faults:
        figures.insert(0, _faults(result, end_s))
    for drawn in figures:
        drawn.x_range = latency.x_range
        _mark_windows(drawn, result)
        _style(drawn)
    throughput.xaxis.axis_label = "seconds since the load began"
    throughput.xaxis.visible = True
    layout = column(figures, sizing_mode="stretch_width", spacing=0)
    return Plot(
        item=json.dumps(json_item(layout), separators=(",", ":")),
        height=sum(drawn.height for drawn in figures),
        sampled=_what_is_shown(ops, shown),
    )


def _shown(ops: pd.DataFrame, points: int) -> dict[str, pd.DataFrame]:
    by_outcome = {name: ops[ops["outcome"] == name] for name in OUTCOMES}
    other = len(ops) - len(by_outcome["ok"])
    room = {"ok": max(points - other, int(points * _OK_SHARE))}
    left = points - min(len(by_outcome["ok"]), room["ok"])
    for name in ("failed", "unknown"):
        room[name] = max(left * len(by_outcome[name]) // max(other, 1), 1)
    return {name: sample(rows, room[name]) for name, rows in by_outcome.items()}


def _what_is_shown(ops: pd.DataFrame, shown: dict[str, pd.DataFrame]) -> str:
    parts = []
    for name, rows in shown.items():
        of = int((ops["outcome"] == name).sum())
        if len(rows) < of:
            parts.append(f"{len(rows):,} of {of:,} {name} operations (the slowest, and a fair sample of the rest)")
        elif of:
            parts.append(f"all {of:,} {name}")
    return f"Shown: {', '.join(parts)}. Lines and figures are from all." if any(" of " in part for part in parts) else ""


def _figure(title: str, height: int, end_s: float, **other: object) -> figure:
    drawn = figure(
        title=title,
        height=height,
        sizing_mode="stretch_width",
        x_range=Range1d(-0.005 * end_s, 1.005 * end_s, bounds=(-0.02 * end_s, 1.02 * end_s)),
        toolbar_location=None,
        tools=[],
        min_border_left=_LEFT,
        min_border_right=_RIGHT,
        output_backend="canvas",
        **other,
    )
    zoom = BoxZoomTool(dimensions="width")
    drawn.add_tools(zoom, WheelZoomTool(dimensions="width", modifiers="ctrl"))
    drawn.toolbar.active_drag = zoom
    drawn.toolbar.active_scroll = drawn.tools[1]
    drawn.js_on_event(DoubleTap, CustomJS(args={"range": drawn.x_range}, code="export default ({range}) => range.reset()"))
    return drawn


def _style(drawn: figure) -> None:
    drawn.background_fill_color = drawn.border_fill_color = None
    drawn.outline_line_color = None
    drawn.title.text_color = TOKENS["ink"]
    drawn.title.text_font_size = "12px"
    drawn.title.text_font = "system-ui, sans-serif"
    drawn.title.offset = -_LEFT + 4
    drawn.grid.grid_line_color = TOKENS["line"]
    for axis in drawn.axis:
        axis.axis_line_color = axis.major_tick_line_color = TOKENS["line"]
        axis.minor_tick_line_color = None
        axis.major_label_text_color = axis.axis_label_text_color = TOKENS["faint"]
        axis.major_label_text_font = axis.axis_label_text_font = "system-ui, sans-serif"
        axis.major_label_text_font_size = axis.axis_label_text_font_size = "11px"
        axis.axis_label_text_font_style = "normal"


def _mark_windows(drawn: figure, result: Result) -> None:
    """Shade the time of every fault, and draw a line where service had recovered from it."""
    for fault in result.faults:
        begin_s, end_s = _held(fault)
        drawn.add_layout(
            BoxAnnotation(
                left=begin_s, right=end_s, fill_color=TOKENS["fault"], fill_alpha=0.08, line_color=None, level="underlay"
            )
        )
    for at_s in {at_s for at_s in _recovered_at_s(result).values() if at_s is not None}:
        line = Span(location=at_s, dimension="height", line_color=TOKENS["recovery"], line_dash="4 3", line_width=1.5)
        drawn.add_layout(line)


def _held(fault: FaultResult) -> tuple[float, float]:
    """From when to when a fault was in effect, or was meant to be where it never was."""
    begin_s = fault.from_s if fault.injected_s is None else fault.injected_s
    return begin_s, max(fault.to_s if fault.healed_s is None else fault.healed_s, begin_s)


def _recovered_at_s(result: Result) -> dict[str, float | None]:
    """When service had recovered from each window; None where that was not seen, or where nothing was interrupted."""
    injected_s = {fault.label: fault.injected_s for fault in result.faults}
    found: dict[str, float | None] = {}
    for recovery in result.recoveries:
        begin_s = injected_s.get(recovery.window)
        seen = begin_s is not None and not recovery.censored and recovery.seconds > 0
        found[recovery.window] = begin_s + recovery.seconds if seen and begin_s is not None else None
    return found


def _faults(result: Result, end_s: float) -> figure:
    lanes = _lanes(result.faults)
    count = max(lanes) + 1
    drawn = _figure("Faults", 30 * count + 34, end_s, y_range=Range1d(count, 0))
    drawn.axis.visible = False
    drawn.ygrid.visible = False
    held = [_held(fault) for fault in result.faults]
    recovered_s = _recovered_at_s(result)
    recoveries = {recovery.window: recovery for recovery in result.recoveries}
    names = [f"{fault.kind} {' '.join(fault.targets) or fault.selector}" for fault in result.faults]
    near_end = [begin_s > 0.6 * end_s for begin_s, _ in held]
    acting = {True: "acted", False: "did not act", None: "not known to have acted"}
    source = ColumnDataSource(
        {
            "left": [begin_s for begin_s, _ in held],
            "right": [to_s for _, to_s in held],
            "y": [lane + 0.5 for lane in lanes],
            "name": [
                name if fault.acted else f"{name} · {acting[fault.acted]}"
                for name, fault in zip(names, result.faults, strict=True)
            ],
            "fill": [0.32 if fault.acted else 0.0 for fault in result.faults],
            "dash": ["solid" if fault.acted else "dashed" for fault in result.faults],
            "when": [f"{begin_s:.3f} to {to_s:.3f} s" for begin_s, to_s in held],
            "what": [fault.evidence for fault in result.faults],
            "recovery": [recovery_words(recoveries.get(fault.label)) for fault in result.faults],
            "x": [to_s if late else begin_s for (begin_s, to_s), late in zip(held, near_end, strict=True)],
            "align": ["right" if late else "left" for late in near_end],
            "offset": [-6 if late else 6 for late in near_end],
        }
    )
    bars = drawn.hbar(
        y="y", left="left", right="right", height=0.78, source=source, fill_color=TOKENS["fault"], fill_alpha="fill",
        line_color=TOKENS["fault"], line_dash="dash",
    )  # fmt: skip
    drawn.text(
        x="x", y="y", text="name", x_offset="offset", text_align="align", text_baseline="middle", source=source,
        text_color=TOKENS["ink"], text_font_size="12px", text_font=value("system-ui, sans-serif"),
    )  # fmt: skip
    marks = [(recovered_s.get(fault.label), lane + 0.5) for fault, lane in zip(result.faults, lanes, strict=True)]
    seen = [(at_s, y) for at_s, y in marks if at_s is not None]
    drawn.scatter(x=[at_s for at_s, _ in seen], y=[y for _, y in seen], marker="diamond", size=13, color=TOKENS["recovery"])
    tip = _TIP.format("<b>@name</b><br>@when<br>@what<br>@recovery")
    drawn.add_tools(HoverTool(renderers=[bars], tooltips=tip))
    return drawn


def _lanes(faults: tuple[FaultResult, ...]) -> list[int]:
    """A lane for each fault, so that none covers another."""
    free_from_s: list[float] = []
    lanes = []
    for fault in faults:
        begin_s, end_s = _held(fault)
        lane = next((lane for lane, free_s in enumerate(free_from_s) if free_s <= begin_s), len(free_from_s))
        free_from_s[lane : lane + 1] = [end_s]
        lanes.append(lane)
    return lanes


def _latency(shown: dict[str, pd.DataFrame], slots: Slots, result: Result, end_s: float) -> figure:
    drawn = _figure("Latency of every operation, from when it was due (ms)", 280, end_s, y_axis_type="log")
    drawn.yaxis.formatter = NumeralTickFormatter(format="0,0.[000]")
    drawn.yaxis.ticker = LogTicker(desired_num_ticks=6)
    drawn.xaxis.visible = False
    suspects = {op for check in result.checks if check.valid is False for op in check.ops}
    points = []
    for name, rows in shown.items():
        source = _points(rows)
        ringed = [number for number, op in enumerate(rows.index) if op in suspects]
        points.append(
            drawn.scatter(
                "x",
                "y",
                source=source,
                marker=_MARKERS[name],
                size=4 if name == "ok" else 7,
                line_color=TOKENS[name],
                line_alpha=0.0 if name == "ok" else 0.9,
                line_width=1.5,
                fill_color=None if name == "failed" else TOKENS[name],
                fill_alpha=0.35,
            )
        )
        if ringed:
            data = {axis: np.asarray(source.data[axis])[ringed] for axis in ("x", "y")}
            drawn.scatter(**data, marker="circle", size=14, fill_color=None, line_color=TOKENS["failed"], line_width=2)
    for name, values in (("p50", slots.p50_ms), ("p99", slots.p99_ms)):
        x, y = _steps(slots, values)
        drawn.line(x, y, line_color=TOKENS[name], line_width=2, line_dash="solid" if name == "p50" else "6 2")
    tip = _TIP.format("<b>operation @op</b>, @outcome<br>@what<br>due @x{0.000} s, took @y{0,0.000} ms<br>@error")
    drawn.add_tools(HoverTool(renderers=points, tooltips=tip, point_policy="follow_mouse", attachment="horizontal"))
    return drawn


def _points(rows: pd.DataFrame) -> ColumnDataSource:
    latency_ms = (rows["done_ns"] - rows["due_ns"]).to_numpy() / 1e6
    whats = zip(*(rows[name].tolist() for name in ("kind", "key", "value", "expected")), strict=True)
    return ColumnDataSource(
        {
            "x": (rows["due_ns"].to_numpy() / 1e9).astype("float32"),
            "y": np.maximum(latency_ms, 1e-3).astype("float32"),
            "op": rows.index.to_numpy().astype("int32"),
            "outcome": rows["outcome"].astype(str).tolist(),
            "what": [operation(*what) for what in whats],
            "error": rows["error"].fillna("").tolist(),
        }
    )


def _steps(slots: Slots, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A line that is level over each slot and broken where a slot has no value."""
    x = np.column_stack((slots.begin_s, slots.begin_s + slots.width_s)).ravel().astype("float32")
    return x, np.repeat(values, 2).astype("float32")


def _throughput(slots: Slots, end_s: float) -> figure:
    drawn = _figure("Calls a second, by when they ended", 150, end_s, y_range=Range1d(0, 1))
    tallest = sum(slots.rate_per_s[name] for name in OUTCOMES)
    drawn.y_range.end = max(float(np.max(tallest)) * 1.08, 1.0)
    drawn.yaxis.formatter = NumeralTickFormatter(format="0,0")
    drawn.yaxis.ticker.desired_num_ticks = 4
    source = ColumnDataSource(
        {"x": slots.begin_s + slots.width_s / 2, **{name: slots.rate_per_s[name].astype("float32") for name in OUTCOMES}}
    )
    bars = drawn.vbar_stack(
        list(OUTCOMES), x="x", width=slots.width_s, source=source, color=[TOKENS[name] for name in OUTCOMES], line_color=None,
        fill_alpha=0.8,
    )  # fmt: skip
    tip = _TIP.format("@x{0.00} s<br>ok @ok{0,0}/s<br>failed @failed{0,0}/s<br>unknown @unknown{0,0}/s")
    drawn.add_tools(HoverTool(renderers=bars[:1], tooltips=tip, mode="vline"))
    return drawn
