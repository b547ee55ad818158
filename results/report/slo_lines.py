"""SLO thresholds as lines in a run's drawings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd
from bokeh.models import Label
from bokeh.plotting import figure

from harness.model.slo import SLO
from results.report.plot_style import TOKENS

_FAR: Final = 30
"""A latency threshold is not drawn if it is more than this many times above or below the longest latency: it would squeeze the
drawing."""


def draw_slos(latency: figure, throughput: figure, slos: Sequence[SLO], ops: pd.DataFrame, end_s: float) -> None:
    """Draw each SLO that one of the drawings has an axis for, with its text."""
    longest_ms = float((ops["done_ns"] - ops["due_ns"]).max()) / 1e6 if len(ops) else 0.0
    for slo in slos:
        if slo.percentile is not None or slo.metric == "max":
            if longest_ms / _FAR <= slo.threshold <= longest_ms * _FAR:
                _line(latency, slo, end_s)
        elif slo.metric == "rate":
            throughput.y_range.end = max(throughput.y_range.end, slo.threshold * 1.08)
            _line(throughput, slo, end_s)


def _line(drawn: figure, slo: SLO, end_s: float) -> None:
    drawn.line([0, end_s], [slo.threshold] * 2, line_color=TOKENS["bad"], line_dash="2 3", line_width=1.5)
    drawn.add_layout(
        Label(
            x=6, x_units="screen", y=slo.threshold, text=slo.text, text_baseline="bottom", text_color=TOKENS["bad"],
            text_font_size="11px", text_font="system-ui, sans-serif",
        )
    )  # fmt: skip
