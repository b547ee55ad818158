"""The common form of texts and marks on the terminal."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from results.report.phrasing import Mark

SYMBOLS: Final[dict[Mark, str]] = {"good": "✔", "bad": "✘", "open": "?"}
STYLES: Final[dict[Mark, str]] = {"good": "green", "bad": "bold red", "open": "bold yellow"}


def text(content: str, style: str = "") -> Text:
    """Untrusted text with control characters made visible, so that no value can move the cursor."""
    return Text("".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in content), style=style)


def symbol(mark: Mark) -> Text:
    """A mark in its colour."""
    return Text(SYMBOLS[mark], style=STYLES[mark])


def print_to_copy(name: str, content: str, console: Console) -> None:
    """A path or a command, never wrapped or cut."""
    console.print(Text.assemble((f"{name:<8}", "dim"), content), soft_wrap=True)


def print_table(table: Table, console: Console) -> None:
    """Print a table; in a file, without the blanks that pad the last column."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        console.print(Text(line.rstrip()), soft_wrap=True)
