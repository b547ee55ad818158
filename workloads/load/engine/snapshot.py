"""What the engine has counted so far, and the shared memory in which a worker counts."""

from __future__ import annotations

import mmap
import time
from dataclasses import dataclass, fields
from typing import Final, NamedTuple

import msgspec
import numpy as np

from results.analysis.histogram import Histogram

LATE_MS: Final = 50.0
LATE_SHARE: Final = 0.01
"""The same limits as in `harness.checkers.generator_kept_up`."""
_STARVED_S: Final = 0.1
"""So much is no matter in a load that is too short for its hundredth to say anything."""

_FIELDS: Final = 16
_VERSION, _COUNTS, _CPU, _FINISHED, _ERRORS, _STARVED = 0, 1, 7, 8, 9, 10
_ERROR_BYTES: Final = 32768
_HISTOGRAMS: Final = 3
PAGE_BYTES: Final = 8 * (_FIELDS + _HISTOGRAMS * Histogram.SIZE) + _ERROR_BYTES
_TRIES: Final = 50
_TRY_S: Final = 0.0002


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Cumulative since the start, what fell due in the warm-up left out.

    `due` calls had fallen due, `sent` of them had left. Each ends once: `ok`, `failed` (surely not done, or another status than
    2xx), `wrong` (2xx with a body that was not expected), `unknown` (no answer in time, or the connection was lost after
    sending). `latency` counts from the due time and `service` from sending, over ok, wrong and unknown calls. `send_lag` is
    how long a call that was due and had a free slot waited for the engine itself. `starved_s` is for how long the engine's
    processes did not run, the mean of them, while something was due or under way; `cpu_s` is what they used since the start.
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
    send_lag: Histogram
    cpu_s: float
    starved_s: float
    errors: dict[str, int]
    finished: bool

    @property
    def late(self) -> bool:
        """Whether this was not the load that was asked for: the engine did not get the processor for over 1% of the time, or
        over 1% of the calls left more than 50 ms late with a slot free for them."""
        lagging = self.send_lag.above(LATE_MS * 1e6) > LATE_SHARE * max(self.send_lag.count, 1)
        return lagging or self.starved_s > max(LATE_SHARE * self.seconds, _STARVED_S)

    def since(self, earlier: Snapshot) -> Snapshot:
        """What was counted after `earlier`, a snapshot of the same engine."""
        errors = {text: count - earlier.errors.get(text, 0) for text, count in self.errors.items()}
        numbers = ("seconds", "due", "sent", "ok", "failed", "wrong", "unknown", "cpu_s", "starved_s")
        histograms = ("latency", "service", "send_lag")
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values |= {name: getattr(self, name) - getattr(earlier, name) for name in numbers}
        values |= {name: getattr(self, name).since(getattr(earlier, name)) for name in histograms}
        return Snapshot(**values | {"errors": {text: count for text, count in errors.items() if count}})


class Counts(NamedTuple):
    """What one worker has counted.

    `calls` are due, sent, ok, failed, wrong, unknown; `histograms` are latency, service, send lag.
    """

    calls: list[int]
    cpu_ns: int
    starved_ns: int
    errors: dict[str, int]
    finished: bool
    histograms: list[Histogram]


class Page:
    """One worker's counts in memory that its parent maps as well. The version is odd while the worker writes."""

    def __init__(self, fd: int) -> None:
        self._memory = mmap.mmap(fd, PAGE_BYTES)
        numbers = np.frombuffer(self._memory, np.int64, _FIELDS + _HISTOGRAMS * Histogram.SIZE)
        self._fields = numbers[:_FIELDS]
        self._histograms = [Histogram(part) for part in numbers[_FIELDS:].reshape(_HISTOGRAMS, Histogram.SIZE)]
        self.latency, self.service, self.send_lag = self._histograms
        self._last = Counts([0] * 6, 0, 0, {}, False, [Histogram() for _ in range(_HISTOGRAMS)])

    def begin(self) -> None:
        self._fields[_VERSION] += 1

    def commit(self, calls: list[int], cpu_ns: int, starved_ns: int, errors: dict[str, int], finished: bool) -> None:
        self._fields[_COUNTS : _COUNTS + 6] = calls
        self._fields[_CPU] = cpu_ns
        self._fields[_STARVED] = starved_ns
        self._fields[_FINISHED] = finished
        text = msgspec.msgpack.encode(errors)
        self._memory[PAGE_BYTES - _ERROR_BYTES : PAGE_BYTES - _ERROR_BYTES + len(text)] = text
        self._fields[_ERRORS] = len(text)
        self._fields[_VERSION] += 1

    def read(self) -> Counts:
        """A consistent copy, the last one again where the worker was stopped in the middle of writing."""
        for _ in range(_TRIES):
            version = int(self._fields[_VERSION])
            numbers = self._fields.tolist()
            histograms = [histogram.copy() for histogram in self._histograms]
            text = self._memory[PAGE_BYTES - _ERROR_BYTES : PAGE_BYTES - _ERROR_BYTES + numbers[_ERRORS]]
            if version % 2 == 0 and version == self._fields[_VERSION]:
                errors = msgspec.msgpack.decode(text, type=dict[str, int]) if text else {}
                calls = numbers[_COUNTS : _COUNTS + 6]
                finished = bool(numbers[_FINISHED])
                self._last = Counts(calls, numbers[_CPU], numbers[_STARVED], errors, finished, histograms)
                break
            time.sleep(_TRY_S)
        return self._last
