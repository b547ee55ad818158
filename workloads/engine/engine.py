"""The parent's side of the load engine: plain blocking code, which works under gevent's monkey-patching too."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from types import TracebackType
from typing import Self

from harness.errors import UsageError
from results.histogram import Histogram
from workloads.engine.snapshot import PAGE_BYTES, Page, Snapshot
from workloads.engine.task import EngineTask, Order, Prepare, SetRate, Start, Stop, encoded


class Engine:
    """Load from `processes` processes of its own, which end with this one. Use it as a context manager."""

    def __init__(self, task: EngineTask, processes: int = 1) -> None:
        if processes < 1 or processes > task.load.clients:
            raise UsageError(f"Engine(processes={processes}): from 1 to the number of connections, {task.load.clients}.")
        if task.load.shape is not None:
            raise UsageError("The load engine does not do a load's shape yet. Use a load without one, or `set_rate`.")
        self._task, self._count = task, processes
        self._workers: list[subprocess.Popen[bytes]] = []
        self._pages: list[Page] = []
        self._begin_ns = 0
        self._end_ns = 0

    def __enter__(self) -> Self:
        load = self._task.load
        for number in range(self._count):
            fd = os.memfd_create("engine")
            os.ftruncate(fd, PAGE_BYTES)
            command = [sys.executable, "-m", "workloads.engine.worker", str(fd)]
            worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[fd])
            self._workers.append(worker)
            self._pages.append(Page(fd))
            os.close(fd)
            self._order(
                worker,
                Prepare(
                    address=self._task.address,
                    exchanges=self._task.exchanges,
                    rate=load.rate,
                    seconds=load.seconds,
                    arrivals=load.arrivals,
                    timeout_ms=load.timeout_ms,
                    clients=load.clients,
                    depth=self._task.depth,
                    warm_up_s=self._task.warm_up_s,
                    seed=self._task.seed,
                    number=number,
                    workers=self._count,
                ),
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    pipe.close()

    def start(self) -> None:
        """Wait for every process to be connected, then begin at the same moment in all."""
        for worker in self._workers:
            if worker.stdout is None or worker.stdout.readline() != b"ready\n":
                raise RuntimeError("a process of the load engine ended before it was ready; its error is above")
        at_ns = time.monotonic_ns() + 20_000_000
        self._begin_ns = at_ns + round(self._task.warm_up_s * 1e9)
        self._end_ns = self._begin_ns + round(self._task.load.seconds * 1e9)
        for worker in self._workers:
            self._order(worker, Start(at_ns))

    def set_rate(self, rate_per_s: float) -> None:
        """Change the rate of all processes together, from now on; what was due before is still sent."""
        if not 0 < rate_per_s < float("inf"):
            raise UsageError(f"set_rate({rate_per_s!r}): must be a number above 0.")
        for worker in self._workers:
            self._order(worker, SetRate(rate_per_s, time.monotonic_ns() + 10_000_000))

    def snapshot(self) -> Snapshot:
        """What has been counted, at most 0.1 s old."""
        now_ns = time.monotonic_ns()
        counts, cpu_ns, finished = [0] * 6, 0, True
        errors: Counter[str] = Counter()
        merged = [Histogram(), Histogram(), Histogram()]
        for page in self._pages:
            own, own_cpu_ns, own_errors, own_finished, histograms = page.read()
            counts = [one + other for one, other in zip(counts, own, strict=True)]
            cpu_ns += own_cpu_ns
            errors.update(own_errors)
            finished = finished and own_finished
            for all_of_them, histogram in zip(merged, histograms, strict=True):
                all_of_them.merge(histogram)
        due, sent, ok, failed, wrong, unknown = counts
        return Snapshot(
            at_ns=now_ns,
            seconds=max(min(now_ns, self._end_ns) - self._begin_ns, 0) / 1e9,
            due=due,
            sent=sent,
            ok=ok,
            failed=failed,
            wrong=wrong,
            unknown=unknown,
            latency=merged[0],
            service=merged[1],
            send_lag=merged[2],
            cpu_s=cpu_ns / 1e9,
            errors=dict(errors.most_common(20)),
            finished=finished,
        )

    def wait(self) -> Snapshot:
        """Return when every call has ended. Raises `RuntimeError` where a process ended without saying so."""
        while not (snapshot := self.snapshot()).finished:
            if any(worker.poll() is not None for worker in self._workers) and not self.snapshot().finished:
                time.sleep(0.05)
                if any(w.poll() not in (None, 0) for w in self._workers):
                    raise RuntimeError("a process of the load engine ended before the load did; its error is above")
            time.sleep(0.02)
        return snapshot

    def stop(self) -> Snapshot:
        """Make no more calls, wait for those under way."""
        self._end_ns = min(self._end_ns, time.monotonic_ns())
        for worker in self._workers:
            if worker.poll() is None:
                self._order(worker, Stop())
        return self.wait()

    def _order(self, worker: subprocess.Popen[bytes], order: Order) -> None:
        if worker.stdin is not None:
            worker.stdin.write(encoded(order))
            worker.stdin.flush()
