"""One replica of the strong store: the primary while it holds the lease, a backup otherwise.

GET /kv/KEY                              200 {"value": …}, null for a key that holds nothing
PUT /kv/KEY {"value": "…"}               200 {} when it is acknowledged
POST /kv/KEY {"expected": …, "value": …} 200 {} if the value was set, {"done": false} if another one was there
DELETE /kv/KEY                           200 {} when it is acknowledged
POST /sessions                           200 {"session": 7}; commands that name it, and count themselves by "number", are
                                         done once however often they are sent
GET /status                              200: what it knows of itself
POST /replica                            between replicas

A backup asks the primary on the client's behalf; with the header "redirect: 1" it answers 421 instead, and says who that is.

A request between replicas names its recipient in the headers `cluster` and `node`; a client's may. Any other node answers 421.

421: another one is the primary; 503: not now. Both certainly have no effect. 504: it may have had its effect, or may have it
yet. 413: the key or the value is too long. 410: the session is no longer known.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

import msgspec

from harness.http.message import Request, Response, TransportError, Unreachable
from harness.node.context import NodeContext
from systems.parts.outcomes import Failed, Unknown
from systems.parts.owner import Owner, names_whom, refusing_other_data
from systems.parts.sealing import answered
from systems.strong.bugs import BUGS
from systems.strong.election import Election
from systems.strong.keeper import EpochKeeper, RaftKeeper
from systems.strong.messages import (
    FORWARDED_HEADER,
    KEY_PATH,
    REDIRECT_HEADER,
    REPLICA_PATH,
    SESSIONS_PATH,
    STATUS_PATH,
    Append,
    Canvass,
    Command,
    Compare,
    CompareAndSet,
    Delete,
    Fence,
    Fetch,
    Got,
    Install,
    Installing,
    NotDone,
    NotReady,
    OpenSession,
    Operation,
    Put,
    Refused,
    ReplicaAnswer,
    ReplicaRequest,
    Result,
    Status,
    Write,
)
from systems.strong.peer import Peer
from systems.strong.reign import Outcome
from systems.strong.replica import Restore, Take
from systems.strong.shown import Shown
from systems.strong.storage import Storage
from systems.strong.telling import Teller

WRITE_TIMEOUT_S: Final = 0.3
"""How long a command waits to be acknowledged. After that its client asks again; it is still executed only once."""

MOST_KEY_BYTES: Final = 1024
MOST_VALUE_BYTES: Final = 1024 * 1024

_REQUEST: Final = cast("type[ReplicaRequest]", ReplicaRequest)

_ROUTES: Final = b'there are GET, PUT {"value": "..."}, POST {"expected": ..., "value": ...} and DELETE of /kv/KEY'


class Config(msgspec.Struct, frozen=True):
    """A node's settings."""

    cluster: str
    replicas: tuple[str, ...]
    keepers: tuple[str, ...]
    all_in_sync: bool
    compact_at_kib: int
    piece_kib: int
    bug: str | None = None


class Server:
    """Answers clients and primaries."""

    def __init__(self, node: NodeContext, config: Config, keeper: EpochKeeper) -> None:
        self._rules = rules = BUGS.variant(config.bug)
        self._node = node
        self._name = node.name
        self._config = config
        self._owner = Owner(config.cluster, node.name)
        self._peers = {
            name: Peer(config.cluster, name, node.peers[name], most=config.piece_kib * 1024, checked=rules.checksums_checked)
            for name in config.replicas
            if name != node.name
        }
        self._storage = Storage(
            node.disk,
            node.log,
            cluster=config.cluster,
            name=node.name,
            compact_at_bytes=config.compact_at_kib * 1024,
            rules=rules,
        )
        self._replica = self._storage.replica
        self._teller = Teller(self._storage, node.event)
        self._election = Election(
            node,
            keeper,
            self._storage,
            self._teller,
            self._peers,
            replicas=config.replicas,
            all_in_sync=config.all_in_sync,
            rules=rules,
        )
        node.show(self._shown)
        node.must_recover(self._storage.forgotten)
        node.report_unsettled(self._unsettled)

    async def keep(self) -> None:
        """Be the primary whenever possible, until the node ends."""
        await self._election.keep()

    # ---------------------------------------------------------------------------------------------------- requests

    async def handle(self, request: Request) -> Response:
        return await answered(request, self._handle, checked=self._rules.checksums_checked)

    async def _handle(self, request: Request) -> Response:
        of_replicas = request.path == REPLICA_PATH or names_whom(request.headers)
        if of_replicas and (elsewhere := self._owner.misdirected(request.headers)) is not None:
            return elsewhere
        key = request.path.removeprefix(KEY_PATH) if request.path.startswith(KEY_PATH) else ""
        if len(key.encode()) > MOST_KEY_BYTES:
            return Response(413, b"a key has at most %d bytes; this one has %d" % (MOST_KEY_BYTES, len(key.encode())))
        match request.method:
            case "POST" if request.path == REPLICA_PATH:
                return self._replicate(request.decode(_REQUEST))
            case "GET" if request.path == STATUS_PATH:
                return Response.json(self._status())
            case "POST" if request.path == SESSIONS_PATH:
                if self._election.reign is None and not request.headers.keys() & {REDIRECT_HEADER, FORWARDED_HEADER}:
                    return await self._forward(request)
                return await self._command(OpenSession(), 0, 0)
            case _ if key and self._election.reign is None and not request.headers.keys() & {REDIRECT_HEADER, FORWARDED_HEADER}:
                return await self._forward(request)
            case "GET" if key:
                return self._read(key)
            case "PUT" if key:
                put = request.decode(Put)
                return await self._command(Write(key, put.value), put.session, put.number)
            case "POST" if key:
                compare = request.decode(Compare)
                operation = CompareAndSet(key, compare.expected, compare.value)
                return await self._command(operation, compare.session, compare.number)
            case "DELETE" if key:
                delete = request.decode(Delete) if request.body else Delete()
                return await self._command(Write(key, None), delete.session, delete.number)
            case _:
                return Response(404, _ROUTES)

    def _read(self, key: str) -> Response:
        reign = self._election.reign
        if reign is None:
            return self._not_primary()
        if not self._answers_reads(self._election.now_s()):
            return _not_done(503, "failed", f"{self._name} is the primary, and does not know yet, or any more, that it is")
        return Response.json(Got(self._replica.machine.read(key)))

    def _answers_reads(self, now_s: float) -> bool:
        """Whether it is the primary, knows all that was acknowledged, and no other replica can be the primary at this time."""
        reign = self._election.reign
        if reign is None or not reign.primary.established:
            return False
        return not self._rules.reads_need_lease or self._election.lease.holds(now_s)

    async def _command(self, operation: Operation, session: int, number: int) -> Response:
        if (size := _too_long(operation)) is not None:
            return Response(413, b"a value has at most %d bytes; this one has %d" % (MOST_VALUE_BYTES, size))
        reign = self._election.reign
        if reign is None:
            return self._not_primary()
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                outcome = await reign.carry_out(Command(operation, session, number))
        except TimeoutError:
            why = f"not acknowledged within {WRITE_TIMEOUT_S:g} s"
            outcome = Unknown(why) if self._rules.timeouts_are_unknown else Failed(why)
        return _response(outcome)

    async def _forward(self, request: Request) -> Response:
        """Ask the primary on behalf of a client, and pass on its answer."""
        known = self._election.known
        if known is None or known.primary == self._name:
            return self._not_primary()
        try:
            return await self._peers[known.primary].forward(request, self._name, WRITE_TIMEOUT_S)
        except Unreachable as error:
            return _not_done(503, "failed", f"the primary, {known.primary}: {error}")
        except TransportError as error:
            return _not_done(504, "unknown", f"the primary, {known.primary}: {error}")

    def _not_primary(self) -> Response:
        known = self._election.known
        primary = known.primary if known is not None and known.primary != self._name else ""
        return _not_done(421, "failed", f"{self._name} is not the primary", primary)

    def _status(self) -> Status:
        known, reign = self._election.known, self._election.reign
        return Status(
            name=self._name,
            serves=reign is not None and reign.primary.established,
            epoch=self._replica.epoch,
            primary=known.primary if known is not None else "",
            last=self._replica.log.last,
            committed=self._replica.committed,
        )

    # ---------------------------------------------------------------------------------------------------- as a backup

    def _replicate(self, request: ReplicaRequest) -> Response:
        configuration = request.configuration
        if configuration.primary not in self._peers:
            known = ", ".join(self._config.replicas)
            return Response(403, f"{configuration.primary} is no other replica of this cluster, which has {known}".encode())
        return Response.json(self._answer(request))

    def _answer(self, request: ReplicaRequest) -> ReplicaAnswer:
        """Do all of it in one turn of the event loop, so that nothing comes in between."""
        configuration, replica = request.configuration, self._replica
        if not self._election.informed:
            return NotReady("it lost what it had promised, and has not asked the keepers yet")
        try:
            if isinstance(request, Canvass):
                self._storage.check()
                return replica.could_follow(request, fenced=not self._config.all_in_sync)
            if configuration.epoch > replica.epoch and (self._rules.fences_bind or not isinstance(request, Fence | Fetch)):
                self._storage.promise(configuration.epoch, ready=replica.ready)
                replica.promise(configuration.epoch)
                self._election.step_down(f"{configuration.primary} is the primary of epoch {configuration.epoch}")
            if configuration.epoch >= replica.epoch:
                self._election.heard(configuration)
            if self._election.reign is not None:
                return Refused(replica.epoch) if self._rules.earlier_epochs_refused else NotReady("it is the primary")
            return self._carry_out(request)
        except OSError as error:
            self._node.log(f"the disk did not take what epoch {configuration.epoch} asked: {error}")
            return NotReady(f"the disk did not take it: {error}")

    def _carry_out(self, request: Append | Install | Fence | Fetch) -> ReplicaAnswer:
        judged = self._judged(request)
        if isinstance(judged, Refused):
            self._teller.refuses(request.configuration.epoch, judged.epoch)
            return judged
        if self._rules.fences_bind or not isinstance(request, Fence | Fetch):
            self._teller.obeys(request.configuration.epoch)
        if isinstance(request, Fence | Fetch) or not isinstance(judged, Take | Restore | Installing):
            return cast(ReplicaAnswer, judged)
        replica = self._replica
        self._election.heard_from_primary()
        if isinstance(judged, Installing):
            return judged
        if isinstance(judged, Take):
            self._teller.take(replica, judged)
        else:
            self._teller.restore(replica, judged)
        matched = judged.answer.index
        if replica.teaches(request, matched):
            self._storage.promise(replica.epoch, ready=True)
            replica.ready = True
            self._node.log(f"all that may have been lost is here again, up to entry {matched}")
        self._commit(min(request.committed, matched))
        return judged.answer

    def _judged(self, request: Append | Install | Fence | Fetch) -> Take | Restore | ReplicaAnswer:
        match request:
            case Fence():
                return self._replica.fence(request)
            case Fetch():
                return self._replica.fetch(request)
        return self._replica.place(request)

    def _commit(self, index: int) -> None:
        before = self._replica.committed
        self._teller.committed(self._replica, before, self._replica.commit(index))

    # ------------------------------------------------------------------------------------------------- seen from outside

    def _unsettled(self) -> dict[str, int]:
        reign = self._election.reign
        return {
            "commands not acknowledged": 0 if reign is None else reign.under_way,
            "logs not completed": int(not self._replica.ready),
        }

    def _shown(self) -> Shown:
        reign, election = self._election.reign, self._election
        return Shown(
            epoch=0 if reign is None else reign.primary.configuration.epoch,
            begin=0 if reign is None else reign.primary.begin,
            replica=self._replica,
            informed=election.informed,
            watch=election.watch,
            lease=election.lease,
            now_s=election.now_s(),
            claims=election.claims,
            reads=self._answers_reads,
            primary=None if reign is None else reign.primary,
            committed_when_over=None if reign is None else reign.committed_when_over,
        )


def _too_long(operation: Operation) -> int | None:
    """The size of a value in bytes, if it is too large."""
    value = operation.value if isinstance(operation, Write | CompareAndSet) else None
    size = len((value or "").encode())
    return size if size > MOST_VALUE_BYTES else None


def _response(outcome: Outcome) -> Response:
    match outcome:
        case Result(forgotten=True):
            return _not_done(410, "failed", "the session is not known any more, or has gone on")
        case Result():
            return Response.json(outcome)
        case Failed(why):
            return _not_done(503, "failed", why)
        case Unknown(why):
            return _not_done(504, "unknown", why)


def _not_done(status: int, outcome: str, why: str, primary: str = "") -> Response:
    return Response.json(NotDone(outcome, why, primary), status=status)


async def main(node: NodeContext) -> None:
    """Run one replica."""
    config = node.config(Config)
    keepers = {name: node.peers[name] for name in config.keepers}
    checked = BUGS.variant(config.bug).checksums_checked
    with refusing_other_data(node):
        server = Server(node, config, RaftKeeper(config.cluster, keepers, checked=checked))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.keep())
        await node.serve(server.handle)
