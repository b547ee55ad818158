"""What a node uses of its machine besides the event loop: clocks, files, exact timers, a log, a process.

`NodeContext` passes it on to node code. The real machine is here; `harness.simulation` has a simulated one.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from harness.node.control import ControlPage
from harness.node.disk import Disk
from harness.node.events import EventFile
from harness.node.files import FileOperations, Files, SteeredFiles
from harness.node.journal import FILE as JOURNAL
from harness.node.journal import FileJournal, Journal
from harness.node.pacer import TimerPacer


class Pacer(Protocol):
    """Sleeps until exact times of the monotonic clock."""

    async def sleep_until(self, at_ns: int) -> None:
        """Return at `at_ns`, or at once if that is past."""

    def wake_all(self) -> None:
        """Make every sleeper return now."""

    def close(self) -> None: ...


class Machine(Protocol):
    """The machine of one start of a node."""

    control: ControlPage
    """The page that steers its disk and its clock."""
    pid: int

    def monotonic_ns(self) -> int:
        """The monotonic clock."""

    def time_ns(self) -> int:
        """A correct wall clock: nanoseconds since 1970."""

    def files(self, folder: Path) -> FileOperations:
        """The files of a folder, steered by the control page."""

    def journal(self, folder: Path) -> Journal:
        """The journal of the node with this folder."""

    def thread(self) -> Executor:
        """An executor with one new thread."""

    def worked(self, seconds: float) -> None:
        """The node has just worked for about this long."""

    def pacer(self) -> Pacer:
        """A pacer for the running loop."""

    def settle(self) -> None:
        """Collect garbage now and freeze what is left."""

    def write_log(self, line: str) -> None:
        """Write a line to the node's log."""

    def write_event(self, at_ns: int, kind: str, detail: object) -> None:
        """Write a row of the history's `events`, at a time of the monotonic clock."""

    def show(self, state: Callable[[], object]) -> None:
        """Register a function that returns the node's state, for observers outside."""

    def must_recover(self, folder: Path, forgotten: Callable[[Disk], str | None]) -> None:
        """Register a function that says what the node would have forgotten if it started on a copy of this folder."""


class RealMachine:
    """The machine that this process runs on. See `Machine`."""

    monotonic_ns = staticmethod(time.monotonic_ns)
    time_ns = staticmethod(time.time_ns)

    def __init__(self, control: Path | None, events: Path | None = None) -> None:
        """`control`: the control page's file, None if no fault can target this node. `events`: None drops all events."""
        self.control = ControlPage(control)
        self.pid = os.getpid()
        self._events = EventFile(events) if events else None

    def files(self, folder: Path) -> FileOperations:
        return SteeredFiles(Files(folder), self.control)

    def journal(self, folder: Path) -> Journal:
        return FileJournal(folder / JOURNAL)

    def thread(self) -> Executor:
        return ThreadPoolExecutor(max_workers=1)

    def worked(self, seconds: float) -> None:
        """Does nothing: the time has passed."""

    def pacer(self) -> Pacer:
        return TimerPacer()

    def settle(self) -> None:
        gc.collect()
        gc.freeze()

    def write_log(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def write_event(self, at_ns: int, kind: str, detail: object) -> None:
        if self._events is not None:
            self._events.write(at_ns, kind, detail)

    def show(self, state: Callable[[], object]) -> None:
        """Does nothing: no observer sees into another process."""

    def must_recover(self, folder: Path, forgotten: Callable[[Disk], str | None]) -> None:
        """Does nothing: real crashes show it."""
