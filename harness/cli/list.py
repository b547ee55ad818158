"""List drills, systems, known bugs, faults, workloads and checkers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console

from harness.cli.console import new_console
from harness.run import catalog
from harness.run.catalog import Entry


def execute(arguments: argparse.Namespace) -> int:
    """Print one line for each."""
    console = new_console()
    for noun, entries in (
        ("drills", catalog.drill_entries()),
        ("systems", catalog.systems()),
        ("bugs", catalog.bugs()),
        ("faults", catalog.faults()),
        ("workloads", catalog.workloads()),
        ("checkers", catalog.checker_entries()),
    ):
        _print_entries(console, noun, entries)
    return 0


def _print_entries(console: Console, noun: str, entries: Sequence[Entry]) -> None:
    console.print(f"[bold]{noun}[/bold]")
    width = max(len(entry.name) for entry in entries) + 2
    module_width = max(len(entry.module) for entry in entries)
    for entry in entries:
        module = f"{entry.module:<{module_width + 2}}" if module_width else ""
        console.print(f"  {entry.name:<{width}}{module}{entry.title}", markup=False, highlight=False, soft_wrap=True)
    console.print()
