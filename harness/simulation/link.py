"""A simulated link: its toxics, their counters, and its open connections."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Final

import msgspec

from faults.plane.metrics import ByteCounter
from faults.plane.toxic import Direction, Toxic, release
from faults.plane.toxics import KINDS
from harness.model.environment import LinkCounters
from harness.model.errors import FaultError
from harness.simulation.loop import HostLoop
from harness.simulation.wire import Wire
from harness.simulation.world import World

_DIRECTIONS: Final[tuple[Direction, Direction]] = ("upstream", "downstream")


class NamedLink:
    """The connections that one node opens to another. Toxics act on them like those of a proxy between the two."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self._world = world
        self._toxics: dict[str, Toxic] = {}
        self._counters = {direction: ByteCounter() for direction in _DIRECTIONS}
        self._connections = 0
        self._open: list[tuple[Wire, Wire]] = []

    @staticmethod
    def uncounted() -> tuple[ByteCounter, ByteCounter]:
        """The counters of a connection that goes over no link."""
        return ByteCounter(), ByteCounter()

    def new_connection(self) -> tuple[ByteCounter, ByteCounter]:
        """Count a connection; returns the byte counters of its two directions."""
        self._connections += 1
        return self._counters["upstream"], self._counters["downstream"]

    def opened(self, up: Wire, down: Wire) -> None:
        """A connection is open: apply the present toxics to it."""
        self._open = [pair for pair in self._open if not (pair[0].sender.lost and pair[0].receiver.lost)]
        self._open.append((up, down))
        up.begin([toxic for toxic in self._toxics.values() if toxic.direction == "upstream"])
        down.begin([toxic for toxic in self._toxics.values() if toxic.direction == "downstream"])

    async def let_connect(self, loop: HostLoop) -> None:
        """Wait as long as the connect-phase toxics ask. Raises `ConnectionResetError` if one resets the connection."""
        for toxic in list(self._toxics.values()):
            if toxic.kind.connect is None or not toxic.scope.reaches(toxic.count_connection()):
                continue
            if self._world.random(f"{self.name}/{toxic.name}/connect/{toxic.connections}").random() >= toxic.toxicity:
                continue
            wait_ns = toxic.kind.connect(toxic.attributes)
            toxic.shared.hits += wait_ns is None or wait_ns > 0
            if wait_ns is None:
                raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
            waiting = loop.create_future()
            timer = loop.call_later(wait_ns / 1e9, release, waiting)
            toxic.waiting.add(waiting)
            try:
                await waiting
            finally:
                timer.cancel()
                toxic.waiting.discard(waiting)

    def add_toxic(self, name: str, *, kind: str, stream: str, attributes: Mapping[str, float | str], toxicity: float) -> None:
        if kind not in KINDS:
            raise FaultError(f"there is no toxic {kind!r}")
        direction: Direction = "upstream" if stream == "upstream" else "downstream"
        toxic = self._toxics[name] = Toxic(
            name=name,
            type=kind,
            stream=stream,
            direction=direction,
            toxicity=toxicity,
            kind=KINDS[kind],
            attributes=msgspec.convert(dict(attributes), KINDS[kind].attributes),
        )
        for wire in self._wires(direction):
            wire.add(toxic)

    def remove_toxic(self, name: str) -> None:
        """Remove a toxic, if it is there."""
        toxic = self._toxics.pop(name, None)
        if toxic is not None:
            toxic.release_waiting()
            for wire in self._wires(toxic.direction):
                wire.remove(toxic)

    def forget(self) -> None:
        """Release every connection."""
        self._open.clear()

    def hits(self) -> dict[str, int]:
        """How often each toxic took effect."""
        return {name: toxic.shared.hits for name, toxic in self._toxics.items() if toxic.shared.hits}

    def counters(self) -> LinkCounters:
        """The traffic over this link so far."""
        received: dict[str, int] = {direction: counter.received for direction, counter in self._counters.items()}
        withheld: dict[str, int] = {direction: counter.withheld for direction, counter in self._counters.items()}
        sent = {direction: count - withheld[direction] for direction, count in received.items()}
        return LinkCounters(received_bytes=received, sent_bytes=sent, connections=self._connections)

    def _wires(self, direction: Direction) -> list[Wire]:
        place = _DIRECTIONS.index(direction)
        return [pair[place] for pair in self._open]
