"""One direction of a simulated connection: from its sender, through the toxics of its link, to its receiver.

The toxics are those of the embedded fault plane, and run here unchanged (`faults.plane.link`), with the world's clock. Without
toxics, bytes go straight to the network.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Final, Protocol

from faults.plane.kind import Chunk
from faults.plane.link import Link
from faults.plane.metrics import ByteCounter
from faults.plane.toxic import Toxic
from harness.simulation.host import Host
from harness.simulation.messages import Message
from harness.simulation.transport import End
from harness.simulation.world import World

SENT: Final = -inf
"""The time at which bytes were sent that have left their sender already, and arrive also if it dies now."""


class WorldClock:
    """The world's time for the fault plane's code; see `faults.plane.clock.Clock`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now_ns(self) -> int:
        return self._world.monotonic_ns

    def at(self, due_ns: int, callback: Callable[[], None]) -> WorldTimer:
        timer = WorldTimer(callback)
        self._world.at(due_ns / 1e9 + 1e-9, timer.ring)  # never too early: floats round
        return timer


class WorldTimer:
    """A future callback that can be cancelled."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self._callback = None

    def ring(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Carrier(Protocol):
    """The network, as a wire uses it."""

    world: World

    def record(self, wire: Wire, data: bytes) -> Message:
        """Keep what is sent, for looking at the run afterwards."""

    def carry(self, wire: Wire, data: bytes, from_s: float, sent_s: float) -> None:
        """Take bytes to the other end from a time on, unless the sender dies before it sends them."""

    def carry_end(self, wire: Wire) -> None:
        """Tell the other end that no more will come."""

    def carry_reset(self, wire: Wire) -> None:
        """Tell the other end that the connection was reset."""


class Wire:
    """See the module. To `faults.plane.link.Link` it is the source and the sink at once."""

    opposite: Wire
    """The other direction of the same connection."""
    forward: Callable[[bytes], None]
    blocked = False
    lost = False

    def __init__(
        self,
        network: Carrier,
        source: Host,
        target: Host,
        ends: tuple[End, End],
        counter: ByteCounter,
        connection: int,
        seed: str,
    ) -> None:
        """`ends` belong to the source and the target; `connection` is the number of the connection, for both directions."""
        self.sender, self.receiver = ends
        self.source = source
        self.target = target
        self.pair = source.name, target.name
        self.connection = connection
        self.last_s = 0.0
        """The arrival time of the last segment: none overtakes another."""
        self.write: Callable[[bytes], None] = self._write
        self.under_way: deque[tuple[int, Message]] = deque()
        """Messages recorded as sent but not yet as arrived, the oldest first, each with the place of its end in the stream."""
        self._sent_bytes = self._arrived_bytes = 0
        self.backlog: list[bytes | None] | None = None
        """What a cut holds, in order; None if it holds nothing."""
        self._network = network
        self._counter = counter
        self._seed = seed
        self._link: Link | None = None
        self._resets = False
        self._has_ended = False

    # ------------------------------------------------------------------------------------------------------ from the sender

    def send(self, data: bytes) -> None:
        """Send bytes at the sender's own time, which may be ahead of the world's."""
        network = self._network
        if network.world.happenings is not None:
            self._sent_bytes += len(data)
            self.under_way.append((self._sent_bytes, network.record(self, data)))
        self._counter.received += len(data)
        sent_s = self.sender.loop.time()
        if self._link is None:
            network.carry(self, data, sent_s, sent_s)
        else:
            network.world.at(sent_s, self._forward, data)

    def arrived(self, length: int) -> None:
        """So many bytes have arrived: record which messages are complete."""
        self._arrived_bytes += length
        while self.under_way and self.under_way[0][0] <= self._arrived_bytes:
            self.under_way.popleft()[1].arrived_s = self._network.world.now

    def send_end(self) -> None:
        self._network.world.at(self.sender.loop.time(), self._end)

    def send_reset(self) -> None:
        """The sender's kernel resets the connection: the reset arrives after everything sent.

        If there are toxics, it ends the stream that they get, as for the fault plane's proxies: it does not overtake what they
        hold, nor pass those that let nothing pass.
        """
        if self._link is None:
            self._network.carry_reset(self)
        else:
            self.send_end()

    @property
    def holds_end(self) -> bool:
        """Whether there are, or were, toxics that the end of the stream has not passed: a reset is an end to them."""
        return self._link is not None and not self._has_ended

    def acknowledge(self, length: int) -> None:
        self.receiver.acknowledge(length)

    def _forward(self, data: bytes) -> None:
        if not self._died_before():
            self.forward(data)

    def _end(self) -> None:
        if self._died_before() and not self.source.powered:  # else its kernel says so
            return
        if self._link is None:
            self.end()
        else:
            self._link.end()

    def _died_before(self) -> bool:
        """Whether the sender died before this time, ahead of which it had been when it sent something."""
        loop = self.sender.loop
        return loop.dead and self._network.world.now > loop.dies_at_s

    # ---------------------------------------------------------------------------------------------------------- from toxics

    def begin(self, toxics: list[Toxic]) -> None:
        """Apply the link's toxics to a new connection."""
        if toxics:
            self._plane_link().begin(toxics)

    def add(self, toxic: Toxic) -> None:
        self._plane_link().add(toxic)

    def remove(self, toxic: Toxic) -> None:
        if self._link is not None:
            self._link.remove(toxic)

    def _plane_link(self) -> Link:
        if self._link is None:
            self._link = Link(self, self, self._counter, WorldClock(self._network.world), self._seed)
            self._link.begin([])
        return self._link

    def pause(self) -> None:
        """The toxics are full: the sender's kernel holds the rest."""

    def resume(self) -> None:
        """The toxics have room again."""

    def reset_at_close(self) -> None:
        self._resets = self.opposite._resets = True

    def feed(self, chunk: Chunk) -> None:
        self._counter.withheld -= len(chunk.data)
        self.write(chunk.data)

    def _write(self, data: bytes) -> None:
        self._network.carry(self, data, self._network.world.now, SENT)

    def unwritten_bytes(self) -> int:
        return 0

    def end(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            if self._resets:
                self._network.carry_reset(self)
                self._network.carry_reset(self.opposite)
            else:
                self._network.carry_end(self)
