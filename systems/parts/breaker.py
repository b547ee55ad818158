"""A circuit breaker: stops calls to a service that fails or is slow, and probes it later with a few calls.

After Nygard, "Release It!" (2nd edition, 2018, chapter 5), with the sliding window, the slow-call rate and the bounded
half-open state that resilience4j documents under "CircuitBreaker". It does no I/O and has no clock of its own. A lock is held
for the bookkeeping before and after a call, but never during it, so asyncio tasks and threads may share a breaker.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from random import Random
from types import TracebackType
from typing import Final, Literal

import msgspec

from harness.model.errors import UsageError
from systems.parts.breaker_window import Window

State = Literal["closed", "open", "half-open"]

TRANSITIONS_KEPT: Final = 32
"""How many of its last state changes a breaker remembers."""


class BreakerOpen(Exception):
    """The call was not made: the breaker is open, or half-open with all its probes in flight."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """When a breaker opens and how it closes again. Rates are shares of calls, above 0 and up to 1."""

    failure_rate: float = 0.5
    """It opens when at least this share of the window's calls failed …"""
    slow_rate: float = 1.0
    """… or at least this share took `slow_s` or longer, whether they failed or not."""
    slow_s: float = 1.0
    window_s: float = 10.0
    buckets: int = 10
    """The window slides by one bucket at a time."""
    least_calls: int = 20
    """It does not open before the window holds this many calls."""
    open_s: float = 5.0
    """How long it stays open before it is half-open."""
    probes: int = 3
    """How many calls it lets through when half-open. Their outcomes, by the same rates, close it or open it again."""
    probe_expires_s: float = 5.0
    """A probe without a result after this long counts as failed."""

    def __post_init__(self) -> None:
        for name in ("failure_rate", "slow_rate"):
            if not 0 < getattr(self, name) <= 1:
                raise UsageError(f"Breaker: {name}={getattr(self, name)!r}: must be a share above 0 and at most 1.")
        for name in ("slow_s", "window_s", "open_s", "probe_expires_s"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise UsageError(f"Breaker: {name}={getattr(self, name)!r}: must be a number of seconds above 0.")
        for name in ("buckets", "least_calls", "probes"):
            if getattr(self, name) < 1:
                raise UsageError(f"Breaker: {name}={getattr(self, name)!r}: must be a whole number, at least 1.")

    def varied(self, random: Random) -> Settings:
        """A breaker that opens and closes sooner or later."""
        return msgspec.structs.replace(
            self,
            slow_rate=random.choice((self.slow_rate, 1.0)),
            window_s=random.choice((self.window_s, 0.1, 2.0)),
            least_calls=random.choice((self.least_calls, 1, 20)),
            open_s=random.choice((self.open_s, 0.05, 1.0)),
            probes=random.choice((self.probes, 1, 6)),
            probe_expires_s=random.choice((self.probe_expires_s, 0.3, 0.1)),
        )


class Transition(msgspec.Struct, frozen=True):
    """A change of state, with its time by the breaker's clock."""

    at_s: float
    state: State
    why: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A breaker's current status. `late` counts results of calls that began before the last change of state, or expired."""

    state: State
    calls: int
    failed: int
    slow: int
    refused: int
    late: int
    transitions: list[Transition]


class Permit:
    """Permission to make one call. Report its outcome once, or use it in a `with`; further reports are ignored.

    In a `with`, an `Exception` is a failure. Anything else raised, such as a cancellation, says nothing about the service.
    """

    __slots__ = ("_begun_s", "_breaker", "_epoch", "_told")

    def __init__(self, breaker: Breaker, epoch: int, begun_s: float) -> None:
        self._breaker = breaker
        self._epoch = epoch
        self._begun_s = begun_s
        self._told = False

    @property
    def begun_s(self) -> float:
        return self._begun_s

    @property
    def epoch(self) -> int:
        """How many changes of state the breaker had seen when it issued this permit."""
        return self._epoch

    def ok(self, duration_s: float | None = None, *, slow_s: float = 0.0) -> None:
        """The call succeeded; without a duration, it ended now. Below `slow_s` it does not count as slow."""
        self._breaker.done(self, failed=False, duration_s=duration_s, slow_s=slow_s)

    def failed(self, duration_s: float | None = None, *, slow_s: float = 0.0) -> None:
        """The call failed; the arguments are those of `ok`."""
        self._breaker.done(self, failed=True, duration_s=duration_s, slow_s=slow_s)

    def dropped(self) -> None:
        """The caller gave the call up for its own reasons: it does not count, and a probe's place is free again."""
        self._breaker.dropped(self)

    def first_told(self) -> bool:
        """Whether this is the first report. Only for the breaker, under its lock."""
        told, self._told = self._told, True
        return not told

    def __enter__(self) -> Permit:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.ok()
        elif issubclass(kind, Exception):
            self.failed()
        else:
            self.dropped()


class Breaker:
    """A circuit breaker. `clock` returns seconds and should be monotonic; if it steps back, the breaker's time stands still."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._state: State = "closed"
        self._epoch = 0
        self._now_s = clock()
        self._since_s = self._now_s
        self._window = Window(settings.window_s, settings.buckets)
        self._probes_out: dict[Permit, float] = {}
        self._refused = 0
        self._late = 0
        self._transitions: deque[Transition] = deque(maxlen=TRANSITIONS_KEPT)

    @property
    def state(self) -> State:
        """The current state. Reading it applies the time that has passed."""
        with self._lock:
            self._advance()
            return self._state

    @property
    def ready(self) -> bool:
        """Whether `allow` would permit a call now."""
        with self._lock:
            self._advance()
            return self._state == "closed" or (self._state == "half-open" and self._probe_free())

    @property
    def probing(self) -> int:
        """How many probes are in flight."""
        with self._lock:
            self._advance()
            return len(self._probes_out)

    @property
    def applied_s(self) -> float:
        """The time by its clock that it has applied. Reading it applies nothing."""
        with self._lock:
            return self._now_s

    def allow(self) -> Permit | None:
        """A permit for one call, or None if it must not be made."""
        with self._lock:
            now_s = self._advance()
            if self._state == "closed":
                return Permit(self, self._epoch, now_s)
            if self._state == "half-open" and self._probe_free():
                permit = Permit(self, self._epoch, now_s)
                self._probes_out[permit] = now_s
                return permit
            self._refused += 1
            return None

    def call(self) -> Permit:
        """A permit to use in a `with` around the call. Raises `BreakerOpen` if it must not be made."""
        permit = self.allow()
        if permit is None:
            raise BreakerOpen("the circuit breaker is open")
        return permit

    def done(self, permit: Permit, *, failed: bool, duration_s: float | None, slow_s: float) -> None:
        """Record what `Permit.ok` or `Permit.failed` reports."""
        with self._lock:
            now_s = self._advance()
            if not permit.first_told():
                return
            if not self._counts(permit):
                self._late += 1
                return
            self._probes_out.pop(permit, None)
            took_s = now_s - permit.begun_s if duration_s is None else duration_s
            self._window.add(now_s, failed=failed, slow=took_s >= max(self._settings.slow_s, slow_s))
            self._judge(now_s)

    def dropped(self, permit: Permit) -> None:
        """Record what `Permit.dropped` reports."""
        with self._lock:
            self._advance()
            if permit.first_told():
                self._probes_out.pop(permit, None)

    def status(self) -> Status:
        with self._lock:
            now_s = self._advance()
            window = self._window.copy()  # looking must not help it to forget
            window.slide(now_s)
            return Status(
                state=self._state, calls=window.calls, failed=window.failed, slow=window.slow, refused=self._refused,
                late=self._late,
                transitions=list(self._transitions),
            )  # fmt: skip

    # The following methods are called with the lock held.

    def _counts(self, permit: Permit) -> bool:
        """Whether a result counts: not if the call began in another state, or was a probe that expired and was counted then."""
        return permit.epoch == self._epoch and (self._state == "closed" or permit in self._probes_out)

    def _probe_free(self) -> bool:
        return self._window.calls + len(self._probes_out) < self._settings.probes

    def _may_close(self) -> bool:
        return True

    def _advance(self) -> float:
        """Apply the time that has passed, and return the current time."""
        now_s = self._clock()
        if now_s < self._now_s:
            now_s = self._now_s
        self._now_s = now_s
        if self._state == "closed":
            return now_s  # old outcomes leave the window with the next result or status
        if self._state == "open":
            if now_s - self._since_s >= self._settings.open_s:
                self._change("half-open", now_s, f"open for {self._settings.open_s:g} s")
        else:
            limit_s = now_s - self._settings.probe_expires_s
            expired = [permit for permit, begun_s in self._probes_out.items() if begun_s <= limit_s]
            for permit in expired:
                del self._probes_out[permit]
                self._window.add(now_s, failed=True, slow=True)
            if expired:
                self._judge(now_s)
        return now_s

    def _judge(self, now_s: float) -> None:
        window, settings = self._window, self._settings
        least = settings.least_calls if self._state == "closed" else settings.probes
        if window.calls < least:
            return
        # Quotients, since 0.28 * 25 is a float above 7, but 7 / 25 is the float 0.28.
        if window.failed / window.calls >= settings.failure_rate:
            self._change("open", now_s, f"{window.failed} of {window.calls} calls failed")
        elif window.slow / window.calls >= settings.slow_rate:
            self._change("open", now_s, f"{window.slow} of {window.calls} calls took {settings.slow_s:g} s or longer")
        elif self._state == "half-open" and self._may_close():
            self._change("closed", now_s, f"{window.calls} probes went well")

    def _change(self, state: State, now_s: float, why: str) -> None:
        self._state, self._since_s = state, now_s
        self._epoch += 1
        self._probes_out.clear()
        # When half-open, outcomes are kept until there are enough, however long that takes.
        span_s = math.inf if state == "half-open" else self._settings.window_s
        self._window = Window(span_s, self._settings.buckets)
        self._transitions.append(Transition(now_s, state, why))
