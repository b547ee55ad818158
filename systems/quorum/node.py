"""One node of the quorum store: a replica of every key, and a coordinator for the clients that ask it.

GET /kv/KEY                    200 {"value": …}, null for a key never written; 503 if no quorum answered
PUT /kv/KEY {"value": "…"}     200 when a write quorum has it on disk; 503: it surely has no effect; 504: it may have one
POST, GET /replica             between nodes
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import msgspec

from harness.http.message import Request, Response
from harness.node.context import NodeContext
from systems.quorum.bugs import BUGS
from systems.quorum.messages import KEY_PATH, REPLICA_PATH, Entry, Got, NotDone, Put, ReplicaRequest
from systems.quorum.peer import Peer
from systems.quorum.protocol import Coordinator, Done, Failed, Operation, Outcome, Unknown, Versions
from systems.quorum.replica import Held
from systems.quorum.storage import Storage

PHASE_TIMEOUT_S: Final = 0.35
"""How long a phase waits for its quorum. Two phases are over well before a client gives up."""

ASK_AGAIN_S: Final = 0.12
"""A replica that has not answered after this long is asked a second time: its connection may have died under the first."""

RECOVER_AGAIN_S: Final = 0.02
"""How long a replica with a damaged log waits before it asks again those that have not told what they hold."""


_REPLICA_REQUEST: Final = msgspec.json.Decoder(ReplicaRequest)


class Config(msgspec.Struct, frozen=True):
    """A node's settings."""

    read: int
    write: int
    compact_at_kib: int = 1024
    bug: str | None = None


class Server:
    """Carries operations out, its own replica among those it asks."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        rules = BUGS.variant(config.bug)
        self._name = node.name
        self._log = node.log
        self._enough_to_recover = len(node.peers) + 1 - config.write + 1
        self._storage = Storage(
            node.disk, node.log, random=node.random, rules=rules, compact_at_bytes=config.compact_at_kib * 1024
        )
        self._peers = {name: Peer(address) for name, address in node.peers.items()}
        self._coordinator = Coordinator(
            replicas=(node.name, *self._peers),
            read=config.read,
            write=config.write,
            versions=Versions(node.name, self._storage.start, rules=rules, clock_us=lambda: round(node.time() * 1e6)),
            rules=rules,
        )
        node.show(self._storage.by_key)
        self._asking: set[asyncio.Future[None]] = set()
        self._operations = 0
        node.report_unsettled(self._unsettled)

    async def handle(self, request: Request) -> Response:
        key = request.path.removeprefix(KEY_PATH) if request.path.startswith(KEY_PATH) else ""
        match request.method:
            case "GET" if request.path == REPLICA_PATH:
                entries = self._storage.entries()
                return Response(503, b"its log is damaged") if entries is None else Response.json(entries)
            case "POST" if request.path == REPLICA_PATH:
                held = await self._storage.answer(_REPLICA_REQUEST.decode(request.body))
                return Response(507, b"the disk did not take it") if held is None else Response.json(held)
            case "GET" if key:
                return _response(await self._carry_out(self._coordinator.reading(key)))
            case "PUT" if key:
                return _response(await self._carry_out(self._coordinator.writing(key, request.decode(Put).value)))
            case _:
                return Response(404, b'there are GET /kv/KEY and PUT /kv/KEY {"value": "..."}')

    async def recover(self) -> None:
        """Return when the replica knows what it may have known before its log was damaged.

        It may have been part of any write quorum. So many others that each of those has a member among them tell all they hold;
        and that when every write is over that may count an answer which this replica gave before.
        """
        others: dict[str, list[Held]] = {}
        if self._storage.damaged:
            await asyncio.sleep(PHASE_TIMEOUT_S)
        while self._storage.damaged:
            for name in [peer for peer in self._peers if peer not in others]:  # a set has another order in each process
                entries = await self._peers[name].entries(PHASE_TIMEOUT_S)
                if entries is not None:
                    others[name] = entries
            if len(others) >= self._enough_to_recover:
                try:
                    self._storage.restore([held for entries in others.values() for held in entries])
                except OSError as error:
                    self._log(f"the disk did not take what the others hold: {error}")
            await asyncio.sleep(RECOVER_AGAIN_S)

    async def _carry_out(self, operation: Operation) -> Outcome:
        self._operations += 1
        try:
            while operation.outcome is None:
                await self._carry_out_phase(operation)
            return operation.outcome
        finally:
            self._operations -= 1

    async def _carry_out_phase(self, operation: Operation) -> None:
        """Return when the phase has its quorum, or time is over. What was asked is not called back: it may still be stored."""
        phase, over = operation.phase, asyncio.Event()

        async def ask(replica: str) -> None:
            held = await self._ask(replica, phase.request)
            if held is not None:
                operation.answered(phase, replica, held)
            if operation.phase is not phase or operation.outcome is not None:
                over.set()

        def ask_all() -> None:
            for replica in phase.unanswered():
                self._start(ask(replica))

        ask_all()
        again = asyncio.get_running_loop().call_later(ASK_AGAIN_S, ask_all)
        try:
            async with asyncio.timeout(PHASE_TIMEOUT_S):
                await over.wait()
        except TimeoutError:
            operation.timed_out(phase)
        finally:
            again.cancel()

    def _unsettled(self) -> dict[str, int]:
        return {
            "operations under way": self._operations,
            "questions to replicas": len(self._asking),
            "damaged logs": int(self._storage.damaged is not None),
        }

    async def _ask(self, replica: str, request: ReplicaRequest) -> Entry | None:
        if replica == self._name:
            return await self._storage.answer(request)
        return await self._peers[replica].ask(request, PHASE_TIMEOUT_S)

    def _start(self, asking: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(asking)
        self._asking.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._asking.discard)


def _response(outcome: Outcome) -> Response:
    match outcome:
        case Done(value):
            return Response.json(Got(value))
        case Failed(why):
            return Response.json(NotDone("failed", why), status=503)
        case Unknown(why):
            return Response.json(NotDone("unknown", why), status=504)


async def main(node: NodeContext) -> None:
    """Run one node."""
    server = Server(node, node.config(Config))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.recover())
        await node.serve(server.handle)
