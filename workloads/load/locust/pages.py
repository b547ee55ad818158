"""Changes to locust's own pages: the load is in requests per second, and reports show the fault windows."""

from __future__ import annotations

import time
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Final

import msgspec

_MARKS: Final = Path(__file__).with_name("page") / "marks.js"
_TRIES: Final = 40
"""How often a report looks for its charts, four times a second, until they are drawn."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A fault window as it is drawn. Times are milliseconds since 1970; `to_ms` is None while it holds."""

    from_ms: float
    to_ms: float | None
    text: str
    """The fault and its target."""
    seen: str
    """Whether it was seen to act, and what was seen."""


def in_requests(text: str, per_user: float) -> str:
    """Locust's page or code with its words for users replaced: here one user is just `per_user` requests per second."""
    unit = "requests/s" if per_user == 1 else f"units of {per_user:g} requests/s"
    words = {
        "Number of users (peak concurrency)": f"Rate, in {unit}",
        "Ramp up (users started/second)": "Ramp up (as much more each second)",
        "children:`Users`": f"children:`{unit[:1].upper()}{unit[1:]} asked`",
        "Number of Users": f"{unit[:1].upper()}{unit[1:]} asked",
    }
    for locusts, ours in words.items():
        text = text.replace(locusts, ours)
    return text


def with_marks(report: str, windows: list[Mark]) -> str:
    """Locust's report with the fault windows, marked on its charts (open ones until now) and in a table below."""
    if not windows:
        return report
    now_ms = time.time() * 1e3
    ended = [one if one.to_ms is not None else msgspec.structs.replace(one, to_ms=now_ms) for one in windows]
    data = msgspec.json.encode(ended).decode().replace("<", "\\u003c")
    marks = _MARKS.read_text(encoding="utf-8")
    script = (
        f"<script>{marks}\nlet tries = {_TRIES};\nconst drawn = setInterval(() => {{"
        f" markFaults({data}); if (--tries === 0) clearInterval(drawn); }}, 250);</script>"
    )
    before, end, after = report.rpartition("</body>")
    return f"{before}{_table(windows)}{script}{end}{after}" if end else report


def _table(windows: list[Mark]) -> str:
    rows = "".join(
        f"<tr><td>{_clock(one.from_ms)}</td><td>{_clock(one.to_ms)}</td><td>{escape(one.text)}</td><td>{escape(one.seen)}</td></tr>"
        for one in windows
    )
    style = "max-width:1200px;margin:0 auto 48px;padding:0 24px;font:14px/1.5 Roboto,Helvetica,Arial,sans-serif"
    return (
        f'<section id="harness-faults" style="{style}"><h2>Faults</h2><table style="border-spacing:16px 4px;text-align:left">'
        f"<tr><th>began</th><th>ended</th><th>fault</th><th>seen</th></tr>{rows}</table></section>"
    )


def _clock(at_ms: float | None) -> str:
    return "" if at_ms is None else f"{datetime.fromtimestamp(at_ms / 1e3):%H:%M:%S}"
