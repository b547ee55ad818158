"""A training's steps on a run's time axis: when each node had done which step, and the loss after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.plotting import figure

from harness.model.history import CONTROL
from results.report.plot_style import TIP, TOKENS, new_figure
from results.report.train_phrasing import colour_of

_POINTS: Final = 4000


def trained_nodes(steps: pd.DataFrame) -> list[str]:
    """The names of the nodes that did steps, without the undisturbed control."""
    return sorted(set(steps["node"]) - {CONTROL})


def lines(nodes: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Each node with its colour in the drawing."""
    return tuple((node, colour_of(number)) for number, node in enumerate(nodes))


def step_figures(steps: pd.DataFrame, end_s: float) -> list[figure]:
    """A drawing of the steps done, and one of the loss; none if nothing was trained.

    A node that stands still leaves a gap; a node that was set back continues from a lower step.
    """
    nodes = trained_nodes(steps)
    done = steps[(steps["done_ns"].notna() & (steps["node"] != CONTROL)).to_numpy(dtype=bool)]
    if done.empty:
        return []
    done = done.iloc[:: 1 + len(done) // _POINTS]
    position, loss = new_figure("Step done", 150, end_s), new_figure("Loss", 130, end_s)
    tip = TIP.format("<b>@node</b>, step @step of generation @generation<br>done @x{0.000} s, took @ms{0,0.0} ms<br>loss @loss")
    for node, colour in lines(nodes):
        own = done[(done["node"] == node).to_numpy(dtype=bool)]
        source = _source(own)
        for drawn, height in ((position, "step"), (loss, "loss")):
            dots = drawn.scatter("x", height, source=source, size=4, line_alpha=0, fill_color=TOKENS[colour], fill_alpha=0.6)
            drawn.add_tools(HoverTool(renderers=[dots], tooltips=tip))
    position.xaxis.visible = loss.xaxis.visible = False
    return [position, loss] if done["loss"].notna().any() else [position]


def _source(steps: pd.DataFrame) -> ColumnDataSource:
    begun_ns = steps["begun_ns"].fillna(steps["done_ns"])
    return ColumnDataSource(
        {
            "x": (steps["done_ns"].to_numpy(dtype=np.float64) / 1e9).astype("float32"),
            "step": steps["step"].to_numpy(dtype=np.int32),
            "loss": steps["loss"].to_numpy(dtype=np.float64, na_value=np.nan).astype("float32"),
            "ms": ((steps["done_ns"] - begun_ns).to_numpy(dtype=np.float64) / 1e6).astype("float32"),
            "generation": steps["generation"].to_numpy(dtype=np.int32),
            "node": steps["node"].tolist(),
        }
    )
