"""The simulated network: hosts, addresses, connections, and packets that arrive late, or only after a cut heals.

A connection works like TCP: bytes arrive in order and complete, or the connection ends. Lost packets are sent again, so loss is
delay. A cut holds what travels in one direction between two hosts; after it heals, this arrives after one more retransmission.
"""

from __future__ import annotations

import asyncio
import errno
import zlib
from collections.abc import Callable
from heapq import heappush
from typing import Any, Final, cast

from harness.model.system import Address
from harness.simulation.host import Host
from harness.simulation.link import NamedLink
from harness.simulation.loop import HostLoop, Socket
from harness.simulation.messages import Message, text_of
from harness.simulation.server import Server
from harness.simulation.shaper import ENDS, CableEnd, Shaper
from harness.simulation.transport import End
from harness.simulation.wire import SENT, Wire
from harness.simulation.world import World

_UNACKNOWLEDGED_S: Final = 0.2
"""TCP continues to send for this long without acknowledgements; then it only retransmits (its least timeout on Linux)."""

_CONNECT_AGAIN_S: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""How long a connection request waits before it is sent again (RFC 6298: one second, doubled; on Linux, six times)."""

_AGAIN_S: Final = 0.4
"""What a cut held arrives at most this long after it heals: TCP has been doubling its timeout meanwhile."""

_EVERYWHERE: Final = ("0.0.0.0", "", None)  # noqa: S104 - nothing is bound
"""Hosts that stand for every address of a machine that listens."""

_FIRST_PORT: Final = 32768
_PORTS: Final = 28232
"""The ports from which connections are made, as on Linux."""

Pair = tuple[str, str]
"""The sending and the receiving host."""


class Network:
    """See the module."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.messages: list[Message] = []
        self.delay_s: tuple[float, float] = (0.0001, 0.0004)
        """The delay of a packet: from, to."""
        self.late_share = 0.0
        """The share of packets that are late, as if they had been lost once."""
        self.spared = ""
        """A host whose packets are never late."""
        self.split_share = 0.02
        """The share of writes that arrive in two pieces."""
        self.slow_s: dict[Pair, float] = {}
        """The largest additional delay of packets between some hosts."""
        self._random = world.random("network")
        self._draw = self._random.random
        self._hosts: dict[str, Host] = {}
        self._routes: dict[Address, tuple[Host, NamedLink | None]] = {}
        self._listening: dict[Address, tuple[HostLoop, Callable[[], asyncio.BaseProtocol]]] = {}
        self._ends: dict[HostLoop, dict[End, Wire]] = {}
        """The open ends of each process, and the wire to which each writes."""
        self.lost: dict[Pair, tuple[int, int]] = {}
        """The number of packets, and of bytes, that met a cut."""
        self.shapers: dict[tuple[str, CableEnd], Shaper] = {}
        """The rate limits, each at one end of a host's cable."""
        self._cuts: dict[Pair, int] = {}
        self._unacknowledged: dict[Pair, list[float]] = {}
        """Pairs of hosts that get no acknowledgements for what they send, and since when, once for each cut."""
        self._held: dict[Pair, list[Callable[[], None]]] = {}

    # ----------------------------------------------------------------------------------------------------------- addresses

    def add(self, host: Host) -> None:
        self._hosts[host.name] = host
        self._routes[host.address] = host, None

    def add_link(self, address: Address, link: NamedLink, target: Host) -> None:
        """Let an address lead to a host, over a link that may have toxics."""
        self._routes[address] = target, link

    def listen(self, loop: HostLoop, address: Address, factory: Callable[[], asyncio.BaseProtocol]) -> Server:
        if address[0] in _EVERYWHERE:
            address = self._host(loop).address[0], address[1]
        if address in self._listening:
            raise OSError(errno.EADDRINUSE, f"error while attempting to bind on address {address}: address already in use")
        self._listening[address] = loop, factory
        return Server(self, loop, address)

    def stop_listening(self, loop: HostLoop, address: Address) -> None:
        if self._listening.get(address, (None,))[0] is loop:
            del self._listening[address]

    # ------------------------------------------------------------------------------------------------------------------ cuts

    def cut(self, source: str, target: str, *, acknowledgements: bool = False) -> None:
        """Let nothing through in this direction, until `mend` has been called as often as `cut`.

        With `acknowledgements`, these are lost as well: soon the other direction stops, too, and no connection opens.
        """
        self._cuts[source, target] = self._cuts.get((source, target), 0) + 1
        if acknowledgements:
            self._unacknowledged.setdefault((target, source), []).append(self.world.now)

    def mend(self, source: str, target: str, *, acknowledgements: bool = False) -> None:
        pair, back = (source, target), (target, source)
        self._cuts[pair] -= 1
        if not self._cuts[pair]:
            del self._cuts[pair]
            self._release(pair)
        if acknowledgements:
            self._unacknowledged[back].pop()
            if not self._unacknowledged[back]:
                del self._unacknowledged[back]
                self._release(back)

    def _release(self, pair: Pair) -> None:
        for again in self._held.pop(pair, []):
            self.world.after(self._random.uniform(0, _AGAIN_S), again)

    def _holds(self, pair: Pair, size: int) -> bool:
        """Whether a packet of `size` bytes does not come through now; 0: a packet without data."""
        if pair in self._cuts:
            packets, lost = self.lost.get(pair, (0, 0))
            self.lost[pair] = packets + 1, lost + size
            return True
        since = self._unacknowledged.get(pair)
        return since is not None and self.world.now > since[0] + _UNACKNOWLEDGED_S

    def reset_between(self, one: str, other: str) -> int:
        """Reset every connection between two hosts, at both ends; returns how many there were."""
        found = 0
        for ends in self._ends.values():
            for end, wire in list(ends.items()):
                if {wire.source.name, wire.target.name} == {one, other}:
                    end.receive_reset()
                    found += 1
        return found

    def sockets(self, loop: HostLoop) -> tuple[int, int]:
        """The number of open sockets of a process, including listening ones; and how many of them it has accepted, and has not
        closed although the other side has."""
        listening = [address for address, (listener, _) in self._listening.items() if listener is loop]
        ends = self._ends.get(loop, {})
        abandoned = sum(end.ended and end.get_extra_info("sockname") in listening for end in ends)
        return len(ends) + len(listening), abandoned

    def calm(self) -> None:
        """Let no packet be late from now on."""
        self.late_share, self.slow_s = 0.0, {}

    # ----------------------------------------------------------------------------------------------------------- connections

    async def connect(
        self, loop: HostLoop, address: Address, factory: Callable[[], asyncio.BaseProtocol]
    ) -> tuple[End, asyncio.BaseProtocol]:
        """A connection to the process that listens there, like asyncio's `create_connection`."""
        if address not in self._routes:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"Connect call failed {address}")
        target, link = self._routes[address]
        if link is not None:
            await link.let_connect(loop)
        joined: asyncio.Future[None] = loop.create_future()
        end = End(loop)
        self.world.at(loop.time(), self._ask, loop, end, target, link, joined, 0)
        try:
            await joined
        except asyncio.CancelledError:
            end.vanish()
            if (wire := self._ends.get(loop, {}).pop(end, None)) is not None:
                wire.send_reset()
            raise
        if end.lost:  # it was reset before this process heard that it is open
            raise ConnectionResetError(errno.ECONNRESET, f"Connect call failed {address}")
        protocol = factory()
        end.open(cast(asyncio.Protocol, protocol))
        return end, protocol

    def _ask(
        self, loop: HostLoop, end: End, target: Host, link: NamedLink | None, joined: asyncio.Future[None], tries: int
    ) -> None:
        """Send the connection request, and again if it gets no answer."""
        if not loop.dead and not joined.done() and end not in self._ends.get(loop, {}):
            self._packet(self._host(loop), target, self._asked, loop, end, target, link, joined)
            if tries < len(_CONNECT_AGAIN_S):
                self.world.after(_CONNECT_AGAIN_S[tries], self._ask, loop, end, target, link, joined, tries + 1)

    def _asked(self, loop: HostLoop, end: End, target: Host, link: NamedLink | None, joined: asyncio.Future[None]) -> None:
        """Let the target's kernel answer, even if its process is stopped."""
        if loop.dead or not target.powered or end in self._ends.get(loop, {}):
            return
        if (loop.host.name, target.name) in self._unacknowledged:
            return  # the answer is lost, so the request comes again: see `_ask`
        if target.address not in self._listening:
            refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")
            self._packet(target, self._host(loop), self._answer, loop, joined, refused)
            return
        if joined.done():
            return
        listener, factory = self._listening[target.address]
        accepted = End(listener)
        number = self.world.next_number()
        counters = link.new_connection() if link is not None else NamedLink.uncounted()
        source = self._host(loop)
        up = Wire(self, source, target, (end, accepted), counters[0], number, f"{self.world.seed}/{number}/upstream")
        down = Wire(self, target, source, (accepted, end), counters[1], number, f"{self.world.seed}/{number}/downstream")
        up.opposite, down.opposite = down, up
        dialled_from = source.address[0], _FIRST_PORT + number % _PORTS
        end.join(up, dialled_from, target.address)
        accepted.join(down, target.address, dialled_from)
        self._ends.setdefault(loop, {})[end] = up
        self._ends.setdefault(listener, {})[accepted] = down
        if link is not None:
            link.opened(up, down)
        listener.deliver(_accept, accepted, factory)
        self._packet(target, self._host(loop), self._answer, loop, joined, None)

    def _answer(self, loop: HostLoop, joined: asyncio.Future[None], error: Exception | None) -> None:
        def settle() -> None:
            if not joined.done():
                if error is None:
                    joined.set_result(None)
                else:
                    joined.set_exception(error)

        loop.deliver(settle)

    def gone(self, end: Socket) -> None:
        """An end's socket is closed."""
        if isinstance(end, End):
            self._ends.get(end.loop, {}).pop(end, None)

    def host_ended(self, loop: HostLoop) -> None:
        """A process has ended; its kernel closes its connections, if it has power."""
        for address in [address for address, (listener, _) in self._listening.items() if listener is loop]:
            del self._listening[address]
        for end, wire in self._ends.pop(loop, {}).items():
            end.vanish()
            if self._host(loop).powered:
                if self._random.random() < 0.3:  # as if data had been left unread
                    wire.send_reset()
                else:
                    wire.send_end()

    def forget(self) -> None:
        """Release every connection."""
        self._listening.clear()
        self._ends.clear()
        self._held.clear()

    def _host(self, loop: HostLoop) -> Host:
        return self._hosts[loop.host.name]

    # --------------------------------------------------------------------------------------------------------------- packets

    def record(self, wire: Wire, data: bytes) -> Message:
        message = Message(
            sent_s=wire.sender.loop.time(),
            source=wire.source.name,
            target=wire.target.name,
            text=text_of(data),
            connection=wire.connection,
        )
        self.messages.append(message)
        return message

    def carry(self, wire: Wire, data: bytes, from_s: float, sent_s: float) -> None:
        """Take bytes to the other end from a time on, in one piece or two, unless the sender dies before it sends them."""
        if self.split_share and len(data) > 1 and self._draw() < self.split_share:
            at = self._random.randrange(1, len(data))
            self._carry(wire, data[:at], from_s, sent_s)
            data = data[at:]
        self._carry(wire, data, from_s, sent_s)

    def _carry(self, wire: Wire, data: bytes, from_s: float, sent_s: float) -> None:
        at, world = from_s + self._delay(wire.pair), self.world
        if self.shapers:
            for end in ENDS:
                if (shaper := self.shapers.get((wire.pair[end == "in"], end))) is not None:
                    at = shaper.passed_s(at, len(data))
        if at < wire.last_s:
            at = wire.last_s
        wire.last_s = at
        heappush(world.heap, (at, next(world.order), self._arrive, (wire, data, sent_s)))

    def carry_end(self, wire: Wire) -> None:
        wire.last_s = max(wire.last_s, self.world.now + self._delay(wire.pair))
        self.world.at(wire.last_s, self._arrive, wire, b"", SENT)

    def carry_reset(self, wire: Wire) -> None:
        wire.last_s = max(wire.last_s, self.world.now + self._delay(wire.pair))
        self.world.at(wire.last_s, self._arrive, wire, None, SENT)

    def _arrive(self, wire: Wire, data: bytes | None, sent_s: float) -> None:
        """Let bytes, the end (b""), or a reset (None) arrive at the other host, unless a cut holds them."""
        sender = wire.sender
        if sender.loop.dead and sent_s > sender.loop.dies_at_s:
            return  # its process died before it sent this
        if wire.backlog is not None:
            wire.backlog.append(data)
        elif self._cuts and self._holds(wire.pair, len(data or b"")):
            wire.backlog = [data]
            self._held.setdefault(wire.pair, []).append(lambda: self._flush(wire))
        else:
            self._hand_over(wire, data)

    def _flush(self, wire: Wire) -> None:
        """Deliver what a cut held, unless there is another cut."""
        if self._cuts and self._holds(wire.pair, sum(len(data or b"") for data in wire.backlog or ())):
            self._held.setdefault(wire.pair, []).append(lambda: self._flush(wire))
            return
        backlog, wire.backlog = wire.backlog or [], None
        for data in backlog:
            self._hand_over(wire, data)

    def _hand_over(self, wire: Wire, data: bytes | None) -> None:
        receiver = wire.receiver
        self.world.mix(wire.target.number, zlib.crc32(data) if data else -1 if data is None else -2)
        if data is None:
            receiver.receive_reset()
        elif not data:
            receiver.receive_end()
        elif receiver.receive(data):
            if wire.under_way:
                wire.arrived(len(data))
        elif wire.target.powered:
            self._refuse(wire)

    def _refuse(self, wire: Wire) -> None:
        """Let the target's kernel say that it does not know this connection."""
        if wire.opposite.holds_end:
            wire.opposite.send_end()
        else:
            self._packet(wire.target, wire.source, wire.sender.receive_reset)

    def _packet(self, source: Host, target: Host, act: Callable[..., None], *args: Any) -> None:
        """Carry a packet outside of connections: cuts hold it, and it has no order."""
        pair = source.name, target.name
        if self._cuts and self._holds(pair, 0):
            self._held.setdefault(pair, []).append(lambda: self._packet(source, target, act, *args))
        else:
            self.world.after(self._delay(pair), act, *args)

    def _delay(self, pair: Pair) -> float:
        low, high = self.delay_s
        random = self._draw
        delay_s = low + (high - low) * random()
        if self.slow_s and (slow_s := self.slow_s.get(pair)):
            delay_s += slow_s * random()
        if self.late_share and random() < self.late_share and self.spared not in pair:
            delay_s += self._random.choice((0.05, 0.2, 0.4))
        return delay_s


def _accept(end: End, factory: Callable[[], asyncio.BaseProtocol]) -> None:
    if not end.lost:
        end.open(cast(asyncio.Protocol, factory()))
