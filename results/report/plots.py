"""A run on one time axis: its faults, the latency of its operations, and its throughput."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from bokeh.embed import json_item
from bokeh.layouts import column
from bokeh.models import (
    BoxAnnotation,
    ColumnDataSource,
    HoverTool,
    LogTicker,
    NumeralTickFormatter,
    Range1d,
    Span,
)
from bokeh.plotting import figure

from harness.model.history import History
from harness.model.slo import SLO
from results.analysis.series import OUTCOMES, Slots, sample, slots_of
from results.record.result import Result
from results.report.fault_strip import fault_strip, held
from results.report.node_strip import answered_by, node_strip
from results.report.phrasing import operation
from results.report.plot_style import TIP, TOKENS, new_figure, style
from results.report.slo_lines import draw_slos
from results.report.step_plots import step_figures

_MARKERS: Final = {"ok": "circle", "failed": "x", "unknown": "triangle"}
_SUSPECTS: Final = 200
"""The most operations of one check that are ringed."""
_OK_SHARE: Final = 0.6
"""The least share of the drawing's room that ok operations get if not all fit."""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A drawing for the browser, and what it left out."""

    item: str
    """JSON for `Bokeh.embed.embed_item`, without a target."""
    height: int
    """In pixels."""
    sampled: str
    """One sentence on what is shown, if that is not everything; else empty."""


def plot_run(result: Result, history: History, points: int) -> Plot:
    """Draw a run with at most about `points` operations."""
    ops = history.load
    ends_s = [1e-3] + [at_ns / 1e9 for at_ns in (ops["due_ns"].max(), ops["done_ns"].max()) if len(ops)]
    ends_s += [fault.healed_s or fault.to_s for fault in result.faults]
    end_s = max(ends_s)
    suspects = _suspects(result)
    shown = _shown(ops, points, suspects)
    slots = slots_of(ops, end_s)
    slos = [SLO.parse(slo.text) for slo in result.slos]
    latency, throughput = _latency(shown, slots, suspects, end_s), _throughput(slots, end_s)
    draw_slos(latency, throughput, slos, ops, end_s)
    nodes = answered_by(ops)
    steps = step_figures(history.steps, end_s)
    figures = [*steps, latency, throughput, *([node_strip(ops, nodes, slots, end_s)] if nodes else [])]
    for drawn in figures:
        _mark_windows(drawn, result)
    if result.faults:
        figures.insert(0, fault_strip(result, end_s))
    for drawn in figures:
        drawn.x_range = latency.x_range
        _mark_recoveries(drawn, result)
        style(drawn)
    throughput.xaxis.visible = not nodes
    figures[-1].xaxis.axis_label = "seconds since the load began"
    layout = column(figures, sizing_mode="stretch_width", spacing=0)
    return Plot(
        item=json.dumps(json_item(layout), separators=(",", ":")),
        height=sum(drawn.height for drawn in figures),
        sampled=_what_is_shown(ops, shown),
    )


def _suspects(result: Result) -> set[int]:
    """The operations that checks point at, as many as a drawing can distinguish."""
    return {op for check in result.checks if check.valid is not True for op in check.ops[:_SUSPECTS]}


def _shown(ops: pd.DataFrame, points: int, suspects: set[int]) -> dict[str, pd.DataFrame]:
    """By outcome, the operations to draw: those that a check points at, and as many others as there is room for."""
    by_outcome = {name: ops[ops["outcome"] == name] for name in OUTCOMES}
    other = len(ops) - len(by_outcome["ok"])
    room = {"ok": max(points - other, int(points * _OK_SHARE))}
    left = points - min(len(by_outcome["ok"]), room["ok"])
    for name in ("failed", "unknown"):
        room[name] = max(left * len(by_outcome[name]) // max(other, 1), 1)
    return {name: sample(rows, room[name], suspects) for name, rows in by_outcome.items()}


def _what_is_shown(ops: pd.DataFrame, shown: dict[str, pd.DataFrame]) -> str:
    parts = []
    for name, rows in shown.items():
        of = int((ops["outcome"] == name).sum())
        if len(rows) < of:
            parts.append(f"{len(rows):,} of {of:,} {name} operations (the slowest, and a fair sample of the rest)")
        elif of:
            parts.append(f"all {of:,} {name}")
    return f"Shown: {', '.join(parts)}. Lines and figures are from all." if any(" of " in part for part in parts) else ""


def _mark_windows(drawn: figure, result: Result) -> None:
    """Shade the time of every fault."""
    for fault in result.faults:
        begin_s, end_s = held(fault)
        shade = BoxAnnotation(left=begin_s, right=end_s, fill_color=TOKENS["fault"], fill_alpha=0.08, line_color=None)
        shade.level = "underlay"
        drawn.add_layout(shade)


def _mark_recoveries(drawn: figure, result: Result) -> None:
    """Draw a line at the time when service had recovered from a fault that interrupted it."""
    injected_s = {fault.label: fault.injected_s for fault in result.faults}
    for recovery in result.recoveries:
        begin_s = injected_s.get(recovery.window)
        if begin_s is not None and recovery.seconds > 0 and not recovery.censored:
            at_s = begin_s + recovery.seconds
            drawn.add_layout(
                Span(location=at_s, dimension="height", line_color=TOKENS["recovery"], line_dash="4 3", line_width=1.5)
            )


def _latency(shown: dict[str, pd.DataFrame], slots: Slots, suspects: set[int], end_s: float) -> figure:
    drawn = new_figure("Latency, ms", 280, end_s, y_axis_type="log")
    drawn.yaxis.formatter = NumeralTickFormatter(format="0,0.[000]")
    drawn.yaxis.ticker = LogTicker(desired_num_ticks=6)
    drawn.xaxis.visible = False
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
    tip = TIP.format("<b>operation @op</b>, @outcome<br>@what<br>due @x{0.000} s, took @y{0,0.000} ms<br>@error")
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
    """A line that is constant within each slot and interrupted at slots without a value."""
    x = np.column_stack((slots.begin_s, slots.begin_s + slots.width_s)).ravel().astype("float32")
    return x, np.repeat(values, 2).astype("float32")


def _throughput(slots: Slots, end_s: float) -> figure:
    tallest_per_s = float(np.sum([slots.rate_per_s[name] for name in OUTCOMES], axis=0).max())
    top = Range1d(0, max(tallest_per_s * 1.08, 1.0))
    drawn = new_figure("Calls a second", 150, end_s, y_range=top)
    drawn.yaxis.formatter = NumeralTickFormatter(format="0,0")
    drawn.yaxis.ticker.desired_num_ticks = 4
    levels = np.cumsum([np.zeros(len(slots.begin_s)), *(slots.rate_per_s[name] for name in OUTCOMES)], axis=0)
    edges = np.append(slots.begin_s, slots.begin_s[-1] + slots.width_s)
    for name, below, above in zip(OUTCOMES, levels, levels[1:], strict=False):
        low, high = np.append(below, below[-1]), np.append(above, above[-1])
        drawn.varea_step(x=edges, y1=low, y2=high, step_mode="after", fill_color=TOKENS[name], fill_alpha=0.8)
    rates = {name: slots.rate_per_s[name].astype("float32") for name in OUTCOMES}
    source = ColumnDataSource({"x": slots.begin_s + slots.width_s / 2, "top": levels[-1], **rates})
    unseen = drawn.vbar(x="x", top="top", width=slots.width_s, source=source, fill_alpha=0, line_alpha=0)
    tip = TIP.format("@x{0.00} s<br>ok @ok{0,0}/s<br>failed @failed{0,0}/s<br>unknown @unknown{0,0}/s")
    drawn.add_tools(HoverTool(renderers=[unseen], tooltips=tip, mode="vline"))
    return drawn
