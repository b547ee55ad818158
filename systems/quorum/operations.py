"""Carries operations out: which node is asked when, and when a phase times out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final, Protocol

from systems.parts.outcomes import Failed
from systems.quorum.bugs import Rules
from systems.quorum.messages import Entry, Query, ReplicaRequest, Store
from systems.quorum.protocol import Operation, Outcome, Phase

PHASE_TIMEOUT_S: Final = 0.35
"""How long a phase waits for its quorum. Two phases are over well before a client times out.

A replica that has lost its log counts on it: it asks the others when no phase counts what it answered before the loss.
"""

ASK_AGAIN_S: Final = 0.12
"""A replica that has not answered after this long is asked again, since its connection may have died during the first request.

In a sloppy system its stand-in is then asked, too.
"""

_PATIENCE_S: Final = 1.2
"""An operation with many phases begins no new one after this long."""

_PAUSE_S: Final = 0.004
_LONGEST_PAUSE_S: Final = 0.1

Answered = Callable[[Entry | None], None]
Ask = Callable[[str, ReplicaRequest, Answered], None]
"""Asks a node, which may be this one."""


class Missed(Protocol):
    """Is called for each replica that did not confirm an entry."""

    def missed(self, home: str, key: str, entry: Entry) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Operations:
    """Carries operations out."""

    ask: Ask
    is_silent: Callable[[str], bool]
    missed: Missed
    random: Random
    rules: Rules
    hedge_s: float | None = None
    """A read asks only as many replicas as it needs, and the others after this long; None: all at once."""

    def carry_out(self, operation: Operation, done: Callable[[Outcome], None]) -> None:
        """Start an operation; `done` is called once, with its outcome."""
        _Run(self, operation, done).next_phase()


class _Run:
    __slots__ = ("_done", "_loop", "_operation", "_until_s", "_with")

    def __init__(self, operations: Operations, operation: Operation, done: Callable[[Outcome], None]) -> None:
        self._with = operations
        self._operation = operation
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._until_s = self._loop.time() + _PATIENCE_S

    def next_phase(self) -> None:
        phase = self._operation.phase
        if phase.pause:
            most_s = min(_LONGEST_PAUSE_S, _PAUSE_S * 2.0**phase.pause)
            self._loop.call_later(self._with.random.uniform(0, most_s), self._begin, phase)
        else:
            self._begin(phase)

    def _begin(self, phase: Phase) -> None:
        _Asking(self, self._with, phase, self._loop).begin(hedged=isinstance(phase.request, Query))

    def is_in(self, phase: Phase) -> bool:
        """Whether the operation still waits for this phase."""
        return self._operation.phase is phase and self._operation.outcome is None

    def answered(self, phase: Phase, replica: str, entry: Entry | None) -> None:
        operation = self._operation
        if not self.is_in(phase):
            return
        if entry is not None:
            operation.answered(phase, replica, entry)
        elif not self._with.rules.errors_tolerated:
            operation.outcome = Failed(f"{replica} did not do it")
        self._go_on(phase)

    def timed_out(self, phase: Phase) -> None:
        if self.is_in(phase):
            self._operation.timed_out(phase)
            self._go_on(phase)

    def _go_on(self, phase: Phase) -> None:
        operation = self._operation
        if operation.outcome is None and operation.phase is not phase and self._loop.time() > self._until_s:
            operation.timed_out(operation.phase)
        if operation.outcome is not None:
            self._done(operation.outcome)
        elif operation.phase is not phase:
            self.next_phase()


class _Asking:
    """One phase, until all replicas have answered or it times out; the operation may be further by then."""

    __slots__ = ("_left", "_loop", "_over_s", "_phase", "_run", "_timers", "_with")

    def __init__(self, run: _Run, operations: Operations, phase: Phase, loop: asyncio.AbstractEventLoop) -> None:
        self._run = run
        self._with = operations
        self._phase = phase
        self._loop = loop
        self._over_s = loop.time() + PHASE_TIMEOUT_S
        self._left = dict.fromkeys(phase.unanswered())
        self._timers: list[asyncio.TimerHandle] = []

    def begin(self, *, hedged: bool) -> None:
        later, hedge_s = self._loop.call_later, self._with.hedge_s
        self._timers = [later(ASK_AGAIN_S, self._ask_again), self._loop.call_at(self._over_s, self._end)]
        if not hedged or hedge_s is None:
            self._ask(self._phase.unanswered())
            return
        self._ask(self._phase.first())
        if self._with.rules.hedges:
            self._timers.append(later(hedge_s, self._hedge))

    def _ask(self, replicas: Sequence[str]) -> None:
        for replica in reversed(replicas):  # this node is first among them, and its disk may block the loop
            self._with.ask(replica, self._phase.request, partial(self._answered, replica))
        if any(map(self._with.is_silent, replicas)):
            self._ask_stand_ins()

    def _ask_stand_ins(self) -> None:
        for other, request in self._phase.stood_in():
            self._with.ask(other, request, partial(self._answered, other))

    def _hedge(self) -> None:
        if self._run.is_in(self._phase):
            self._ask(self._phase.unanswered())

    def _ask_again(self) -> None:
        if self._run.is_in(self._phase):
            self._ask(self._phase.unanswered())
            self._ask_stand_ins()

    def _answered(self, replica: str, entry: Entry | None) -> None:
        if self._loop.time() >= self._over_s:  # a process that was frozen may read an answer before it looks at its timers
            return
        if entry is not None:
            self._left.pop(replica, None)
            if not self._left:
                self._cancel()
        self._run.answered(self._phase, replica, entry)
        if isinstance(self._phase.request, Query) and not self._run.is_in(self._phase):
            self._cancel()

    def _end(self) -> None:
        request = self._phase.request
        if isinstance(request, Store):
            for home in self._left:
                self._with.missed.missed(home, request.key, request.entry)
        self._run.timed_out(self._phase)

    def _cancel(self) -> None:
        for timer in self._timers:
            timer.cancel()
