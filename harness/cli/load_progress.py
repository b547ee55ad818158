"""Shows a load's progress on one line of the terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import TaskID

from harness.cli.console import progress_line
from results.report.phrasing import milliseconds
from workloads.load.engine import Snapshot


class LoadProgress:
    """Draws a line if the console is a terminal; otherwise it is silent."""

    def __init__(self, console: Console) -> None:
        self._progress = progress_line(console)
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def begin(self, rate_per_s: float, seconds: float) -> None:
        """A load of `seconds` begins; its line replaces the last one's."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(f"{rate_per_s:,.0f}/s", total=seconds, figures="warming up")

    def show(self, whole: Snapshot, part: Snapshot) -> None:
        """Show the counts so far, and those of the last interval."""
        if self._task is None:
            return
        latency = part.latency
        figures = f"{whole.ok:,} ok"
        figures += f", [red]{whole.failed + whole.wrong:,} failed[/red]" if whole.failed or whole.wrong else ""
        figures += f", [yellow]{whole.unknown:,} unknown[/yellow]" if whole.unknown else ""
        for percentile in (50, 99):
            value = latency.percentile_ns(percentile)
            figures += "" if value is None else f", p{percentile} {milliseconds(value / 1e6)}"
        self._progress.update(self._task, completed=whole.seconds, figures=figures)
