"""The result of a night on the terminal: what happened, then how small a change would have been found."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from results.report.nightly_items import RunPages, items
from results.report.nightly_phrasing import nightly_mark, summary, title
from results.report.nightly_trust import trust
from results.report.terminal_text import STYLES, print_to_copy, symbol, text
from results.trends.nightly import Nightly


def print_nightly(nightly: Nightly, page: Path, console: Console) -> None:
    """The night in a few words, each thing that happened, and where the page is."""
    mark = nightly_mark(nightly)
    console.print()
    console.print(Text.assemble(symbol(mark), " ", (f"{title(nightly)}.", STYLES[mark])), soft_wrap=True)
    for item in items(nightly, RunPages({}, nightly.nights)):
        console.print(Text.assemble(symbol(item.mark), f" {item.word}: ", text(item.text)), soft_wrap=True)
        for detail in item.details:
            if detail:
                console.print(Text.assemble("    ", text(detail)), soft_wrap=True)
    console.print()
    console.print(text(summary(nightly)), soft_wrap=True)
    if trusted := trust(nightly):
        console.print(text(trusted, style="dim"), soft_wrap=True)
    print_to_copy("Report", str(page), console)
