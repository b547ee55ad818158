"""Shows a run's progress in the terminal: the load so far, the active faults, and how the service responds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import TaskID

from harness.cli.console import progress_line
from harness.model.fault_window import FaultWindow
from harness.run.schedule import PlannedWindow
from harness.run.spec import RunSpec
from workloads.load.generator import Progress as LoadProgress


class Live:
    """An observer that draws one line during a run if the console is a terminal; otherwise it is silent."""

    def __init__(self, console: Console, order: RunSpec, place: str = "") -> None:
        """`place` is the run's place in a series, such as "[3/22] about 50 s left"."""
        self._order = order
        self._place = place
        self._active: dict[str, str] = {}
        self._progress = progress_line(console)
        self._task: TaskID | None = None

    def __enter__(self) -> Live:
        self._progress.start()
        total = self._order.drill.load.seconds
        self._task = self._progress.add_task(
            escape(f"{self._place} {self._order.name}".lstrip()), total=total, figures="starting"
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def on_start(self, order: RunSpec, windows: Sequence[PlannedWindow]) -> None:
        self._update(0, "load begins")

    def on_progress(self, at_s: float, progress: LoadProgress) -> None:
        median = f", p50 {statistics.median(progress.latencies_ms):.1f} ms" if progress.latencies_ms else ""
        wrong = f", [red]{progress.failed} failed[/red]" if progress.failed else ""
        wrong += f", [yellow]{progress.unknown} unknown[/yellow]" if progress.unknown else ""
        broken = f"  [magenta]{', '.join(self._active.values())}[/magenta]" if self._active else ""
        self._update(at_s, f"{progress.ok} ok{wrong}{median}{broken}")

    def on_window(self, record: FaultWindow) -> None:
        if record.healed_s is None and record.injected_s is not None:
            self._active[record.label] = escape(f"{record.text} {' '.join(record.targets)}")
        else:
            self._active.pop(record.label, None)

    def _update(self, at_s: float, figures: str) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=min(max(at_s, 0), self._order.drill.load.seconds), figures=figures)
