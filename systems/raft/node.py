"""One node of the Raft store: a member of the group, with a key-value store for clients that ask the leader.

GET /kv/KEY                                            200 {"value": …}, null if there is none
PUT /kv/KEY {"value": "…"}                             200 when it is committed
POST /kv/KEY {"expected": …, "new": …}                 200 {"swapped": …}: compare and set, null for no value
DELETE /kv/KEY                                         200 when it is committed
POST /sessions                                         200 {"session": n}; with it, and an increasing "sequence", in the body of
                                                       one of the three above, that is done once however often it is sent
POST /members {"add": "n4"} or {"remove": "n1"}        200 when it is committed; a new member votes when it has caught up
POST /leader {"to": "n2"}                              202: the leader hands over
GET /raft                                              the node's status
POST /raft                                             messages between nodes

With the header `on-behalf: yes`, a node that does not lead asks the leader itself.
A request with the headers `cluster` and `node` is answered only by that node of that cluster; any other answers 421.
503: it certainly has no effect, and "leader" names the node to ask, if known; 504: it may have one; 410: the session is gone.
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import quote

import msgspec

from harness.http.message import Request, Response, TransportError, Unreachable
from harness.node.context import NodeContext
from systems.parts.owner import Owner, names_whom, refusing_other_data
from systems.parts.sealing import SealedClient, answered
from systems.raft.bugs import BUGS
from systems.raft.core.messages import Members
from systems.raft.core.state import Timing
from systems.raft.messages import (
    KEY_PATH,
    LEADER_PATH,
    MAX_KEY_BYTES,
    MAX_VALUE_BYTES,
    MEMBERS_PATH,
    ON_BEHALF,
    RAFT_PATH,
    SESSIONS_PATH,
    Change,
    Command,
    CompareAndSet,
    Delete,
    Got,
    HandOver,
    NotDone,
    Once,
    OpenSession,
    Operation,
    Post,
    Put,
    Session,
    Swapped,
    Write,
)
from systems.raft.outcomes import carried_out, received
from systems.raft.replica import Replica
from systems.raft.store import Answer, Done, Expired, KeyValues

_HELP: Final = b'there are GET, PUT {"value": "..."}, POST {"expected": ..., "new": ...} and DELETE of /kv/KEY, and GET /raft'


class Config(msgspec.Struct, frozen=True):
    """A node's settings."""

    members: tuple[str, ...]
    cluster: str = "raft"
    election_ms: int = 400
    heartbeat_ms: int = 50
    lease_ms: int | None = None
    batch: int = 256
    in_flight_kib: int = 4096
    piece_kib: int = 256
    compact_at_kib: int = 1024
    keep: int = 200
    bug: str | None = None


class Server:
    """Carries out clients' requests through the group."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        self._rules = BUGS.variant(config.bug)
        self._patience_s = 2.5 * config.election_ms / 1e3
        """Long enough for an election and the request. After that the client retries."""
        self._owner = Owner(config.cluster, node.name)
        self._store = KeyValues(self._rules)
        self._started: set[asyncio.Future[Answer]] = set()
        checked = self._rules.checksums_checked
        self._others = {name: SealedClient(address, checked=checked) for name, address in node.peers.items()}
        self.replica: Replica[Answer] = Replica(
            node,
            self._store,
            members=config.members,
            cluster=config.cluster,
            timing=Timing(
                election_ms=config.election_ms,
                heartbeat_ms=config.heartbeat_ms,
                lease_ms=config.lease_ms,
                batch=config.batch,
                piece=config.piece_kib * 1024,
                in_flight_bytes=config.in_flight_kib * 1024,
            ),
            rules=self._rules,
            compact_at_kib=config.compact_at_kib,
            keep=config.keep,
        )
        node.report_unsettled(self.replica.unsettled)

    async def handle(self, request: Request) -> Response:
        return await answered(request, self._handle, checked=self._rules.checksums_checked)

    async def _handle(self, request: Request) -> Response:
        if names_whom(request.headers) and (elsewhere := self._owner.misdirected(request.headers)) is not None:
            return elsewhere
        leader = self._others.get(self.replica.leader or "")
        if leader is not None and request.headers.get(ON_BEHALF) == "yes" and not self.replica.leads:
            return await self._pass_on(request, leader)
        return await carried_out(self._answer(request), self._patience_s)

    async def _pass_on(self, request: Request, leader: SealedClient) -> Response:
        """The leader's answer, for a client that can reach only this node."""
        path = quote(request.path, safe="/")
        try:
            return await leader.request(request.method, path, request.body, timeout_s=self._patience_s)
        except Unreachable as error:
            return Response.json(NotDone("failed", f"the leader cannot be reached: {error}"), status=503)
        except TransportError as error:
            return Response.json(NotDone("unknown", f"the leader did not answer: {error}"), status=504)

    async def _answer(self, request: Request) -> Response:
        match request.method, request.path:
            case "POST", path if path == RAFT_PATH:
                return await received(self.replica, request)
            case "GET", path if path == RAFT_PATH:
                return Response.json(self.replica.status())
            case "POST", path if path == SESSIONS_PATH:
                return _response(await self._propose(OpenSession(), Once()))
            case "POST", path if path == MEMBERS_PATH:
                await self.replica.change(_changed(self.replica.members, request.decode(Change)))
                return Response()
            case "POST", path if path == LEADER_PATH:
                self.replica.hand_over(request.decode(HandOver).to)
                return Response(202)
            case _, path if path.startswith(KEY_PATH) and path != KEY_PATH:
                return await self._answer_key(request, path.removeprefix(KEY_PATH))
        return Response(404, _HELP)

    async def _answer_key(self, request: Request, key: str) -> Response:
        if len(key.encode()) > MAX_KEY_BYTES:
            return _too_long("key", len(key.encode()), MAX_KEY_BYTES)
        if len(request.body) > MAX_VALUE_BYTES:
            return _too_long("body", len(request.body), MAX_VALUE_BYTES)
        match request.method:
            case "GET":
                if self._rules.reads_ask_leader:
                    await self.replica.confirm()
                return Response.json(Got(self._store.get(key)))
            case "PUT":
                put = request.decode(Put)
                return _response(await self._propose(Write(key, put.value), put))
            case "POST":
                post = request.decode(Post)
                return await self._compare_and_set(CompareAndSet(key, post.expected, post.new), post)
            case "DELETE":
                once = request.decode(Once) if request.body else Once()
                return _response(await self._propose(Delete(key), once))
        return Response(405, _HELP)

    async def _compare_and_set(self, do: CompareAndSet, once: Once) -> Response:
        if self._rules.compared_when_applied:
            return _response(await self._propose(do, once))
        await self.replica.confirm()
        if self._store.get(do.key) != do.expected:
            return _response(Swapped(False))
        answer = await self._propose(Delete(do.key) if do.new is None else Write(do.key, do.new), once)
        return _response(Swapped(True) if isinstance(answer, Done) else answer)

    async def _propose(self, do: Operation, once: Once) -> Answer:
        data = msgspec.json.encode(Command(do, once.session, once.sequence)).decode()
        if not self._rules.acknowledged_when_committed and isinstance(do, Write | Delete) and self.replica.leads:
            proposed = asyncio.ensure_future(self.replica.propose(data))
            self._started.add(proposed)
            proposed.add_done_callback(self._started.discard)
            return Done()
        return await self.replica.propose(data)


def _changed(members: Members, change: Change) -> Members:
    """The members after a change. Raises `ValueError` if the change is not possible."""
    match change:
        case Change(add=str(name), remove=None) if name not in members.all:
            return Members(members.voters, (*members.learners, name))
        case Change(add=None, remove=str(name)) if name in members.all:
            left = [tuple(other for other in those if other != name) for those in (members.voters, members.learners)]
            if not left[0]:
                raise ValueError(f"{name} is the last voter")
            return Members(left[0], left[1])
    raise ValueError(
        f'say {{"add": NAME}} for a node that is no member, or {{"remove": NAME}} for one that is; members: {members}'
    )


def _too_long(what: str, found: int, limit: int) -> Response:
    return Response.json(NotDone("failed", f"the {what} has {found:,} bytes; {limit:,} is the most"), status=413)


def _response(answer: Answer) -> Response:
    match answer:
        case Expired():
            return Response.json(NotDone("unknown", "the session is gone, or has gone on to a later command"), status=410)
        case Swapped() | Session():
            return Response.json(answer)
        case Done():
            return Response()


async def main(node: NodeContext) -> None:
    """Run one node."""
    with refusing_other_data(node):
        server = Server(node, node.config(Config))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.replica.run())
        await node.serve(server.handle)
