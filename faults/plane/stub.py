"""Runs one toxic on one stream of one connection: queues chunks, feeds them to the pipe and wakes it on time."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Final, Protocol

from faults.plane.clock import Clock, Timer
from faults.plane.kind import NEXT, Chunk, Interrupted, Next, Pipe, Signal, Sleep
from faults.plane.scope import Scope
from faults.plane.toxic import Toxic

_CHUNK_OVERHEAD_BYTES: Final = 256
"""What a queued chunk costs beyond its bytes. Counting it bounds a flood of tiny chunks too."""

_STEPS_A_TURN: Final = 256
"""How many steps a pipe may take before other events get their turn."""


class Outlet(Protocol):
    """What a stub passes bytes to: the next stub or the receiving end."""

    def feed(self, chunk: Chunk) -> None: ...

    def end(self) -> None: ...


class Stream(Protocol):
    """What a stub needs from its link."""

    timers: Clock

    def choke(self) -> None:
        """The stub has closed the stream: stop reading."""

    def relax(self) -> None:
        """The stub has let bytes go."""

    def reset_at_close(self) -> None:
        """Make both ends close with RST."""


class RunningStub:
    """A toxic's pipe on one link. Toxicity is drawn when the pipe starts; if it spares the link, everything passes."""

    __slots__ = (
        "_begun",
        "_born_ns",
        "_hand",
        "_held",
        "_ordinal",
        "_pipe",
        "_position",
        "_queue",
        "_scope_timers",
        "_stream",
        "_stretch",
        "_timer",
        "_want",
        "closed",
        "ended",
        "now_ns",
        "outlet",
        "random",
        "shared",
        "state",
        "toxic",
    )

    def __init__(self, toxic: Toxic, stream: Stream, outlet: Outlet, random: Random) -> None:
        self.toxic = toxic
        self._stream = stream
        self.outlet = outlet
        self.random = random
        self.shared = toxic.shared
        self.state = 0
        self.ended = False
        self.closed = False
        self._queue: deque[Chunk] = deque()
        self._held = 0
        self._hand = 0
        self._pipe: Pipe | None = None
        self._want: Next | Sleep = NEXT
        self._timer: Timer | None = None
        self._ordinal = 0 if toxic.kind.connect else toxic.count_connection()
        self.now_ns = stream.timers.now_ns
        self._born_ns = self.now_ns()
        self._position = 0
        """How many bytes have arrived."""
        self._stretch: Scope | None = None
        """The toxic's scope, if that covers only a part of each connection."""
        self._begun = False
        """Whether the toxic has begun to act. It does so once, and draws its toxicity then."""
        self._scope_timers: list[Timer] = []

    # ------------------------------------------------------------------------------------------- from the stream

    @property
    def held_bytes(self) -> int:
        """How much it holds back, with an allowance for the cost of each chunk."""
        return self._held

    def feed(self, chunk: Chunk) -> None:
        if self._stretch is None:
            self._position += len(chunk.data)
            self._feed(chunk)
            return
        for part in self._stretch.parts(chunk, self._position):
            self._begin_if_due()
            self._position += len(part.data)
            self._feed(part)
        self._begin_if_due()

    def _feed(self, chunk: Chunk) -> None:
        if self.closed:
            return
        if self._pipe is None:
            self.outlet.feed(chunk)
            return
        self._queue.append(chunk)
        self._held += len(chunk.data) + _CHUNK_OVERHEAD_BYTES
        self._wake()

    def end(self) -> None:
        """The sender has closed. What is queued comes first."""
        if self.ended or self.closed:
            return
        self.ended = True
        if self._pipe is None:
            self.close()
        else:
            self._wake()

    # -------------------------------------------------------------------------------------------------- from the pipe

    def send(self, chunk: Chunk) -> None:
        self.outlet.feed(chunk)

    def reset(self) -> None:
        self._stream.reset_at_close()

    # --------------------------------------------------------------------------------------------------- from the API

    def start(self) -> None:
        """Start, or restart after `stop`: with what is queued, and with a new draw of toxicity."""
        scope = self.toxic.scope
        self._begun = False
        self._cancel_scope_timers()
        self._stretch = scope if scope.is_stretch else None
        if scope.reaches(self._ordinal):
            if self._stretch is not None:
                self._set_scope_timers(self._stretch)
            self._begin_if_due()
        if self._pipe is None:
            self._pass_on()

    def _begin_if_due(self) -> None:
        if self._begun or self.closed:
            return
        if self._stretch is not None:
            place = self._position, self.now_ns() - self._born_ns
            if self._stretch.is_over(*place) or not self._stretch.has_begun(*place):
                return
        self._begun = True
        if self.random.random() < self.toxic.toxicity:
            self._pipe = self.toxic.kind.pipe(self.toxic.attributes, self)
            self._drive(None)

    def _set_scope_timers(self, scope: Scope) -> None:
        for ms, callback in ((scope.from_ms, self._time_has_come), (scope.to_ms, self._time_is_over)):
            if ms:
                self._scope_timers.append(self._stream.timers.at(self._born_ns + ms * 1_000_000, callback))

    def _time_has_come(self) -> None:
        self._begin_if_due()
        self._stream.relax()

    def _time_is_over(self) -> None:
        self._begun = True
        if self._pipe is not None and self.stop():
            self._leave()
        self._stream.relax()

    def _leave(self) -> None:
        """Go on as if the toxic had been removed, because its scope on this stream is over."""
        if self.closes_when_removed():
            self.close()
        else:
            self._pass_on()

    def _pass_on(self) -> None:
        """Pass on what is queued, and the end if it has come."""
        self.flush()
        if self.ended:
            self.close()

    def _cancel_scope_timers(self) -> None:
        for timer in self._scope_timers:
            timer.cancel()
        self._scope_timers.clear()

    def closes_when_removed(self) -> bool:
        """Whether removing the toxic closes the stream."""
        return self._begun and self.toxic.kind.closes_when_removed(self.state)

    def stop(self) -> bool:
        """Interrupt the pipe: it passes on its current chunk; queued ones stay. False if the pipe refuses to be interrupted."""
        pipe = self._pipe
        if pipe is None:
            return not self.closed
        self._cancel_timer()
        if isinstance(self._want, Sleep):
            try:
                pipe.throw(Interrupted())
            except (StopIteration, Interrupted):
                pass
            else:
                self._wait_until(self._want.until_ns)
                return False
        self._drop_pipe()
        return True

    def _drop_pipe(self) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            pipe.close()
        self._cancel_timer()
        self._done_with_hand()

    def flush(self) -> None:
        """Pass on everything that is queued."""
        while self._queue:
            self.outlet.feed(self._queue.popleft())
        self._held = 0

    def close(self) -> None:
        """End the stream here: drop what is queued and accept nothing more."""
        if self.closed:
            return
        self.closed = True
        self._cancel_timer()
        self._cancel_scope_timers()
        self._queue.clear()
        self._held = self._hand = 0
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            pipe.close()
        self._stream.choke()
        self.outlet.end()

    def discard(self) -> None:
        """The connection is gone: drop everything and cancel all timers."""
        self.closed = True
        self._cancel_timer()
        self._cancel_scope_timers()
        self._queue.clear()
        self._held = self._hand = 0
        self._pipe = None

    # -------------------------------------------------------------------------------------------------------- driving

    def _wake(self) -> None:
        """Give what has arrived to the pipe, if the pipe waits for it."""
        if isinstance(self._want, Next):
            self._cancel_timer()
            self._drive(self._take())

    def _time_is_up(self) -> None:
        self._timer = None
        if isinstance(self._want, Next) and (self._queue or self.ended):
            self._drive(self._take())
        else:
            self._drive(Signal.DUE)
        self._stream.relax()

    def _take(self) -> Chunk | Signal:
        if not self._queue:
            return Signal.END
        chunk = self._queue.popleft()
        self._hand = len(chunk.data) + _CHUNK_OVERHEAD_BYTES
        return chunk

    def _drive(self, got: Chunk | Signal | None) -> None:
        """Run the pipe until it has to wait."""
        pipe = self._pipe
        for _ in range(_STEPS_A_TURN):
            if pipe is None or self.closed:
                return
            try:
                want = self._want = pipe.send(got)  # type: ignore[arg-type]  # None begins it
            except StopIteration:
                self.close()
                return
            if isinstance(want, Sleep):
                if want.until_ns > self.now_ns():
                    self._wait_until(want.until_ns)
                    return
                got = Signal.DUE
                continue
            self._done_with_hand()
            if self._stretch is not None and self._stretch.is_over(self._position - self._queued_bytes()):
                self._drop_pipe()
                self._leave()
                return
            if not self._queue and not self.ended:
                if want.until_ns is not None:
                    self._wait_until(want.until_ns)
                return
            got = self._take()
        self._put_off(got)

    def _put_off(self, got: Chunk | Signal | None) -> None:
        """Give the pipe its next input in the loop's next iteration."""
        if isinstance(got, Chunk):
            self._queue.appendleft(got)
            self._hand = 0
        self._wait_until(self.now_ns())

    def _queued_bytes(self) -> int:
        return self._held - self._hand - len(self._queue) * _CHUNK_OVERHEAD_BYTES

    def _done_with_hand(self) -> None:
        self._held -= self._hand
        self._hand = 0

    def _wait_until(self, due_ns: int) -> None:
        self._timer = self._stream.timers.at(due_ns, self._time_is_up)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
