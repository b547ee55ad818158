"""One stream of one connection: from the sending end, through the toxics' stubs in order, to the receiving end.

Without toxics, bytes go straight from the sender to the receiver's transport and bypass the link.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final, Protocol

from faults.plane.clock import Clock
from faults.plane.kind import Chunk
from faults.plane.metrics import ByteCounter
from faults.plane.stub import Outlet, RunningStub
from faults.plane.toxic import Toxic

BUFFER_BYTES: Final = 64 * 1024
"""How much may wait to be written to a receiver, beyond the room of the toxics, before the sender is paused."""


class Source(Protocol):
    """The sending end."""

    forward: Callable[[bytes], None]
    """Called with the bytes that are read."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def reset_at_close(self) -> None: ...


class Sink(Outlet, Protocol):
    """The receiving end."""

    write: Callable[[bytes], None]
    blocked: bool
    lost: bool

    def unwritten_bytes(self) -> int: ...

    def reset_at_close(self) -> None: ...


class Link:
    """Connects a source to a sink. The source is paused while the toxics and the sink hold more than they have room for."""

    def __init__(self, source: Source, sink: Sink, counter: ByteCounter, timers: Clock, seed: str) -> None:
        self.source = source
        self.sink = sink
        self.counter = counter
        self.timers = timers
        self._seed = seed
        self._stubs: list[RunningStub] = []
        self._head: Outlet = sink
        self._ended = False
        self._choked = False
        self._paused = False

    def begin(self, toxics: list[Toxic]) -> None:
        """Start the flow of bytes."""
        for toxic in toxics:
            self.add(toxic)
        self._rewire()

    # --------------------------------------------------------------------------------------------------- from the ends

    def feed(self, data: bytes) -> None:
        """Pass bytes to the first toxic."""
        self.counter.withheld += len(data)
        self._head.feed(Chunk(data, self.timers.now_ns()))
        self.balance()

    def drop(self, data: bytes) -> None:
        """Discard bytes for a receiver that is gone."""
        self.counter.withheld += len(data)

    def end(self) -> None:
        """The source has closed or is lost."""
        if not self._ended:
            self._ended = True
            self._head.end()

    def sink_lost(self) -> None:
        """The receiver is gone: discard what is held and what will come."""
        self.source.forward = self.drop
        for stub in self._stubs:
            stub.discard()
        self._stubs.clear()

    def balance(self) -> None:
        """Pause or resume the source, depending on how much is held."""
        full = self._choked or self._is_full()
        if full is not self._paused:
            self._paused = full
            self.source.pause() if full else self.source.resume()

    def relax(self) -> None:
        """A stub has let bytes go: resume the source if there is room now."""
        if self._paused:
            self.balance()

    # -------------------------------------------------------------------------------------------------- from the stubs

    def choke(self) -> None:
        """A stub has closed the stream: stop reading."""
        self._choked = True
        self.balance()

    def reset_at_close(self) -> None:
        self.source.reset_at_close()
        self.sink.reset_at_close()

    # ---------------------------------------------------------------------------------------------------- from the API

    def add(self, toxic: Toxic) -> None:
        """Append a toxic to the chain. Bytes that earlier toxics hold will pass through it too."""
        stub = RunningStub(toxic, self, self.sink, Random(f"{self._seed}/{toxic.name}"))
        if self._stubs:
            self._stubs[-1].outlet = stub
        closed = self._stubs[-1].closed if self._stubs else self._ended
        self._stubs.append(stub)
        stub.start()
        if closed:
            stub.end()
        self._rewire()

    def update(self, toxic: Toxic) -> None:
        """Restart the toxic with its new attributes."""
        stub = self._stub(toxic)
        if stub is not None and stub.stop():
            stub.start()
            self.balance()

    def remove(self, toxic: Toxic) -> None:
        """Remove the toxic. What it held goes on at once. A toxic that is about to close the stream stays until it has."""
        stub = self._stub(toxic)
        if stub is None or not stub.stop():
            return
        if stub.closes_when_removed():
            stub.close()
            return
        at = self._stubs.index(stub)
        del self._stubs[at]
        if at:
            self._stubs[at - 1].outlet = stub.outlet
        self._rewire()
        stub.flush()
        if stub.ended:
            stub.outlet.end()
        self.balance()

    def _stub(self, toxic: Toxic) -> RunningStub | None:
        return next((stub for stub in self._stubs if stub.toxic is toxic), None)

    def _rewire(self) -> None:
        self._head = self._stubs[0] if self._stubs else self.sink
        if self.sink.lost:
            self.source.forward = self.drop
        else:
            self.source.forward = self.feed if self._stubs else self.sink.write

    def _is_full(self) -> bool:
        # The chain behaves like bounded queues in a row: no prefix of it holds more than the room of that prefix.
        if not self._stubs:
            return self.sink.blocked
        held = room = 0
        for stub in self._stubs:
            held += stub.held_bytes
            room += stub.toxic.kind.capacity_bytes
            if held > room:
                return True
        return held + self.sink.unwritten_bytes() > room + BUFFER_BYTES
