"""What arrives over a simulated network from a process that has died, of itself or with its machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final, Literal

import pytest

from harness.model.moment import Event, Moment
from harness.simulation.host import Host
from harness.simulation.link import NamedLink
from harness.simulation.network import Network
from harness.simulation.running import running_in
from harness.simulation.world import BEGIN_S, World

LINK: Final = ("10.1.0.1", 7000)
Heard = Literal["said", "ended", "reset"]


class Ear(asyncio.Protocol):
    def __init__(self, heard: list[Heard]) -> None:
        self._heard = heard

    def data_received(self, data: bytes) -> None:
        if "said" not in self._heard:  # else it is the second piece
            self._heard.append("said")

    def connection_lost(self, error: Exception | None) -> None:
        self._heard.append("ended" if error is None else "reset")


def pair(world: World) -> tuple[Host, Host, NamedLink]:
    """Two hosts, and the link from the first to the second."""
    network = Network(world)
    n1, n2 = (Host(world, network, number, f"n{number}", (f"10.0.0.{number}", 7000)) for number in (1, 2))
    link = NamedLink(world, "n1>n2")
    network.add(n1)
    network.add(n2)
    network.add_link(LINK, link, n2)
    return n1, n2, link


def run(world: World) -> None:
    """Let a second pass."""
    world.at(BEGIN_S + 1, setattr, world, "over", True)
    with running_in(world):
        world.run(BEGIN_S + 2)


def heard(dies: Callable[[Host], object], *, seed: int, latency_ms: int = 0) -> list[Heard]:
    """What n2 hears if n1 says something over a link, and `dies` is called with it 50 ms later."""
    world, told = World(seed), list[Heard]()
    n1, n2, link = pair(world)
    if latency_ms:
        link.add_toxic("late", kind="latency", stream="upstream", attributes={"latency": latency_ms}, toxicity=1.0)

    async def listen() -> None:
        async with await asyncio.get_running_loop().create_server(lambda: Ear(told), *n2.address) as server:
            await server.serve_forever()

    async def say() -> None:
        await asyncio.sleep(0.01)
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, *LINK)
        transport.write(b"something")
        await asyncio.sleep(10)

    n2.start(listen)
    n1.start(say)
    world.at(BEGIN_S + 0.06, dies, n1)
    run(world)
    return told


def go_on(host: Host) -> None:
    assert host.loop is not None
    host.loop.go_on()


def stopped_and_killed(host: Host) -> None:
    assert host.loop is not None
    host.loop.stop_running()
    host.world.after(0.05, host.kill)


@pytest.mark.parametrize("dies", [Host.kill, stopped_and_killed])
def test_the_kernel_of_a_dead_process_tells_its_peers(dies: Callable[[Host], object]) -> None:
    told = {tuple(heard(dies, seed=seed)) for seed in range(1, 11)}
    assert told == {("said", "ended"), ("said", "reset")}


def test_what_a_link_holds_arrives_after_the_death_of_its_sender_and_before_that_is_told() -> None:
    told = {tuple(heard(Host.kill, seed=seed, latency_ms=200)) for seed in range(1, 11)}
    assert told == {("said", "ended")}


def test_a_machine_that_loses_power_says_nothing_more_and_what_it_has_said_arrives() -> None:
    assert heard(Host.cut_power, seed=1) == ["said"]
    assert heard(Host.cut_power, seed=1, latency_ms=200) == ["said"]


@pytest.mark.parametrize("kind", ["half_open", "latency"])
def test_toxics_hold_back_the_reset_that_answers_what_arrives_at_a_dead_process(kind: str) -> None:
    """n2 greets whoever connects, and dies; n1 goes on sending, which must not end what HalfOpen keeps half open."""
    world, told = World(1), list[tuple[object, bool]]()
    n1, n2, link = pair(world)
    attributes = {"latency": 300} if kind == "latency" else {}
    link.add_toxic("held", kind=kind, stream="downstream", attributes=attributes, toxicity=1.0)

    class Hears(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            told.append((data, world.now > BEGIN_S + 0.3))

        def connection_lost(self, error: Exception | None) -> None:
            told.append((error, world.now > BEGIN_S + 0.3))

    class Greets(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            transport.write(b"welcome")

    async def listen() -> None:
        async with await asyncio.get_running_loop().create_server(Greets, *n2.address) as server:
            await server.serve_forever()

    async def say() -> None:
        await asyncio.sleep(0.01)
        transport, _ = await asyncio.get_running_loop().create_connection(Hears, *LINK)
        await asyncio.sleep(0.1)
        transport.write(b"something")
        await asyncio.sleep(10)

    n2.start(listen)
    n1.start(say)
    world.at(BEGIN_S + 0.06, n2.kill)
    world.at(BEGIN_S + 0.7, link.remove_toxic, "held")
    run(world)
    assert told == [(b"welcome", kind == "latency"), (None, True)]


def test_a_connection_that_is_reset_before_its_opener_hears_that_it_is_open_is_told_to_be_lost() -> None:
    def reads(seed: int) -> str:
        """What n1 reads from n2, if n1 is stopped as it connects, and n2 dies meanwhile."""
        world, told = World(seed), ["nothing, for ever"]
        n1, n2, _ = pair(world)

        async def listen() -> None:
            async with await asyncio.get_running_loop().create_server(asyncio.Protocol, *n2.address) as server:
                await server.serve_forever()

        async def ask() -> None:
            await asyncio.sleep(0.01)
            try:
                reader, _ = await asyncio.open_connection(*n2.address)
                told[0] = "the end" if await reader.read() == b"" else "something"
            except ConnectionResetError:
                told[0] = "reset"

        n2.start(listen)
        n1.start(ask)
        assert n1.loop is not None
        world.at(BEGIN_S + 0.0101, n1.loop.stop_running)
        world.at(BEGIN_S + 0.06, n2.kill)
        world.at(BEGIN_S + 0.1, n1.loop.go_on)
        run(world)
        return told[0]

    assert {reads(seed) for seed in range(1, 11)} == {"the end", "reset"}


@pytest.mark.parametrize(("goes_on", "then"), [(True, b"before after"), (False, b"before ")])
def test_what_a_process_sends_after_it_has_stopped_itself_leaves_when_it_goes_on(goes_on: bool, then: bytes) -> None:
    world, received, as_stopped = World(1), bytearray(), list[bytes]()
    n1, n2, _ = pair(world)

    class Listens(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            received.extend(data)

    async def listen() -> None:
        async with await asyncio.get_running_loop().create_server(Listens, *n2.address) as server:
            await server.serve_forever()

    async def say() -> None:
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, *n2.address)
        transport.write(b"before ")
        n1.control.moments.passes(Event.SENT, "/replica")
        transport.write(b"after")
        await asyncio.sleep(10)

    n1.control.moments.arm(Moment(event="sent"))
    n2.start(listen)
    world.at(BEGIN_S + 0.1, n1.start, say)
    world.at(BEGIN_S + 0.2, lambda: as_stopped.append(bytes(received)))
    world.at(BEGIN_S + 0.3, go_on if goes_on else Host.kill, n1)
    run(world)
    assert (as_stopped, bytes(received)) == ([b"before "], then)


def test_a_message_has_arrived_when_all_of_it_has_and_none_that_a_cut_holds() -> None:
    world = World(1, record=True)
    n1, n2, _ = pair(world)
    network = n1.network
    assert isinstance(network, Network)
    network.delay_s, network.split_share = (0.01, 0.01), 1.0

    async def listen() -> None:
        async with await asyncio.get_running_loop().create_server(asyncio.Protocol, *n2.address) as server:
            await server.serve_forever()

    async def say() -> None:
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, *n2.address)
        for said in (b"one", b"two", b"three"):
            transport.write(said)
            await asyncio.sleep(0.008)
        await asyncio.sleep(10)

    n2.start(listen)
    world.at(BEGIN_S + 0.1, n1.start, say)
    world.at(BEGIN_S + 0.141, network.cut, "n1", "n2")
    run(world)
    took_s = {one.text: None if one.arrived_s is None else round(one.arrived_s - one.sent_s, 4) for one in network.messages}
    assert took_s == {"one": 0.01, "two": 0.01, "three": None}


def test_each_host_may_listen_at_all_of_its_addresses() -> None:
    world, told = World(1), list[bytes]()
    n1, n2, _ = pair(world)

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"welcome")
        writer.close()

    async def meet(other: Host) -> None:
        async with await asyncio.start_server(greet, "0.0.0.0", 7000):  # noqa: S104 - nothing is bound
            await asyncio.sleep(0.1)
            reader, writer = await asyncio.open_connection(*other.address)
            told.append(await reader.read())
            writer.close()
            await asyncio.sleep(10)

    n1.start(lambda: meet(n2))
    n2.start(lambda: meet(n1))
    run(world)
    assert told == [b"welcome", b"welcome"]


@pytest.mark.parametrize(("down_s", "joined_s"), [(0.5, 1), (2.5, 3), (5.0, 7), (12.0, 15), (20.0, 31)])
def test_a_connection_request_that_is_not_answered_is_sent_again_when_linux_does(down_s: float, joined_s: float) -> None:
    world, joined = World(1), list[float]()
    n1, n2, _ = pair(world)

    async def listen() -> None:
        async with await asyncio.get_running_loop().create_server(asyncio.Protocol, *n2.address) as server:
            await server.serve_forever()

    async def ask() -> None:
        await asyncio.sleep(1)
        await asyncio.get_running_loop().create_connection(asyncio.Protocol, *n2.address)
        joined.append(round(world.now - BEGIN_S - 1, 2))
        world.over = True
        await asyncio.sleep(10)

    n1.start(ask)
    n2.cut_power()
    world.at(BEGIN_S + 1 + down_s, n2.start, listen)
    with running_in(world):
        world.run(BEGIN_S + 99)
    assert joined == [joined_s]


def test_streams_of_asyncio_work_as_on_a_real_loop() -> None:
    """A system of a user's own may speak any protocol: half-closed connections, addresses, a server that is closed."""
    world, told = World(1), list[object]()
    n1, n2, _ = pair(world)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told.append(writer.get_extra_info("peername")[0])
        writer.write(b"heard " + await reader.read())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def listen() -> None:
        server = await asyncio.start_server(answer, *n2.address)
        told.append([one.getsockname() for one in server.sockets])
        assert server.is_serving()
        asyncio.get_running_loop().call_later(0.5, server.close)
        with pytest.raises(asyncio.CancelledError):
            await server.serve_forever()
        told.append("closed")
        assert not server.is_serving()

    async def say() -> None:
        await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(*n2.address)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        writer.write(b"something")
        assert writer.can_write_eof()
        writer.write_eof()
        told.append(await reader.read())
        told.append(writer.get_extra_info("peername"))
        with pytest.raises(RuntimeError):
            writer.write(b"more")
        writer.close()
        await writer.wait_closed()

    n2.start(listen)
    n1.start(say)
    run(world)
    assert told == [[("10.0.0.2", 7000)], "10.0.0.1", b"heard something", ("10.0.0.2", 7000), "closed"]
