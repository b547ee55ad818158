"""The parent's side of the load engine: plain blocking code, which works under gevent's monkey-patching too."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from harness import roots
from harness.model.errors import UsageError
from harness.model.shapes import Replay
from results.analysis.failures import merged
from results.analysis.histogram import Histogram
from workloads.load.engine.snapshot import PAGE_BYTES, Page, Snapshot, Spent
from workloads.load.engine.task import EngineTask, Order, Prepare, SetRate, Start, Stop, encoded

_AHEAD_NS: Final = 20_000_000
"""How far ahead orders that carry a time are sent, so that every process has them by then."""
_POLL_S: Final = 0.02


class Engine:
    """Load from `processes` separate processes, which end with this one. Use it as a context manager."""

    def __init__(self, task: EngineTask, processes: int = 1) -> None:
        if processes < 1 or processes > task.load.clients:
            raise UsageError(
                f"Engine(processes={processes}): must be from 1 to the number of connections, {task.load.clients}."
            )
        self._task, self._count = task, processes
        self._workers: list[subprocess.Popen[bytes]] = []
        self._pages: list[Page] = []
        self._begin_ns = 0
        self._end_ns = 0

    def __enter__(self) -> Self:
        try:
            for number in range(self._count):
                self._fork(Prepare(task=self._task, number=number, workers=self._count))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def start(self) -> None:
        """Wait for every process to be connected, then start all at the same moment."""
        for worker in self._workers:
            if worker.stdout is None or worker.stdout.readline() != b"ready\n":
                raise RuntimeError("a process of the load engine ended before it was ready; its error is above")
        at_ns = time.monotonic_ns() + _AHEAD_NS
        self._begin_ns = at_ns + round(self._task.warm_up_s * 1e9)
        self._end_ns = self._begin_ns + round(self._task.load.seconds * 1e9)
        for worker in self._workers:
            self._order(worker, Start(at_ns))

    def set_rate(self, rate_per_s: float) -> None:
        """Change the total rate of all processes from now on; what was due before is still sent."""
        if not 0 < rate_per_s < float("inf"):
            raise UsageError(f"set_rate({rate_per_s!r}): must be a number above 0.")
        if isinstance(self._task.load.shape, Replay):
            raise UsageError("set_rate: the load is a replay, which has recorded times and no rate.")
        at_ns = time.monotonic_ns() + _AHEAD_NS
        for worker in self._workers:
            self._order(worker, SetRate(rate_per_s, at_ns))

    @property
    def pids(self) -> list[int]:
        """The processes that make the load, including those that have ended."""
        return [worker.pid for worker in self._workers]

    def snapshot(self) -> Snapshot:
        """What has been counted so far, at most 0.1 s old."""
        now_ns = time.monotonic_ns()
        pages = [page.read() for page in self._pages]
        merged_histograms = [Histogram() for _ in pages[0].histograms]
        for page in pages:
            for all_of_them, histogram in zip(merged_histograms, page.histograms, strict=True):
                all_of_them.merge(histogram)
        latency, service, unanswered, send_lag, read_lag = merged_histograms
        due, sent, ok, failed, wrong, unknown = (sum(calls) for calls in zip(*(page.calls for page in pages), strict=True))
        spent = Spent(*(sum(times) for times in zip(*(page.spent for page in pages), strict=True)))
        each = len(pages) * 1e9
        return Snapshot(
            at_ns=now_ns,
            seconds=max(min(now_ns, self._end_ns) - self._begin_ns, 0) / 1e9,
            due=due,
            sent=sent,
            ok=ok,
            failed=failed,
            wrong=wrong,
            unknown=unknown,
            latency=latency,
            service=service,
            unanswered=unanswered,
            send_lag=send_lag,
            read_lag=read_lag,
            cpu_s=spent.cpu_ns / 1e9,
            starved_s=spent.starved_ns / each,
            busy_s=spent.busy_ns / each,
            queued_s=spent.queued_ns / each,
            saturated_s=spent.saturated_ns / each,
            blocked_s=spent.blocked_ns / each,
            failures=merged([group for page in pages for group in page.failures]),
            finished=all(page.finished for page in pages),
        )

    def check(self) -> None:
        """Raise `RuntimeError` if one of the engine's processes ended before the load did."""
        gone = [worker.poll() is not None for worker in self._workers]
        if any(ended and not page.read().finished for ended, page in zip(gone, self._pages, strict=True)):
            raise RuntimeError("a process of the load engine ended before the load did; its error is above")

    def wait(self) -> Snapshot:
        """Return when every call has ended. Raises `RuntimeError` as `check` does."""
        while not (snapshot := self.snapshot()).finished:
            self.check()
            time.sleep(_POLL_S)
        return snapshot

    def stop(self) -> Snapshot:
        """Let no more calls fall due; wait for those that did."""
        now_ns = time.monotonic_ns()
        self._end_ns = min(self._end_ns, now_ns)
        for worker in self._workers:
            self._order(worker, Stop(now_ns))
        return self.wait()

    def _fork(self, prepare: Prepare) -> None:
        fd = os.memfd_create("engine")
        try:
            os.ftruncate(fd, PAGE_BYTES)
            command = [*roots.program("workloads.load.engine.worker"), str(fd)]
            worker = subprocess.Popen(
                command, env=roots.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[fd]
            )
            self._workers.append(worker)
            self._pages.append(Page(fd))
        finally:
            os.close(fd)
        self._order(worker, prepare)

    def _order(self, worker: subprocess.Popen[bytes], order: Order) -> None:
        if worker.stdin is not None:
            with suppress(BrokenPipeError):  # `start` and `wait` report a process that ended too early
                worker.stdin.write(encoded(order))
                worker.stdin.flush()

    def _end(self) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()
