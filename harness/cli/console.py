"""Where commands print."""

from __future__ import annotations

import os

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn


def new_console(*, stderr: bool = False) -> Console:
    """A console on standard output or standard error. Piped output is not wrapped, unless COLUMNS sets a width."""
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal and not os.environ.get("COLUMNS"):
        console.width = _UNLIMITED
    return console


def progress_line(console: Console) -> Progress:
    """A line that shows how many seconds of a task are over, and its field `figures`. Silent unless on a terminal."""
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:.0f}/{task.total:.0f} s"),
        TextColumn("{task.fields[figures]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


_UNLIMITED = 100_000
