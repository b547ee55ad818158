"""A load on one time axis: latency percentiles and the number of calls that ended, interval by interval."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import numpy as np
from bokeh.embed import json_item
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, HoverTool, LogTicker, NumeralTickFormatter, Range1d, Span
from bokeh.plotting import figure
from numpy.typing import NDArray

from harness.model.slo import SLO
from results.analysis.series import OUTCOMES
from results.record.load_result import Interval, LoadResult
from results.report.plot_style import TIP, TOKENS, new_figure, style
from results.report.plots import Plot

_LINES: Final = {"p50": ("p50", "solid", 2.0), "p99": ("p99", "6 2", 2.0), "p999": ("p99", "2 2", 1.5)}
"""By percentile, its line's colour token, dashes and width."""

Values = NDArray[np.float32]


def plot_load(result: LoadResult) -> Plot:
    """Draw the series of a load."""
    end_s = max([result.seconds, *(interval.to_s for interval in result.series), 1e-3])
    latency, rate = _latency(result, end_s), _rate(result.series, end_s)
    rate.x_range = latency.x_range
    for drawn in (latency, rate):
        style(drawn)
    layout = column([latency, rate], sizing_mode="stretch_width", spacing=0)
    item = json.dumps(json_item(layout), separators=(",", ":"))
    return Plot(item=item, height=latency.height + rate.height, sampled="Lines are of the calls that ended in each interval.")


def _latency(result: LoadResult, end_s: float) -> figure:
    figures = {name: _column(result.series, f"{name}_ms") for name in _LINES}
    top = np.fmax.reduce([np.full(len(result.series), 1e-3, np.float32), *figures.values()])
    lowest = float(np.nanmin(figures["p50"], initial=np.inf)) if np.isfinite(figures["p50"]).any() else 1e-3
    y_range = Range1d(lowest / 2, max(float(top.max(initial=1e-3)), *_thresholds(result), lowest) * 2)
    drawn = new_figure("Latency, ms", 280, end_s, y_axis_type="log", y_range=y_range)
    drawn.yaxis.formatter = NumeralTickFormatter(format="0,0.[000]")
    drawn.yaxis.ticker = LogTicker(desired_num_ticks=6)
    drawn.xaxis.visible = False
    x = _edges(result.series)
    for name, (token, dash, width) in _LINES.items():
        y = np.repeat(_column(result.series, f"{name}_ms"), 2)
        drawn.line(x, y, line_color=TOKENS[token], line_width=width, line_dash=dash)
    for threshold in _thresholds(result):
        mark = Span(location=threshold, dimension="width", line_color=TOKENS["failed"], line_dash="4 4", line_width=1)
        drawn.add_layout(mark)
    tip = "p50 @p50{0,0.000} ms<br>p99 @p99{0,0.000} ms<br>p99.9 @p999{0,0.000} ms"
    _hover(drawn, result.series, {**figures, "top": top}, tip)
    return drawn


def _thresholds(result: LoadResult) -> list[float]:
    """The thresholds of latency SLOs, in milliseconds."""
    slos = [SLO.parse(slo.text) for slo in result.slos]
    return [slo.threshold for slo in slos if slo.percentile is not None or slo.metric == "max"]


def _rate(series: Sequence[Interval], end_s: float) -> figure:
    widths = np.array([interval.to_s - interval.from_s for interval in series])
    rates = {name: np.array([getattr(interval, name) for interval in series]) / widths for name in OUTCOMES}
    levels = np.cumsum([np.zeros(len(series)), *rates.values()], axis=0)
    top = float(levels[-1].max(initial=0))
    drawn = new_figure("Calls a second", 150, end_s, y_range=Range1d(0, max(top * 1.08, 1.0)))
    drawn.yaxis.formatter = NumeralTickFormatter(format="0,0")
    drawn.yaxis.ticker.desired_num_ticks = 4
    for name, below, above in zip(OUTCOMES, levels, levels[1:], strict=False):
        low, high = np.repeat(below, 2), np.repeat(above, 2)
        drawn.varea(x=_edges(series), y1=low, y2=high, fill_color=TOKENS[name], fill_alpha=0.8)
    tip = "ok @ok{0,0}/s<br>failed @failed{0,0}/s<br>unknown @unknown{0,0}/s"
    _hover(drawn, series, {**rates, "top": levels[-1]}, tip)
    drawn.xaxis.axis_label = "seconds since the load began"
    return drawn


def _hover(drawn: figure, series: Sequence[Interval], columns: dict[str, Values], tip: str) -> None:
    """Invisible bars, one for each interval, to hover over."""
    middle = np.array([(interval.from_s + interval.to_s) / 2 for interval in series])
    width = np.array([interval.to_s - interval.from_s for interval in series])
    source = ColumnDataSource({"x": middle, "width": width, **columns})
    unseen = drawn.vbar(x="x", top="top", bottom=1e-6, width="width", source=source, fill_alpha=0, line_alpha=0)
    drawn.add_tools(HoverTool(renderers=[unseen], tooltips=TIP.format("@x{0.00} s<br>" + tip), mode="vline"))


def _edges(series: Sequence[Interval]) -> Values:
    """Both ends of each interval, for lines that are constant within it."""
    return np.array([edge for interval in series for edge in (interval.from_s, interval.to_s)], np.float32)


def _column(series: Sequence[Interval], name: str) -> Values:
    return np.array([np.nan if (value := getattr(one, name)) is None else value for one in series], np.float32)
