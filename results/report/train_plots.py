"""A training on one time axis: its faults, each rank's step, and how long steps took."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import numpy as np
from bokeh.embed import json_item
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, HoverTool, LogTicker, NumeralTickFormatter
from bokeh.plotting import figure

from harness.model.rank_process import RankProcess
from results.analysis.lineage import place
from results.record.train_result import TrainResult
from results.report.fault_strip import fault_strip
from results.report.plot_style import TIP, TOKENS, new_figure, style
from results.report.plots import Plot
from results.report.train_phrasing import colour_of

_POINTS: Final = 4000


def plot_training(result: TrainResult, processes: Sequence[RankProcess]) -> Plot:
    """Draw a training; time counts from the beginning of its first step."""
    first_ns = min((one.steps[0].begun_ns for one in processes if one.steps), default=0)
    rows = _rows(processes, first_ns)
    end_s = max([float(rows["x"].max(initial=1e-3)), *(one.healed_s or one.from_s for one in result.faults)])
    position = new_figure("Step", 180, end_s)
    position.xaxis.visible = False
    durations = new_figure("Time of a step, ms", 220, end_s, y_axis_type="log")
    durations.yaxis.formatter = NumeralTickFormatter(format="0,0.[00]")
    durations.yaxis.ticker = LogTicker(desired_num_ticks=6)
    durations.xaxis.axis_label = "seconds since the first step began"
    for rank in range(result.ranks):
        chosen = rows["rank"] == rank
        colour = TOKENS[colour_of(rank)]
        for drawn, height in ((position, "step"), (durations, "ms")):
            shown = chosen & (rows["ms"] > 0) if height == "ms" else chosen
            source = ColumnDataSource({name: values[shown] for name, values in rows.items()})
            dots = drawn.scatter("x", height, source=source, size=4, line_alpha=0, fill_color=colour, fill_alpha=0.6)
            drawn.add_tools(
                HoverTool(renderers=[dots], tooltips=TIP.format("rank@rank, step @step<br>@x{0.000} s, @ms{0,0.00} ms"))
            )
    figures: list[figure] = [position, durations]
    if result.faults:
        figures.insert(0, fault_strip(result, end_s))
    for drawn in figures:
        drawn.x_range = position.x_range
        style(drawn)
    layout = column(figures, sizing_mode="stretch_width", spacing=0)
    sampled = f"Every dot is a step of a rank. {'One in some steps is shown.' if _stride(processes) > 1 else ''}"
    return Plot(
        item=json.dumps(json_item(layout), separators=(",", ":")), height=sum(one.height for one in figures), sampled=sampled
    )


def _stride(processes: Sequence[RankProcess]) -> int:
    return 1 + sum(len(one.steps) for one in processes) // _POINTS


def _rows(processes: Sequence[RankProcess], first_ns: int) -> dict[str, np.ndarray]:
    stride = _stride(processes)
    found = [
        (
            one.process.rank,
            (one.start or 0) + number,
            (step.done_ns - first_ns) / 1e9,
            (step.done_ns - step.begun_ns) / 1e6 if number else 0.0,  # how long a process's first step took is not known
        )
        for one in place(processes)
        for number, step in enumerate(one.process.steps)
        if number % stride == 0
    ]
    rank, step, x, ms = zip(*found, strict=True) if found else ((), (), (), ())
    return {"rank": np.array(rank), "step": np.array(step), "x": np.array(x), "ms": np.array(ms)}
