"""What the engine has counted so far, and the shared memory in which a worker counts."""

from __future__ import annotations

import mmap
import time
from dataclasses import dataclass, fields
from typing import Final, NamedTuple

import msgspec
import numpy as np

from results.analysis.failures import FailureGroup
from results.analysis.histogram import Histogram

LATE_MS: Final = 50.0
LATE_SHARE: Final = 0.01
"""The same limits as in `harness.checkers.generator_kept_up`."""
_NEGLIGIBLE_S: Final = 0.1
"""Less lost time than this does not matter, even if it is over 1% of a short load."""

_FIELDS: Final = 16
_VERSION, _COUNTS, _CPU, _FINISHED, _FAILURES, _STARVED, _BUSY, _QUEUED, _SATURATED, _BLOCKED = (
    0,
    1,
    7,
    8,
    9,
    10,
    11,
    12,
    13,
    14,
)
_FAILURE_BYTES: Final = 65536
"""Twenty groups of texts of 200 letters, four bytes each, and their names."""
_HISTOGRAMS: Final = 5
PAGE_BYTES: Final = 8 * (_FIELDS + _HISTOGRAMS * Histogram.SIZE) + _FAILURE_BYTES
_TRIES: Final = 50
_TRY_S: Final = 0.0002


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Totals since the start; calls that fell due in the warm-up are left out.

    `due` calls had fallen due, and `sent` of them had left. Each call ends once: `ok`, `failed` (surely not done, or with a
    status other than 2xx), `wrong` (2xx with an unexpected body), `unknown` (no answer in time, or the connection was lost
    after sending). `latency` counts from the due time and `service` from sending, over ok, wrong and unknown calls;
    `latency` also of those that waited for a connection until the load was over. `unanswered` holds the latencies of these and
    of the unknown calls alone, which are lower bounds: how long the engine waited.

    The rest is about the engine itself. `send_lag` is how long a call that was due and had a free slot waited to be sent;
    `read_lag` is how long an answer may have been in the kernel before the engine read it. These are means over its
    processes: `starved_s`, how long they did not get a CPU while something was due or in progress; `busy_s`, how long they
    had work, including `queued_s` of waiting for a CPU; `saturated_s` and `blocked_s`, see
    `workloads.load.engine.usage.Usage`. `cpu_s` is the CPU time that all of them used since the start.
    """

    at_ns: int
    seconds: float
    due: int
    sent: int
    ok: int
    failed: int
    wrong: int
    unknown: int
    latency: Histogram
    service: Histogram
    unanswered: Histogram
    send_lag: Histogram
    read_lag: Histogram
    cpu_s: float
    starved_s: float
    busy_s: float
    queued_s: float
    saturated_s: float
    blocked_s: float
    failures: tuple[FailureGroup, ...]
    finished: bool

    @property
    def late(self) -> bool:
        """Whether the engine failed to make the load that was asked for: it did not get a CPU for over 1% of the time, or
        over 1% of the calls left more than 50 ms late although a slot was free for them, or it was saturated."""
        lagging = self.send_lag.above(LATE_MS * 1e6) > LATE_SHARE * max(self.send_lag.count, 1)
        return lagging or self._matters(self.starved_s) or self.saturated

    @property
    def saturated(self) -> bool:
        """Whether calls were held up for over 1% of the time because the engine was fully busy, and not for as long because
        the server did not answer: after a pause of the server, the engine is busy catching up."""
        return self._matters(self.saturated_s) and self.saturated_s > self.blocked_s

    def _matters(self, seconds: float) -> bool:
        return seconds > max(LATE_SHARE * self.seconds, _NEGLIGIBLE_S)

    def since(self, earlier: Snapshot) -> Snapshot:
        """What was counted after `earlier`, a snapshot of the same engine."""
        before = {(group.outcome, group.reason): group.calls for group in earlier.failures}
        failures = [
            msgspec.structs.replace(group, calls=group.calls - before.get((group.outcome, group.reason), 0))
            for group in self.failures
        ]
        numbers = ["seconds", "due", "sent", "ok", "failed", "wrong", "unknown", "cpu_s"]
        numbers += ["starved_s", "busy_s", "queued_s", "saturated_s", "blocked_s"]
        histograms = ("latency", "service", "unanswered", "send_lag", "read_lag")
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values |= {name: getattr(self, name) - getattr(earlier, name) for name in numbers}
        values |= {name: getattr(self, name).since(getattr(earlier, name)) for name in histograms}
        return Snapshot(**values | {"failures": tuple(group for group in failures if group.calls)})


class Counts(NamedTuple):
    """What one worker has counted.

    `calls` holds due, sent, ok, failed, wrong, unknown; `histograms` are in the order of `Page`.
    """

    calls: list[int]
    spent: Spent
    failures: list[FailureGroup]
    finished: bool
    histograms: list[Histogram]


class Spent(NamedTuple):
    """How a worker spent its time, in nanoseconds; see `Snapshot`."""

    cpu_ns: int
    starved_ns: int
    busy_ns: int
    queued_ns: int
    saturated_ns: int
    blocked_ns: int


class Page:
    """One worker's counts in memory shared with its parent. The version is odd while the worker writes."""

    def __init__(self, fd: int) -> None:
        self._memory = mmap.mmap(fd, PAGE_BYTES)
        numbers = np.frombuffer(self._memory, np.int64, _FIELDS + _HISTOGRAMS * Histogram.SIZE)
        self._fields = numbers[:_FIELDS]
        self._histograms = [Histogram(part) for part in numbers[_FIELDS:].reshape(_HISTOGRAMS, Histogram.SIZE)]
        self.latency, self.service, self.unanswered, self.send_lag, self.read_lag = self._histograms
        empty = [Histogram() for _ in range(_HISTOGRAMS)]
        self._last = Counts([0] * 6, Spent(0, 0, 0, 0, 0, 0), [], False, empty)

    def begin(self) -> None:
        self._fields[_VERSION] += 1

    def commit(self, calls: list[int], spent: Spent, failures: list[FailureGroup], finished: bool) -> None:
        self._fields[_COUNTS : _COUNTS + 6] = calls
        self._fields[[_CPU, _STARVED, _BUSY, _QUEUED, _SATURATED, _BLOCKED]] = spent
        self._fields[_FINISHED] = finished
        text = msgspec.msgpack.encode(failures)
        self._memory[PAGE_BYTES - _FAILURE_BYTES : PAGE_BYTES - _FAILURE_BYTES + len(text)] = text
        self._fields[_FAILURES] = len(text)
        self._fields[_VERSION] += 1

    def read(self) -> Counts:
        """A consistent copy; the last one again if the worker was stopped in the middle of writing."""
        for _ in range(_TRIES):
            version = int(self._fields[_VERSION])
            numbers = self._fields.tolist()
            histograms = [histogram.copy() for histogram in self._histograms]
            text = self._memory[PAGE_BYTES - _FAILURE_BYTES : PAGE_BYTES - _FAILURE_BYTES + numbers[_FAILURES]]
            if version % 2 == 0 and version == self._fields[_VERSION]:
                failures = msgspec.msgpack.decode(text, type=list[FailureGroup]) if text else []
                calls = numbers[_COUNTS : _COUNTS + 6]
                spent = Spent(*(numbers[field] for field in (_CPU, _STARVED, _BUSY, _QUEUED, _SATURATED, _BLOCKED)))
                self._last = Counts(calls, spent, failures, bool(numbers[_FINISHED]), histograms)
                break
            time.sleep(_TRY_S)
        return self._last
