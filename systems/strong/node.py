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

421: another one is the primary; 503: not now. Both surely have no effect. 504: it may have its effect, or may have it yet.
413: the key or the value is too long. 410: the session is not known any more.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast
from urllib.parse import quote

import msgspec

from harness.http.client import HttpClient
from harness.http.message import Request, Response, TransportError, Unreachable
from harness.node.context import NodeContext
from systems.strong.bugs import BUGS
from systems.strong.invariant import Shown
from systems.strong.keeper import EpochKeeper, KeeperUnreachable, RaftKeeper
from systems.strong.lease import RENEW_S, Lease, Watch
from systems.strong.messages import (
    FORWARDED_HEADER,
    KEY_PATH,
    REDIRECT_HEADER,
    REPLICA_PATH,
    SESSIONS_PATH,
    STATUS_PATH,
    Command,
    Compare,
    CompareAndSet,
    Configuration,
    Delete,
    Fence,
    Fenced,
    Got,
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
from systems.strong.protocol import Primary, Takeover, claimed, first, may_claim
from systems.strong.reign import Failed, Outcome, Reign, Unknown, ask
from systems.strong.replica import Restore, Take
from systems.strong.storage import ForeignData, Storage
from systems.strong.telling import Teller

WRITE_TIMEOUT_S: Final = 0.3
"""How long a command waits to be acknowledged. Then its client asks again, which is done once all the same."""

TICK_S: Final = 0.03
PATIENCE_S: Final = 0.15
"""A lease that is over is taken over from after a random part of this, so that seldom two try at once."""

FIRST_AFTER_S: Final = 1.0
"""In a new cluster, the first replica is the first primary if it starts in time."""

GIVES_WAY_S: Final = 0.5
"""One that could not do what a primary does leaves it to the others for so long."""

TAKEOVER_S: Final = 1.0
FENCE_TIMEOUT_S: Final = 0.5
SILENT_AFTER_S: Final = 0.25
"""For a known bug: a primary that was silent for so long is taken for dead."""

MOST_KEY_BYTES: Final = 1024
MOST_VALUE_BYTES: Final = 1024 * 1024

_ROUTES: Final = b'there are GET, PUT {"value": "..."}, POST {"expected": ..., "value": ...} and DELETE of /kv/KEY'

_decode_request = msgspec.json.Decoder(ReplicaRequest).decode


class Config(msgspec.Struct, frozen=True):
    """A node's settings."""

    cluster: str
    replicas: tuple[str, ...]
    keepers: tuple[str, ...]
    all_in_sync: bool
    compact_at_kib: int
    bug: str | None = None


class Server:
    """Answers clients and primaries, and takes over when nobody else leads."""

    def __init__(self, node: NodeContext, config: Config, keeper: EpochKeeper) -> None:
        self._rules = rules = BUGS.variant(config.bug)
        self._node = node
        self._name = node.name
        self._config = config
        self._keeper = keeper
        self._peers = {name: HttpClient(node.peers[name]) for name in config.replicas if name != node.name}
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
        self._informed = self._replica.ready
        """Whether it knows an epoch that is not earlier than any that it has ever promised to obey."""
        self._watch = Watch()
        self._lease = Lease()
        self._reign: Reign | None = None
        self._renew_at_s = self._heard_s = 0.0
        self._patience_s = self._drawn_patience_s()
        self._first_at_s = self._now_s() + (0 if node.name == config.replicas[0] else FIRST_AFTER_S)
        node.show(self._shown)
        node.report_unsettled(self._unsettled)

    # ---------------------------------------------------------------------------------------------------- requests

    async def handle(self, request: Request) -> Response:
        key = request.path.removeprefix(KEY_PATH) if request.path.startswith(KEY_PATH) else ""
        if len(key.encode()) > MOST_KEY_BYTES:
            return Response(413, b"a key has at most %d bytes; this one has %d" % (MOST_KEY_BYTES, len(key.encode())))
        match request.method:
            case "POST" if request.path == REPLICA_PATH:
                return self._replicate(_decode_request(request.body))
            case "GET" if request.path == STATUS_PATH:
                return Response.json(self._status())
            case "POST" if request.path == SESSIONS_PATH:
                if self._reign is None and not request.headers.keys() & {REDIRECT_HEADER, FORWARDED_HEADER}:
                    return await self._forward(request, "")
                return await self._command(OpenSession(), 0, 0)
            case _ if key and self._reign is None and not request.headers.keys() & {REDIRECT_HEADER, FORWARDED_HEADER}:
                return await self._forward(request, key)
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
        reign = self._reign
        if reign is None:
            return self._not_primary()
        if not reign.primary.established or (self._rules.reads_need_lease and not self._lease.holds(self._now_s())):
            return _not_done(503, "failed", f"{self._name} is the primary, and does not know yet, or any more, that it is")
        return Response.json(Got(self._replica.machine.read(key)))

    async def _command(self, operation: Operation, session: int, number: int) -> Response:
        if (size := _too_long(operation)) is not None:
            return Response(413, b"a value has at most %d bytes; this one has %d" % (MOST_VALUE_BYTES, size))
        reign = self._reign
        if reign is None:
            return self._not_primary()
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                outcome = await reign.carry_out(Command(operation, session, number))
        except TimeoutError:
            why = f"not acknowledged within {WRITE_TIMEOUT_S:g} s"
            outcome = Unknown(why) if self._rules.timeouts_are_unknown else Failed(why)
        return _response(outcome)

    async def _forward(self, request: Request, key: str) -> Response:
        """Ask the primary on a client's behalf, and answer what it answers."""
        known = self._watch.configuration
        if known is None or known.primary == self._name:
            return self._not_primary()
        path = KEY_PATH + quote(key, safe="") if key else request.path
        headers = ((FORWARDED_HEADER, self._name),)
        try:
            return await self._peers[known.primary].request(
                request.method, path, request.body, timeout_s=WRITE_TIMEOUT_S, headers=headers
            )
        except Unreachable as error:
            return _not_done(503, "failed", f"the primary, {known.primary}: {error}")
        except TransportError as error:
            return _not_done(504, "unknown", f"the primary, {known.primary}: {error}")

    def _not_primary(self) -> Response:
        known = self._watch.configuration
        primary = known.primary if known is not None and known.primary != self._name else ""
        return _not_done(421, "failed", f"{self._name} is not the primary", primary)

    def _status(self) -> Status:
        known, reign = self._watch.configuration, self._reign
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
        if request.cluster != self._config.cluster:
            why = f"this is cluster {self._config.cluster!r}, not {request.cluster!r}: {configuration.primary} is wired wrongly"
            return Response(409, why.encode())
        if configuration.primary not in self._peers:
            known = ", ".join(self._config.replicas)
            return Response(403, f"{configuration.primary} is no other replica of this cluster, which has {known}".encode())
        return Response.json(self._answer(request))

    def _answer(self, request: ReplicaRequest) -> ReplicaAnswer:
        """All of it in one turn of the loop, so that nothing comes in between."""
        configuration, replica = request.configuration, self._replica
        if not self._informed:
            return NotReady("it lost what it had promised, and has not asked the keepers yet")
        try:
            if configuration.epoch > replica.epoch and (self._rules.fences_bind or not isinstance(request, Fence)):
                self._storage.promise(configuration.epoch, ready=replica.ready)
                replica.promise(configuration.epoch)
                self._step_down(f"{configuration.primary} is the primary of epoch {configuration.epoch}")
            if configuration.epoch >= replica.epoch:
                self._watch.heard(configuration, self._now_s())
            if self._reign is not None:
                return Refused(replica.epoch) if self._rules.earlier_epochs_refused else NotReady("it is the primary")
            return self._carry_out(request)
        except OSError as error:
            self._node.log(f"the disk did not take what epoch {configuration.epoch} asked: {error}")
            return NotReady(f"the disk did not take it: {error}")

    def _carry_out(self, request: ReplicaRequest) -> ReplicaAnswer:
        replica = self._replica
        judged = replica.beyond(request) if isinstance(request, Fence) else replica.place(request)
        if isinstance(judged, Refused):
            self._teller.refuses(request.configuration.epoch, judged.epoch)
            return judged
        if self._rules.fences_bind or not isinstance(request, Fence):
            self._teller.obeys(request.configuration.epoch)
        if isinstance(request, Fence) or not isinstance(judged, Take | Restore):
            return cast(ReplicaAnswer, judged)
        self._heard_s = self._now_s()
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

    def _commit(self, index: int) -> None:
        before = self._replica.committed
        self._teller.committed(self._replica, before, self._replica.commit(index))

    # --------------------------------------------------------------------------------------------------- as a primary

    async def keep(self) -> None:
        """Renew the lease, or take over from one whose lease is over; until the node ends."""
        while True:
            try:
                await self._keep()
            except KeeperUnreachable as silence:
                if self._reign is None:
                    self._node.log(f"{silence}: who is the primary is not known")
            await asyncio.sleep(TICK_S)

    async def _keep(self) -> None:
        reign, now_s = self._reign, self._now_s()
        if reign is None:
            await self._stand_by(now_s)
        elif reign.primary.is_alone(now_s):
            self._step_down("no majority of the replicas answers")
            self._patience_s += GIVES_WAY_S
        elif now_s >= self._renew_at_s or reign.primary.wants_change(now_s):
            await self._renew(reign, now_s)

    async def _renew(self, reign: Reign, now_s: float) -> None:
        primary, sent_s = reign.primary, self._now_s()
        asked = primary.next_configuration(now_s)
        kept: Configuration | None = asked
        if not await self._keeper.replace(primary.configuration, asked):
            kept = await self._keeper.read()
        if kept is None:
            raise KeeperUnreachable("the keepers have lost the configuration")
        self._watch.heard(kept, self._now_s())
        if self._reign is not reign:
            return
        if not primary.kept(kept):
            self._step_down(f"{kept.primary} is the primary of epoch {kept.epoch}, say the keepers")
            return
        if kept == asked:
            self._lease.renewed(sent_s)
            self._renew_at_s = now_s + RENEW_S
        reign.advance()

    async def _stand_by(self, now_s: float) -> None:
        known = self._watch.configuration
        if known is None:
            await self._look(now_s)
        elif not self._informed:
            self._storage.promise(known.epoch, ready=not known.used)
            self._replica.promise(known.epoch)
            self._replica.ready, self._informed = not known.used, True
        elif self._is_over(now_s) and may_claim(
            self._name, known, ready=self._replica.ready, all_in_sync=self._config.all_in_sync, rules=self._rules
        ):
            await self._claim(known, claimed(self._name, known))

    def _is_over(self, now_s: float) -> bool:
        if not self._rules.leases_waited_out and now_s - self._heard_s > SILENT_AFTER_S:
            return True
        return self._watch.over(now_s, self._patience_s)

    async def _look(self, now_s: float) -> None:
        """Ask the keepers who is the primary; be the first one if there was none."""
        found = await self._keeper.read()
        if found is not None:
            self._watch.heard(found, self._now_s())
            return
        # Nothing was ever acknowledged, so an empty log lacks nothing.
        self._storage.promise(0, ready=True)
        self._replica.ready = self._informed = True
        if now_s >= self._first_at_s:
            await self._claim(None, first(self._name, self._config.replicas))

    async def _claim(self, known: Configuration | None, asked: Configuration) -> None:
        try:
            self._storage.check()
        except OSError:
            self._patience_s += GIVES_WAY_S
            return
        sent_s = self._now_s()
        if await self._keeper.replace(known, asked):
            self._watch.heard(asked, self._now_s())
            await self._take_over(asked, sent_s)
        elif (found := await self._keeper.read()) is not None:
            self._watch.heard(found, self._now_s())

    async def _take_over(self, configuration: Configuration, sent_s: float) -> None:
        """Begin an epoch that the keepers have given to this replica."""
        replica, epoch = self._replica, configuration.epoch
        if epoch <= replica.epoch:
            return
        try:
            self._storage.promise(epoch, ready=True)
            replica.promise(epoch)
            if epoch > 1 and not self._config.all_in_sync and not await self._adopt(configuration):
                self._patience_s = self._drawn_patience_s() + GIVES_WAY_S
                return
        except OSError as error:
            self._node.log(f"the disk did not take epoch {epoch}: {error}")
            self._patience_s = self._drawn_patience_s() + GIVES_WAY_S
            return
        self._lease = Lease()
        self._lease.renewed(sent_s)
        self._renew_at_s = self._now_s()
        primary = Primary(
            self._name,
            replica,
            configuration,
            self._config.replicas,
            cluster=self._config.cluster,
            all_in_sync=self._config.all_in_sync,
            now_s=self._now_s(),
            rules=self._rules,
        )
        self._reign = Reign(primary, self._peers, self._teller, clock=self._now_s, over=self._step_down, rules=self._rules)
        self._node.log(f"is the primary of epoch {epoch}")
        self._teller.leads(epoch)
        self._reign.begin()

    async def _adopt(self, configuration: Configuration) -> bool:
        """Have a majority obey no earlier epoch, and take over the log that knows most; whether that came about in time."""
        replica = self._replica
        takeover = Takeover(self._name, replica, self._config.replicas, rules=self._rules)
        request = msgspec.json.encode(Fence(cluster=self._config.cluster, configuration=configuration, ends=replica.log.ends()))
        enough = asyncio.Event()

        async def fence(name: str) -> None:
            while not enough.is_set():
                answer = await ask(self._peers[name], request, FENCE_TIMEOUT_S)
                if isinstance(answer, Fenced):
                    takeover.answered(name, answer)
                    if takeover.is_over():
                        enough.set()
                    return
                await asyncio.sleep(TICK_S)

        fencing = [asyncio.create_task(fence(name)) for name in self._peers]
        try:
            if not takeover.is_over():
                async with asyncio.timeout(TAKEOVER_S):
                    await enough.wait()
        except TimeoutError:
            return False
        finally:
            for task in fencing:
                task.cancel()
        if replica.epoch != configuration.epoch:
            return False
        adopted = takeover.adopted()
        if isinstance(adopted, Take):
            self._teller.take(replica, adopted)
        elif adopted is not None:
            self._teller.restore(replica, adopted)
        return True

    def _step_down(self, why: str) -> None:
        reign, self._reign = self._reign, None
        if reign is None:
            return
        self._node.log(f"is not the primary of epoch {reign.primary.configuration.epoch} any more: {why}")
        reign.end(f"{self._name} is not the primary any more: {why}")
        self._watch.heard(reign.primary.configuration, self._now_s())
        self._patience_s = self._drawn_patience_s()

    def _drawn_patience_s(self) -> float:
        return self._node.random.uniform(0, PATIENCE_S)

    def _now_s(self) -> float:
        return self._node.clock() if self._rules.leases_ignore_wall_clock else self._node.time()

    # ------------------------------------------------------------------------------------------------- seen from outside

    def _unsettled(self) -> dict[str, int]:
        reign = self._reign
        return {
            "commands not acknowledged": 0 if reign is None else reign.under_way,
            "logs not completed": int(not self._replica.ready),
        }

    def _shown(self) -> Shown:
        reign = self._reign
        return Shown(
            epoch=0 if reign is None else reign.primary.configuration.epoch,
            begin=0 if reign is None else reign.primary.begin,
            replica=self._replica,
        )


def _too_long(operation: Operation) -> int | None:
    """How many bytes a value has, if that is too many."""
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
    try:
        server = Server(node, config, RaftKeeper({name: node.peers[name] for name in config.keepers}))
    except ForeignData as error:
        node.log(str(error))
        raise SystemExit(1) from error
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.keep())
        await node.serve(server.handle)
