"""Observers of a run while it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.model.fault_window import FaultWindow
from harness.run.injector import Watcher
from harness.run.schedule import PlannedWindow
from harness.run.spec import RunSpec
from workloads.load.generator import Progress


class Observer(Watcher, Protocol):
    """Gets the progress of a run, to show it on a terminal, for example."""

    def on_start(self, spec: RunSpec, windows: Sequence[PlannedWindow]) -> None: ...

    def on_progress(self, at_s: float, progress: Progress) -> None: ...


class NullObserver:
    """An observer that does nothing."""

    def on_start(self, spec: RunSpec, windows: Sequence[PlannedWindow]) -> None: ...

    def on_progress(self, at_s: float, progress: Progress) -> None: ...

    def on_window(self, record: FaultWindow) -> None: ...
