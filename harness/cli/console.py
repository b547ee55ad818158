"""Where commands print."""

from __future__ import annotations

import os

from rich.console import Console


def new_console(*, stderr: bool = False) -> Console:
    """A console on standard output or standard error. Piped output is not wrapped, unless COLUMNS sets a width."""
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal and not os.environ.get("COLUMNS"):
        console.width = _UNLIMITED
    return console


_UNLIMITED = 100_000
