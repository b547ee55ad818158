"""How many calls each node answered over time: a lane for each node."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, HoverTool, Range1d
from bokeh.plotting import figure

from results.analysis.series import Slots
from results.report.plot_style import TIP, TOKENS, new_figure

_LANE_PX: Final = 20
_MAX_NODES: Final = 12
_AXIS_PX: Final = 76
"""The height of the title above and the axis below."""


def answered_by(ops: pd.DataFrame) -> list[str]:
    """The names of the nodes that answered calls of a load; none if there is only one, or if answers do not name their node."""
    nodes = sorted({str(node) for node in ops.loc[ops["outcome"] == "ok", "node"].dropna().unique() if node})
    return nodes if 1 < len(nodes) <= _MAX_NODES else []


def node_strip(ops: pd.DataFrame, nodes: list[str], slots: Slots, end_s: float) -> figure:
    """Each node's answers per second: the stronger the colour the more, relative to the highest rate of any node."""
    drawn = new_figure("Answered by", _LANE_PX * len(nodes) + _AXIS_PX, end_s, y_range=Range1d(len(nodes), 0))
    drawn.ygrid.visible = False
    drawn.yaxis.ticker = [lane + 0.5 for lane in range(len(nodes))]
    drawn.yaxis.major_label_overrides = {lane + 0.5: node for lane, node in enumerate(nodes)}
    rates = np.array([_rate_per_s(ops[(ops["outcome"] == "ok") & (ops["node"] == node)], slots) for node in nodes])
    lane, slot = np.nonzero(rates)
    source = ColumnDataSource(
        {
            "left": slots.begin_s[slot].astype("float32"),
            "right": (slots.begin_s[slot] + slots.width_s).astype("float32"),
            "top": lane + 0.08,
            "bottom": lane + 0.92,
            "node": [nodes[number] for number in lane],
            "rate": rates[lane, slot].astype("float32"),
            "alpha": (0.12 + 0.88 * rates[lane, slot] / max(float(rates.max()), 1e-9)).round(2).astype("float32"),
        }
    )
    bars = drawn.quad(
        left="left", right="right", top="top", bottom="bottom", fill_alpha="alpha", source=source, fill_color=TOKENS["ok"],
        line_color=None,
    )  # fmt: skip
    drawn.add_tools(HoverTool(renderers=[bars], tooltips=TIP.format("<b>@node</b><br>@left{0.00} s: @rate{0,0.[0]}/s")))
    return drawn


def _rate_per_s(ops: pd.DataFrame, slots: Slots) -> np.ndarray:
    count = len(slots.begin_s)
    ended = np.clip((ops["done_ns"].to_numpy() / (slots.width_s * 1e9)).astype(np.int64), 0, count - 1)
    return np.bincount(ended, minlength=count) / slots.width_s
