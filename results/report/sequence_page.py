"""The messages between hosts as a message-sequence chart: one HTML page that needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from markupsafe import Markup

from results.record.sequence import SequenceChart
from results.report.assets import render_template, write_page

SEQUENCE: Final = "messages.html"


def write_sequence_page(chart: SequenceChart, out: Path) -> None:
    """Write the page. Raises `HarnessError` if it cannot be written."""
    data = msgspec.json.encode(chart).decode().replace("<", "\\u003c")  # so that no text can close the script element
    write_page(render_template("sequence.html", chart=chart, data=Markup(data)), out)  # noqa: S704 - escaped above
