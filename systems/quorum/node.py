"""One node of the quorum store: it holds keys, and coordinates for the clients that ask it.

GET /kv/KEY                           200 {"value": …}, null if there is none; 503 if no quorum answered
PUT /kv/KEY {"value": "…"}            200 when a write quorum has it on disk
DELETE /kv/KEY                        the same
POST /kv/KEY {"expected": …, "value": …}   compare and set, null for no value:
                                      200 {"swapped": …, "value": …}; 501 if that is not promised

A request that had no quorum and certainly no effect is 503; one that may have had an effect, or may still have it, is 504.

`?read=1&write=3` gives a request its own quorum sizes. A key has up to 1024 bytes, a value up to 1 MiB.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Final

import msgspec

from harness.http.batched_server import RequestBatch
from harness.http.message import Request, Response
from harness.http.requests import Message
from harness.http.writing import encode_response
from harness.node.context import NodeContext
from harness.node.disk import Disk
from systems.parts.outcomes import Failed, Unknown
from systems.parts.owner import Owner, refusing_other_data
from systems.parts.record_log import Damaged
from systems.parts.sealing import DAMAGED, answer_to, is_sealed, opened
from systems.quorum.bugs import BUGS
from systems.quorum.comparing import Comparing, comparing
from systems.quorum.finished import Finished
from systems.quorum.messages import (
    ENTRIES_PATH,
    KEY_PATH,
    MAX_KEY_BYTES,
    MAX_VALUE_BYTES,
    RANGES_PATH,
    REPLICA_PATH,
    CompareAndSet,
    Compared,
    Entry,
    Got,
    Keep,
    NotDone,
    Put,
    ReplicaRequest,
)
from systems.quorum.operations import PHASE_TIMEOUT_S, Answered, Operations
from systems.quorum.peer import Peer
from systems.quorum.placement import Placement
from systems.quorum.protocol import Coordinator, Done, Operation, Outcome, Versions
from systems.quorum.remembered import forgotten
from systems.quorum.replica import Held, Replica
from systems.quorum.shown import Shown
from systems.quorum.storage import Storage
from systems.quorum.upkeep import Digests, Upkeep

RECOVER_AGAIN_S: Final = 0.02
"""How long a replica with a damaged log waits before it asks again the nodes that have not answered."""

_OF_NODES: Final = frozenset({REPLICA_PATH, RANGES_PATH, ENTRIES_PATH})
"""Paths that are only for nodes of the same cluster; such a request names its recipient."""


class Config(msgspec.Struct, frozen=True):
    """A node's settings: see `systems.quorum.Quorum`."""

    replicas: int
    read: int
    write: int
    request_write: int | None = None
    cluster: str = "quorum"
    sloppy: bool = False
    hedge_ms: float | None = None
    memory: bool = False
    hinted_handoff: bool = True
    repair_every_s: float | None = 1.0
    tombstone_grace_s: float | None = None
    compact_at_kib: int = 1024
    bug: str | None = None

    @property
    def compares(self) -> bool:
        """Whether compare-and-set is promised. It needs quorums that overlap, and a store that forgets no version."""
        return self.read + self.write > self.replicas and not self.sloppy and self.tombstone_grace_s is None


class Refused(Exception):
    """A request that cannot be carried out as it is."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.response = Response.json(NotDone("failed", why), status)


class Server:
    """Carries operations out on a key's replicas, which may include its own."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        rules = BUGS.variant(config.bug)
        self._name = node.name
        self._log = node.log
        self._config = config
        self._rules = rules
        self._owner = Owner(config.cluster, node.name)
        self._peers = {
            name: Peer(Owner(config.cluster, name), address, PHASE_TIMEOUT_S, checked=rules.checksums_checked)
            for name, address in node.peers.items()
        }
        self._placement = Placement(node.name, [node.name, *self._peers], config.replicas)
        self._storage = self._opened(node.disk, node.log, node.random)
        self._clock, self._lost_log_s = node.clock, None if self._storage.damaged is None else node.clock()
        versions = Versions(node.name, self._storage.start, rules=rules, clock_us=lambda: round(node.time() * 1e6))
        self._coordinator = Coordinator(
            placement=self._placement, read=config.read, write=config.write, versions=versions, sloppy=config.sloppy,
            rules=rules,
        )  # fmt: skip
        self._upkeep = Upkeep(
            name=node.name,
            storage=self._storage,
            peers=self._peers,
            placement=self._placement,
            versions=versions,
            ask=self._ask,
            clock=node.clock,
            rules=rules,
            hinted_handoff=config.hinted_handoff,
            repair_every_s=config.repair_every_s,
            tombstone_grace_s=config.tombstone_grace_s,
        )
        self._digests = Digests(node.name, self._storage, self._placement)
        self._running = Operations(
            ask=self._ask,
            is_silent=lambda name: name in self._peers and self._peers[name].silent,
            missed=self._upkeep,
            random=node.random,
            rules=rules,
            hedge_s=None if config.hedge_ms is None else config.hedge_ms / 1e3,
        )
        node.event("numbered", {"start": self._storage.start})
        node.show(self._shown)
        node.must_recover(self._forgotten)
        self._operations: dict[Operation, None] = {}
        self._finished = Finished()
        node.report_unsettled(self._unsettled)

    def handle(self, batch: RequestBatch) -> None:
        """Answer the requests of one batch, each when it is done."""
        waiting = [message for message in batch.messages if not message.answer]
        left = len(waiting)

        def answered(message: Message, response: Response) -> None:
            nonlocal left
            message.answer = encode_response(response)
            left -= 1
            if left == 0:
                batch.finish()

        for message in waiting:
            head = message.head
            request = Request(head.method, head.path, head.query, head.headers, message.body)
            self._open(request, partial(answered, message))
        if not waiting:
            batch.finish()

    def _open(self, request: Request, answered: Callable[[Response], None]) -> None:
        """Answer a client's request, or another node's, which carries a checksum, and so does its answer."""
        if not is_sealed(request):
            self._begin(request, answered)
            return
        try:
            content = opened(request, checked=self._rules.checksums_checked)
        except Damaged:
            answered(DAMAGED)
        else:
            self._begin(content, lambda response: answered(answer_to(request, response)))

    def _begin(self, request: Request, answered: Callable[[Response], None]) -> None:
        try:
            if request.path.startswith(KEY_PATH):
                compared = request.method == "POST"
                operation = self._operation(request, _key_of(request))
                self._carry_out(operation, lambda outcome: answered(_response(outcome, compared=compared)))
            elif request.path in _OF_NODES and (elsewhere := self._owner.misdirected(request.headers)) is not None:
                answered(elsewhere)
            elif request.method == "POST" and request.path == REPLICA_PATH:
                self._answer(request.decode(list[ReplicaRequest]), answered)
            else:
                answered(self._told(request))
        except Refused as refused:
            answered(refused.response)
        except msgspec.MsgspecError as error:
            answered(Response(400, f"bad request body: {error}".encode()))

    async def maintain(self) -> None:
        """Run forever: recover the replica, then keep it and the others up to date."""
        await self._recover()
        await self._upkeep.run(self._digests)

    async def _recover(self) -> None:
        """Return when the replica knows all that it may have known; it asks when no phase can count earlier answers of it."""
        others: dict[str, list[Held]] = {}
        if self._storage.damaged:
            await asyncio.sleep(PHASE_TIMEOUT_S)
        while self._storage.damaged:
            for name in [peer for peer in self._peers if peer not in others]:  # not a set: its order varies
                if (entries := await self._peers[name].entries()) is not None:
                    others[name] = entries
            if (replica := self.rebuilt(others)) is not None:
                try:
                    self._storage.restore(replica)
                except OSError as error:
                    self._log(f"the disk did not take what the others hold: {error}")
            await asyncio.sleep(RECOVER_AGAIN_S)

    def rebuilt(self, others: Mapping[str, Sequence[Held]]) -> Replica | None:
        """What it holds if others told it this; None if they are too few: each write quorum to which it may have belonged, and
        each majority that promised or accepted a ballot, must have a member among them. A store's only node has none to ask."""
        write = min(self._config.write, self._config.request_write or self._config.write)
        may_miss = max(0, min(write, self._config.replicas // 2 + 1) - 2)
        if not self._peers or len(others) < len(self._peers) - may_miss:
            return None
        replica = self._empty()
        for held in (held for entries in others.values() for held in entries):
            if not held.key or self._name in self._placement.homes(held.key):
                replica.merge(held)
        return replica

    def _opened(self, disk: Disk, log: Callable[[str], None], random: Random) -> Storage:
        return Storage(
            disk,
            log,
            random=random,
            replica=self._empty(),
            owner=self._owner,
            rules=self._rules,
            memory=self._config.memory,
            compact_at_bytes=self._config.compact_at_kib * 1024,
        )

    def _forgotten(self, disk: Disk) -> str | None:
        """What this node would have forgotten if it started on this disk."""
        return forgotten(self._storage, self._opened(disk, lambda text: None, Random(0)))

    def _empty(self) -> Replica:
        return Replica(self._rules, peers=tuple(self._peers))

    def _told(self, request: Request) -> Response:
        """The answer to a request by which another node repairs itself."""
        if self._storage.damaged:
            return Response(503, b"its log is damaged")
        match request.method, request.path:
            case "GET", path if path == REPLICA_PATH:
                part, of = request.query.get("part", "0"), request.query.get("of", "1")
                if not (part.isdecimal() and of.isdecimal() and int(part) < int(of)):
                    raise Refused(400, f"part={part!r}, of={of!r}: numbers, the part below how many there are")
                return Response.json(self._storage.replica.part(int(part), int(of)))
            case "POST", path if path == RANGES_PATH:
                asker, prefixes = request.decode(tuple[str, list[str]])
                if asker not in self._peers:
                    raise Refused(409, f"{self._name} has no digests for {asker!r}, which is none of its peers")
                return Response.json(self._digests.ranges(asker, prefixes))
            case "POST", path if path == ENTRIES_PATH:
                return Response.json(self._storage.replica.some(request.decode(list[str])))
        return Response(404, b"there are GET, PUT, DELETE and POST of /kv/KEY; see systems/quorum/node.py")

    def _answer(self, requests: list[ReplicaRequest], answered: Callable[[Response], None]) -> None:
        """Answer all requests together, when the last one is done."""
        for request in requests:
            if isinstance(request, Keep) and request.home not in self._peers:
                raise Refused(400, f"{self._name} keeps nothing for {request.home!r}, which is none of its peers")
        answers: list[Entry | None] = [None] * len(requests)
        left = len(requests)
        if not requests:
            answered(Response.json(answers))

        def done(at: int, entry: Entry | None) -> None:
            nonlocal left
            answers[at] = entry
            left -= 1
            if left == 0:
                answered(Response.json(answers))

        for at, request in enumerate(requests):
            self._storage.ask(request, partial(done, at))

    def _operation(self, request: Request, key: str) -> Operation:
        coordinator = self._coordinator
        read, write = (self._size(request.query, name) for name in ("read", "write"))
        match request.method:
            case "GET":
                return coordinator.reading(key, read, write)
            case "PUT":
                return coordinator.writing(key, _checked(request.decode(Put).value), read, write)
            case "DELETE":
                return coordinator.writing(key, None, read, write)
            case "POST":
                body = request.decode(CompareAndSet)
                if not self._config.compares:
                    raise Refused(501, _UNPROMISED)
                if read is not None or write is not None:
                    raise Refused(400, "a compare-and-set has the store's own quorums: leave read and write out")
                return comparing(coordinator, key, body.expected, None if body.value is None else _checked(body.value))
        raise Refused(405, f"{request.method} of a key means nothing here; there are GET, PUT, DELETE and POST")

    def _size(self, query: Mapping[str, str], name: str) -> int | None:
        """The quorum size that a request asks for; None if it does not."""
        text = query.get(name)
        if text is None or not self._rules.requests_name_quorums:
            return None
        if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= self._config.replicas:
            raise Refused(400, f"{name}={text!r}: a number of replicas, between 1 and {self._config.replicas}")
        return int(text)

    def _carry_out(self, operation: Operation, done: Callable[[Outcome], None]) -> None:
        def finished(outcome: Outcome) -> None:
            del self._operations[operation]
            self._finished.add(operation, outcome)
            done(outcome)

        self._operations[operation] = None
        self._running.carry_out(operation, finished)

    def _ask(self, name: str, request: ReplicaRequest, answered: Answered) -> None:
        asked = self._storage if name == self._name else self._peers[name]
        asked.ask(request, answered)

    def _shown(self) -> Shown:
        storage = self._storage
        return Shown(
            entries=storage.by_key(),
            kept=storage.replica.kept_by_home(),
            digests=self._digests,
            changed=storage.changed,
            compared=self._upkeep.compared,
            start=storage.start,
            heard={name: peer.heard for name, peer in self._peers.items()},
            changes=storage.changes,
            undone=self._finished.undone,
            told=self._finished.told,
            answers=self._finished.answers,
            comparing=[operation for operation in self._operations if isinstance(operation, Comparing)],
            floor=storage.replica.floor,
            rebuilt=self.rebuilt,
            lost_log_for_s=None if self._lost_log_s is None else self._clock() - self._lost_log_s,
        )

    def _unsettled(self) -> dict[str, int]:
        return {
            "operations under way": len(self._operations),
            "questions to other nodes": sum(peer.outstanding for peer in self._peers.values()),
            "damaged logs": int(self._storage.damaged is not None),
            "entries kept for others": self._storage.replica.kept(),
        }


_UNPROMISED: Final = (
    "compare-and-set is not promised with these settings: it needs read + write > replicas, no sloppy quorums, and tombstones"
    " that are kept (tombstone_grace_s=None)"
)


def _key_of(request: Request) -> str:
    key = request.path.removeprefix(KEY_PATH)
    if not key:
        raise Refused(404, "there is no key after /kv/")
    if len(key.encode(errors="surrogatepass")) > MAX_KEY_BYTES:
        raise Refused(414, f"a key of more than {MAX_KEY_BYTES} bytes")
    return key


def _checked(value: str) -> str:
    if len(value) > MAX_VALUE_BYTES or len(value.encode()) > MAX_VALUE_BYTES:
        raise Refused(413, f"a value of more than {MAX_VALUE_BYTES} bytes")
    return value


def _response(outcome: Outcome, *, compared: bool) -> Response:
    match outcome:
        case Done(value, swapped):
            return Response.json(Compared(swapped, value) if compared else Got(value))
        case Failed(why):
            return Response.json(NotDone("failed", why), status=503)
        case Unknown(why):
            return Response.json(NotDone("unknown", why), status=504)


async def main(node: NodeContext) -> None:
    """Run one node."""
    with refusing_other_data(node):
        server = Server(node, node.config(Config))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.maintain())
        await node.serve_batches(server.handle)
