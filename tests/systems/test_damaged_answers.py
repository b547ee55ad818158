"""What nodes and clients do with an answer that has status 200 and a body that cannot be read: it counts as no answer."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from faults.corrupt_bytes import CorruptBytes
from harness.checkers.nodes_stayed_up import nodes_stayed_up
from harness.cluster.ports import HOST
from harness.http.message import BadAnswer, BadBody, Request, Response, TransportError
from harness.http.server import listen
from harness.model.system import CLIENT, Address, Call, CallFailed, links_of
from harness.run import catalog
from harness.run.schedule import plan
from harness.simulation.record import SimulatedRun
from systems.eventual.client import EventualClient
from systems.eventual.peer import Peer as EventualPeer
from systems.parameter_server.messages import Damaged, Pull, pack, unpack
from systems.partitioned.messages import Refusal
from systems.partitioned.peer import Peer as PartitionedPeer
from systems.parts import sealing
from systems.parts.owner import Owner
from systems.quorum.client import QuorumClient
from systems.quorum.messages import Entry, Query
from systems.quorum.peer import Peer as QuorumPeer
from systems.raft.administration import leader
from systems.raft.core.messages import Appended, Members, Message
from systems.raft.core.state import Timing
from systems.raft.messages import Status
from systems.raft.peer import Peer as RaftPeer
from systems.strong import Strong
from systems.strong.keeper import KeeperUnreachable, RaftKeeper
from systems.strong.messages import Canvass, Configuration
from systems.strong.peer import Peer as StrongPeer
from systems.training.client import StepClient
from systems.training.messages import Got
from systems.training.rendezvous import Rendezvous
from tests.helpers.closing import closing

TIMEOUT_S = 20
N2 = Owner("c", "n2")

UNREADABLE = {
    "empty": b"",
    "truncated": b'[{"outcome": "do',
    "of another type": b'"text"',
    "invalid UTF-8": b'[["\xff"], "\xff"]',
    "invalid UTF-8 in an object": b'{"\xff": "\xff", "value": "\xff", "node": "\xff", "name": "\xff", "type": "\xff"}',
    "nested too deeply": b'{"unknown": ' * 100_000,
}


def answered(scenario: Callable[[Address], Awaitable[object]], *bodies: bytes) -> object:
    """What a scenario returns whose server gives these answers in turn, and the last one for ever."""
    left = list(bodies)

    async def answer(request: Request) -> Response:
        return await sealing.answered(request, read)

    async def read(request: Request) -> Response:
        return Response(200, left.pop(0) if len(left) > 1 else left[0])

    async def run() -> object:
        async with asyncio.timeout(60), closing(listen(answer, (HOST, 0))) as server:
            return await scenario(server.sockets[0].getsockname()[:2])

    return asyncio.run(run())


async def _quorum_asked(address: Address) -> object:
    found: asyncio.Future[Entry | None] = asyncio.get_running_loop().create_future()
    QuorumPeer(N2, address, TIMEOUT_S).ask(Query("k"), found.set_result)
    return await found


SCENARIOS: dict[str, Callable[[Address], Awaitable[object]]] = {
    "quorum, a request": _quorum_asked,
    "quorum, all entries": lambda address: QuorumPeer(N2, address, TIMEOUT_S).entries(),
    "quorum, digests": lambda address: QuorumPeer(N2, address, TIMEOUT_S).ranges("n1", [""]),
    "raft": lambda address: RaftPeer(address, Timing(), cluster="c", name="n1").tell("n2"),
    "strong": lambda address: StrongPeer("c", "n2", address, most=1024).ask(
        Canvass(configuration=Configuration(1, 1, "n1", ("n1", "n2"))), TIMEOUT_S
    ),
    "eventual": lambda address: EventualPeer("c", "n2", address).states(["k"]),
    "partitioned": lambda address: PartitionedPeer(N2, address, checked=False).ask("/", "?", Refusal, TIMEOUT_S),
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_peer_whose_answer_cannot_be_read_has_not_answered(scenario: str, body: bytes) -> None:
    assert answered(SCENARIOS[scenario], body) is None


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_the_message_that_a_damaged_answer_carried_is_lost_and_the_next_one_comes(body: bytes) -> None:
    async def scenario(address: Address) -> object:
        received: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        peer = RaftPeer(address, Timing(), cluster="c", name="n1")

        def take(message: Message) -> None:
            if not received.done():
                received.set_result(message)

        async def send() -> None:
            while True:
                peer.send(sent)
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(send()), tasks.create_task(peer.carry(take, lambda most: None))]
            found = await received
            for task in running:
                task.cancel()
        return found

    sent = Appended(term=1, accepted=True, match=1, round=1)
    assert answered(scenario, body, msgspec.json.encode([sent])) == sent


def test_too_few_answers_are_none() -> None:
    assert answered(_quorum_asked, b"[]") is None


async def _who_leads(address: Address) -> object:
    return await leader({"n1": address})


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_who_leads_is_asked_again(body: bytes) -> None:
    status = Status(
        cluster="c", name="n1", role="leader", term=1, leader="n1", members=Members(("n1",)), changing=False,
        last_index=0, commit=0, applied=0, told=None,
    )  # fmt: skip
    assert answered(_who_leads, body, msgspec.json.encode(status)) == "n1"


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_no_replica_says_that_it_is_the_primary(body: bytes) -> None:
    async def scenario(address: Address) -> None:
        await Strong().leader(dict.fromkeys(Strong().entries(), address))

    with pytest.raises(TransportError, match="no replica is the primary"):
        answered(scenario, body)


@pytest.mark.parametrize("body", [*UNREADABLE.values(), b'{"value": "[1"}'], ids=[*UNREADABLE, "a damaged configuration"])
def test_keepers_that_cannot_be_understood_count_as_unreachable(body: bytes) -> None:
    async def scenario(address: Address) -> None:
        await RaftKeeper("c", {"k1": address}).read()

    with pytest.raises(KeeperUnreachable):
        answered(scenario, body)


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
@pytest.mark.parametrize("client", ["quorum", "eventual", "training"])
def test_a_read_whose_answer_cannot_be_read_has_failed(client: str, body: bytes) -> None:
    async def scenario(address: Address) -> None:
        match client:
            case "quorum":
                await QuorumClient(0, [("n1", address)], read=None, write=None).invoke(Call("read", "k"))
            case "eventual":
                await EventualClient(0, [("n1", address)], siblings=False, session=None).invoke(Call("read", "k"))
            case _:
                await StepClient(0, {"rank0": address}).invoke(Call("step", ""))

    with pytest.raises(CallFailed):
        answered(scenario, body)


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_address_at_the_rendezvous_is_asked_for_again(body: bytes) -> None:
    async def scenario(address: Address) -> object:
        return await asyncio.to_thread(Rendezvous(address, lambda: False).get, "0/1")

    assert answered(scenario, body, msgspec.json.encode(Got(value=b"there"))) == b"there"


def test_a_message_with_invalid_utf_8_is_damaged_even_if_checksums_are_not_looked_at() -> None:
    message = pack(Pull(worker="worker1", promised=0, term=0, seen=0))
    with pytest.raises(Damaged):
        unpack(message.replace(b"worker1", b"worker\xff"), Pull, checked=False)


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_decoded_is_a_bad_request_or_a_bad_answer(body: bytes) -> None:
    with pytest.raises(BadBody):
        Request("POST", "/", body=body).decode(list[str])
    with pytest.raises(BadAnswer, match="the answer's body is not the one asked for"):
        Response(200, body).decode(list[str])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "raft/healthy",
        "quorum/healthy",
        "eventual/healthy",
        "strong/healthy",
        "bus/healthy",
    ],
)
def test_no_node_dies_if_links_between_nodes_flip_bits(name: str) -> None:
    drill = catalog.find_drill(name, ["load.seconds=3"]).drill
    links = [f"{link.source}>{link.target}" for link in links_of(drill.system) if link.source != CLIENT]
    drill = dataclasses.replace(drill, faults=[CorruptBytes(link, rate=0.002).between(0.3, 2.5) for link in links])
    recorded = SimulatedRun(drill, plan(drill, 1), 1).carry_out()
    assert nodes_stayed_up(recorded.history).valid is True
