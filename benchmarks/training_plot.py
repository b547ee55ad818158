"""The plot of `training_growth.py`: an SVG that needs nothing else, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from training_growth import Cost

_PANEL: Final = (210, 190)
_GAP, _LEFT, _TOP, _BOTTOM = 60, 50, 46, 56
_COLOURS: Final = {2: "#0072b2", 4: "#d55e00", 8: "#009e73"}
"""By the number of ranks; a palette that colour-blind people can tell apart too (Okabe and Ito)."""
_OTHER: Final = "#555555"
_DASHES: Final = {"exact": "", "allreduce": ' stroke-dasharray="5 3"'}
_FIGURES: Final[Sequence[tuple[str, Callable[[Cost], float]]]] = (
    ("step p50, ms", lambda one: one.step_ms),
    ("bytes a step", lambda one: one.bytes_per_step),
    ("SIGKILL to next step, ms", lambda one: one.recovery_ms),
)


class _Axis:
    """A logarithmic axis: the decades that hold all values, laid out over `pixels`."""

    def __init__(self, values: Sequence[float], pixels: float) -> None:
        logs = [math.log10(value) for value in values]
        self.first, self.last = math.floor(min(logs) + 1e-9), math.ceil(max(logs) - 0.01)
        self.last = max(self.last, self.first + 1)
        self._pixels = pixels

    def at(self, value: float) -> float:
        return (math.log10(value) - self.first) / (self.last - self.first) * self._pixels

    def decades(self) -> range:
        return range(self.first, self.last + 1)


def drawn(costs: Sequence[Cost]) -> str:
    """The plot as SVG: one panel per figure, over the parameters, with a line for each number of ranks and way to exchange."""
    width, height = _PANEL
    whole = _LEFT + len(_FIGURES) * (width + _GAP)
    panels = [_panel(costs, name, of, _LEFT + number * (width + _GAP)) for number, (name, of) in enumerate(_FIGURES)]
    legend = _legend(costs, _TOP + height + 46)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {_TOP + height + _BOTTOM}"'
        ' font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join([*panels, legend])
        + "\n</svg>\n"
    )


def _panel(costs: Sequence[Cost], name: str, of: Callable[[Cost], float], left: float) -> str:
    width, height = _PANEL
    shown = [one for one in costs if math.isfinite(of(one))]
    across, up = _Axis([one.parameters for one in shown], width), _Axis([of(one) for one in shown], height)
    parts = [f'<text x="{left}" y="{_TOP - 14}" font-weight="bold">{name}</text>']
    for decade in across.decades():
        x = left + across.at(10.0**decade)
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{_TOP + height}" stroke="#dddddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{_TOP + height + 15}" text-anchor="middle">{_power(decade)}</text>')
    for decade in up.decades():
        y = _TOP + height - up.at(10.0**decade)
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{left + width}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{_power(decade)}</text>')
    parts.append(f'<text x="{left + width / 2}" y="{_TOP + height + 28}" text-anchor="middle">parameters</text>')
    for exchange, ranks in sorted({(one.exchange, one.ranks) for one in shown}):
        line = [one for one in shown if (one.exchange, one.ranks) == (exchange, ranks)]
        points = [(left + across.at(one.parameters), _TOP + height - up.at(of(one))) for one in line]
        colour = _COLOURS.get(ranks, _OTHER)
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="1.8"{_DASHES[exchange]}/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>' for x, y in points]
    return "\n".join(parts)


def _legend(costs: Sequence[Cost], y: float) -> str:
    parts, x = [], float(_LEFT)
    for exchange, ranks in sorted({(one.exchange, one.ranks) for one in costs}):
        stroke = f'stroke="{_COLOURS.get(ranks, _OTHER)}" stroke-width="1.8"{_DASHES[exchange]}'
        parts.append(f'<line x1="{x}" y1="{y - 4}" x2="{x + 24}" y2="{y - 4}" {stroke}/>')
        parts.append(f'<text x="{x + 29}" y="{y}">{exchange}, {ranks} ranks</text>')
        x += 130
    return "\n".join(parts)


def _power(decade: int) -> str:
    return f'10<tspan dy="-4" font-size="8">{decade}</tspan>'
