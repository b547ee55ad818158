"""The common style of all drawings: they zoom along time only, and their colours are tokens for the page's colour scheme."""

from __future__ import annotations

from typing import Final

from bokeh.events import DoubleTap
from bokeh.models import BoxZoomTool, CustomJS, Range1d, WheelZoomTool
from bokeh.plotting import figure

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
    "bad": "#0a0b0b",
}
"""Colours that stand for the page's CSS variables of the same names."""

TIME: Final = "time"
"""The name of the range that all drawings of a run share; the page zooms it."""

_LEFT, _RIGHT = 62, 14
TIP: Final = "<div style='max-width:300px;white-space:normal;overflow-wrap:anywhere;font:12px system-ui'>{}</div>"
"""The frame of a tooltip; Bokeh escapes the values put into it."""


def new_figure(title: str, height: int, end_s: float, **other: object) -> figure:
    """An empty drawing of the time from 0 to `end_s`."""
    drawn = figure(
        title=title,
        height=height,
        sizing_mode="stretch_width",
        x_range=Range1d(-0.005 * end_s, 1.005 * end_s, name=TIME, bounds=(-0.02 * end_s, 1.02 * end_s)),
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
    drawn.js_on_event(DoubleTap, CustomJS(code="export default (_, event) => event.origin.x_range.reset()"))
    return drawn


def style(drawn: figure) -> None:
    """Give a finished drawing the page's look."""
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
