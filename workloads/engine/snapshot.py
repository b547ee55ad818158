"""What the engine has counted so far, and the shared memory in which a worker counts."""

from __future__ import annotations

import mmap
from dataclasses import dataclass, fields
from typing import Final

import msgspec
import numpy as np

from results.histogram import Histogram

LATE_MS: Final = 50.0
LATE_SHARE: Final = 0.01
"""More calls than this share left over 50 ms after they were due and had a free slot: the load was not what was asked for
(the same limits as in `harness.checkers.generator_kept_up`)."""

_FIELDS: Final = 16
_VERSION, _COUNTS, _CPU, _FINISHED, _ERRORS = 0, 1, 7, 8, 9
_ERROR_BYTES: Final = 8192
_HISTOGRAMS: Final = 3
PAGE_BYTES: Final = 8 * (_FIELDS + _HISTOGRAMS * Histogram.SIZE) + _ERROR_BYTES
_TRIES: Final = 1000


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Cumulative since the start, what fell due in the warm-up left out.

    `due` calls had fallen due, `sent` of them had left. Each ends once: `ok`, `failed` (surely not done, or another status than
    2xx), `wrong` (2xx with a body that was not expected), `unknown` (no answer in time, or the connection was lost after
    sending). `latency` counts from the due time and `service` from sending, over ok, wrong and unknown calls. `send_lag` is
    how long a call that was due and had a free slot waited for the engine itself. `cpu_s` is of the engine's processes.
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
    errors: dict[str, int]
    finished: bool

    @property
    def late(self) -> bool:
        """Whether the engine was starved: over 1% of the calls left more than 50 ms late with a slot free for them."""
        return self.send_lag.above(LATE_MS * 1e6) > LATE_SHARE * max(self.send_lag.count, 1)

    def since(self, earlier: Snapshot) -> Snapshot:
        """What was counted after `earlier`, a snapshot of the same engine."""
        errors = {text: count - earlier.errors.get(text, 0) for text, count in self.errors.items()}
        numbers = ("seconds", "due", "sent", "ok", "failed", "wrong", "unknown", "cpu_s")
        histograms = ("latency", "service", "send_lag")
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values |= {name: getattr(self, name) - getattr(earlier, name) for name in numbers}
        values |= {name: getattr(self, name).since(getattr(earlier, name)) for name in histograms}
        return Snapshot(**values | {"errors": {text: count for text, count in errors.items() if count}})


class Page:
    """One worker's counts in memory that its parent maps as well. The version is odd while the worker writes."""

    def __init__(self, fd: int) -> None:
        self._memory = mmap.mmap(fd, PAGE_BYTES)
        numbers = np.frombuffer(self._memory, np.int64, _FIELDS + _HISTOGRAMS * Histogram.SIZE)
        self._fields = numbers[:_FIELDS]
        self._histograms = [Histogram(part) for part in numbers[_FIELDS:].reshape(_HISTOGRAMS, Histogram.SIZE)]
        self.latency, self.service, self.send_lag = self._histograms

    def begin(self) -> None:
        self._fields[_VERSION] += 1

    def commit(self, counts: list[int], cpu_ns: int, errors: dict[str, int], finished: bool) -> None:
        """`counts` are due, sent, ok, failed, wrong, unknown."""
        self._fields[_COUNTS : _COUNTS + 6] = counts
        self._fields[_CPU] = cpu_ns
        self._fields[_FINISHED] = finished
        text = msgspec.msgpack.encode(errors)
        self._memory[PAGE_BYTES - _ERROR_BYTES : PAGE_BYTES - _ERROR_BYTES + len(text)] = text
        self._fields[_ERRORS] = len(text)
        self._fields[_VERSION] += 1

    def read(self) -> tuple[list[int], int, dict[str, int], bool, list[Histogram]]:
        """A consistent copy: counts, processor time in ns, errors, whether it is finished, latency, service, send lag."""
        for _ in range(_TRIES):
            version = int(self._fields[_VERSION])
            numbers = self._fields.tolist()
            histograms = [histogram.copy() for histogram in self._histograms]
            text = self._memory[PAGE_BYTES - _ERROR_BYTES : PAGE_BYTES - _ERROR_BYTES + numbers[_ERRORS]]
            if version % 2 == 0 and version == self._fields[_VERSION]:
                errors = msgspec.msgpack.decode(text, type=dict[str, int]) if text else {}
                return numbers[_COUNTS : _COUNTS + 6], numbers[_CPU], errors, bool(numbers[_FINISHED]), histograms
        raise RuntimeError("a worker of the load engine stopped while it was writing its counts")
