"""One node of the partitioned store: it holds partitions, and answers clients for those of which it is the first owner.

GET, PUT, DELETE /kv/KEY       200 {"value": …, "epoch": …}; PUT {"value": "…"}
                               421: ask another node, by the map of the epoch that it names; 503: surely no effect; 504: perhaps
POST /many {"keys": […]}       200 {"values": {…}}, without those that are another node's
POST /scan {"low": …}          200 {"values": {…}, "until": …}: the keys of a range, as far as they are this node's
GET /map                       the map that it goes by
POST /replica, /pull, /beat    among nodes and the coordinator
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable
from typing import Final, cast

import msgspec

from harness.http.message import Request, Response
from harness.node.context import NodeContext
from systems.partitioned.bugs import BUGS
from systems.partitioned.frames import Damaged
from systems.partitioned.known_map import KnownMap
from systems.partitioned.messages import (
    KEY_PATH,
    MAP_PATH,
    REPLICA_PATH,
    At,
    Beat,
    Entry,
    GetMany,
    Got,
    GotMany,
    Held,
    Hot,
    NotDone,
    Places,
    Pulled,
    PullRequest,
    Put,
    Query,
    Refusal,
    ReplicaRequest,
    Scan,
    Scanned,
    Status,
    Store,
)
from systems.partitioned.partition_map import Partition, PartitionMap
from systems.partitioned.peer import BAD, REFUSED, Peer, answer, read
from systems.partitioned.protocol import Done, Failed, Operation, Phase, Unknown, Versions
from systems.partitioned.puller import Puller
from systems.partitioned.storage import Storage, size_of

OPERATION_S: Final = 0.6
"""How long an operation looks for its majorities. It is over before a client gives up."""
ASK_AGAIN_S: Final = 0.12
"""A node that has not answered after this long is asked a second time."""
ANSWER_S: Final = 0.3
AGREED_S: Final = 0.005
"""A pause after two nodes have told each other of their maps, should the disk of one of them not take it."""
DRAIN_S: Final = 0.15
"""How long a node that is told that a partition is another's lets operations of that partition come to their end."""
OPEN_AGAIN_S: Final = 0.05
HOT_KEYS: Final = 4096
MISDIRECTED: Final = 421
_REPLICA_REQUEST: Final = cast("type[ReplicaRequest]", ReplicaRequest)


class Config(msgspec.Struct, frozen=True):
    """A node's settings."""

    batch_kib: int = 256
    rate_mb_per_s: float = 64.0
    segment_kib: int = 1024
    bug: str | None = None


class Server:
    """Answers clients, other nodes and the coordinator."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        self._node = node
        self._name = node.name
        self._rules = BUGS.variant(config.bug)
        self._peers = {
            name: Peer(address, checked=self._rules.checksums_checked) for name, address in sorted(node.peers.items())
        }
        self._storage = Storage(node.disk, node.log, rules=self._rules, segment_bytes=config.segment_kib * 1024)
        self._known = KnownMap(node.disk, node.log, self._rules)
        self._puller = Puller(node, self._storage, self._peers, config.batch_kib * 1024, config.rate_mb_per_s, self._rules)
        self._versions = Versions(node.name, 0)
        self._start = 0
        self._running: dict[Operation, asyncio.Event] = {}
        self._asking: set[asyncio.Future[None]] = set()
        self._agreeing: dict[str, asyncio.Future[None]] = {}
        self._leaving: PartitionMap | None = None
        """The map that it is about to go by: no operation begins on what is another's there."""
        self._loads: Counter[str] = Counter()
        self._hot: Counter[str] = Counter()
        self._served: dict[str, int] = {}
        self._acknowledged: dict[str, Entry] = {}
        node.show(self._shown)
        node.report_unsettled(self._unsettled)

    async def open(self) -> None:
        """Read back what was held; until then everything is refused."""
        while True:
            try:
                self._storage.open()
                self._known.open()
                self._start = int(self._node.disk.read("starts") or b"0") + 1
                self._node.disk.replace("starts", b"%d" % self._start)
                break
            except OSError as error:
                self._node.log(f"the disk did not take what was read from it: {error}")
                await asyncio.sleep(OPEN_AGAIN_S)
        self._versions = Versions(self._name, self._start)
        self._went_on()

    async def handle(self, request: Request) -> Response:
        if not self._start:
            return _not_done(503, "it has not read back yet what it held")
        key = request.path.removeprefix(KEY_PATH) if request.path.startswith(KEY_PATH) else ""
        try:
            match request.method, request.path:
                case "POST", "/replica":
                    return await self._replica(read(request, _REPLICA_REQUEST, checked=self._rules.checksums_checked))
                case "POST", "/pull":
                    return self._hand_out(read(request, PullRequest, checked=self._rules.checksums_checked))
                case "POST", "/beat":
                    return await self._beat(read(request, Beat))
                case "POST", "/map":
                    return self._exchange(read(request, Beat))
        except Damaged:
            return BAD
        if self._known.map is None:
            return _not_done(503, "it has no map yet")
        match request.method, request.path:
            case "GET", "/map":
                return Response.json(self._known.map)
            case "POST", "/many":
                return await self._get_many(request.decode(GetMany))
            case "POST", "/scan":
                return await self._scan(request.decode(Scan))
            case "POST", "/hot":
                return self._tell_hot(request.decode(At))
            case "GET", _ if key:
                return await self._answered(key, None)
            case "PUT", _ if key:
                return await self._answered(key, self._versions, request.decode(Put).value)
            case "DELETE", _ if key:
                return await self._answered(key, self._versions)
            case _:
                return Response(404, b'there are GET, DELETE and PUT /kv/KEY {"value": "..."}, POST /many and /scan')

    # ------------------------------------------------------------------------------------------------------- clients

    async def _answered(self, key: str, versions: Versions | None, value: str | None = None) -> Response:
        place = self._position(key)
        partition = self._mine(place)
        if partition is None:
            return self._misdirected(place)
        self._loads[partition.low] += 1
        self._count_key(key)
        operation = Operation(place, partition, versions, value, self._rules)
        await self._carry_out(operation)
        return self._response(key, operation)

    def _response(self, key: str, operation: Operation) -> Response:
        match operation.outcome:
            case Done(value):
                self._tell_served(key, operation)
                return Response.json(Got(value, self._map.epoch))
            case Failed(why):
                moved = self._mine(operation.place) is None
                return self._misdirected(operation.place) if moved else _not_done(503, why)
            case Unknown(why):
                return _not_done(504, why)
            case None:
                raise AssertionError("carried out, and without an outcome")

    async def _get_many(self, request: GetMany) -> Response:
        values: dict[str, str | None] = {}

        async def get(key: str) -> None:
            place = self._position(key)
            partition = self._mine(place)
            if partition is not None:
                self._loads[partition.low] += 1
                self._count_key(key)
                operation = Operation(place, partition, rules=self._rules)
                await self._carry_out(operation)
                if isinstance(operation.outcome, Done):
                    self._tell_served(key, operation)
                    values[key] = operation.outcome.value

        async with asyncio.TaskGroup() as tasks:
            for key in dict.fromkeys(request.keys):
                tasks.create_task(get(key))
        return Response.json(GotMany(values, self._map.epoch))

    async def _scan(self, request: Scan) -> Response:
        """The first keys of the range that are this node's, as far as its partition goes."""
        if self._map.method != "range":
            return Response(
                400, f"the keys lie in the order of their hashes: a store by {self._map.method} cannot scan".encode()
            )
        partition = self._mine(request.low)
        if partition is None:
            return self._misdirected(request.low)
        self._loads[partition.low] += 1
        end = self._map.high_of(self._map.number_at(request.low))
        high = min((one for one in (end, request.high) if one is not None), default=None)
        places = await self._places(partition, request.low, high, request.limit)
        if places is None:
            return self._misdirected(request.low) if self._mine(request.low) is None else _not_done(503, "no majority answered")
        operations = [Operation(place, partition, rules=self._rules) for place in places[: request.limit]]
        async with asyncio.TaskGroup() as tasks:
            for operation in operations:
                tasks.create_task(self._carry_out(operation))
        values: dict[str, str] = {}
        for operation in operations:
            if not isinstance(operation.outcome, Done):
                return self._response(operation.place, operation)
            self._tell_served(operation.place, operation)
            if operation.outcome.value is not None:
                values[operation.place] = operation.outcome.value
        until = places[request.limit] if len(places) > request.limit else high if high != request.high else None
        return Response.json(Scanned(values, until, self._map.epoch))

    async def _places(self, partition: Partition, low: str, high: str | None, limit: int) -> list[str] | None:
        """The first positions at which majorities hold something; None if they did not say."""
        asked = Places(low, high, limit + 1, partition.epoch)
        found: set[str] = set()
        for group in (partition.owners, partition.target) if partition.target else (partition.owners,):
            answers = await asyncio.gather(*(self._ask_places(name, asked) for name in group))
            told = [places for places in answers if places is not None]
            if len(told) * 2 <= len(group):
                return None
            # Each list may end early: what lies beyond the end of the shortest full one is not known of its node.
            ends = [places[-1] for places in told if len(places) > limit]
            found |= {place for places in told for place in places if not ends or place <= min(ends)}
        return sorted(found)[: limit + 1]

    async def _ask_places(self, name: str, asked: Places) -> list[str] | None:
        if name == self._name:
            return self._places_held(asked)
        told = await self._peers[name].ask(REPLICA_PATH, asked, list[str], ANSWER_S)
        return told if isinstance(told, list) else None

    def _places_held(self, asked: Places) -> list[str]:
        places: list[str] = []
        for held in self._storage.between(asked.low, asked.high):
            places.append(held.place)
            if len(places) >= asked.limit:
                break
        return places

    def _tell_hot(self, asked: At) -> Response:
        number = self._map.number_at(asked.at)
        low, high = self._map.partitions[number].low, self._map.high_of(number)
        counts = {key: n for key, n in self._hot.items() if low <= key and (high is None or key < high)}
        return Response.json(Hot(counts))

    def _count_key(self, key: str) -> None:
        if self._map.method == "range":
            self._hot[key] += 1
            if len(self._hot) > HOT_KEYS:
                self._hot = Counter(dict(self._hot.most_common(HOT_KEYS // 2)))

    # ---------------------------------------------------------------------------------------------------- operations

    async def _carry_out(self, operation: Operation) -> None:
        """Return when there is an outcome. What was asked is not called back: it may still be stored."""
        changed = self._running[operation] = asyncio.Event()
        clock, loop = self._node.clock, asyncio.get_running_loop()
        until_s = clock() + OPERATION_S
        try:
            while not operation.over():
                changed.clear()
                if clock() >= until_s:
                    operation.gave_up()
                    break
                phase = operation.phase
                names = phase.unanswered()
                for name in names:
                    if name != self._name:
                        self._start_task(self._ask(operation, phase, name, changed))
                if self._name in names:  # most often that is all there is to do
                    await self._ask(operation, phase, self._name, changed)
                if not operation.over() and operation.phase is phase and not changed.is_set():
                    waking = loop.call_later(max(0.0, min(ASK_AGAIN_S, until_s - clock())), changed.set)
                    await changed.wait()
                    waking.cancel()
        finally:
            del self._running[operation]

    async def _ask(self, operation: Operation, phase: Phase, name: str, changed: asyncio.Event) -> None:
        if name == self._name:
            told: Entry | Refusal | None = await self._own_answer(phase.request)
        else:
            told = await self._peers[name].ask(REPLICA_PATH, phase.request, Entry, ANSWER_S)
        if isinstance(told, Entry):
            operation.answered(phase, name, told)
        elif isinstance(told, Refusal):
            await self._agree(name, told)
            changed.set()
        if operation.phase is not phase or operation.over():
            changed.set()

    async def _agree(self, name: str, refusal: Refusal) -> None:
        """Bring whoever is behind, this node or the other one, to the newer map. One exchange with a node at a time."""
        if self._known.map is None or name == self._name or refusal.epoch == self._known.epoch:
            return
        if name not in self._agreeing:
            self._agreeing[name] = asyncio.ensure_future(self._exchange_with(name, refusal.epoch))
        await asyncio.shield(self._agreeing[name])

    async def _exchange_with(self, name: str, epoch: int) -> None:
        offered = self._map if epoch < self._known.epoch else None
        told = await self._peers[name].ask(MAP_PATH, Beat(self._known.epoch, offered), Beat, ANSWER_S)
        if isinstance(told, Beat) and told.map is not None:
            self._install(told.map)
        await asyncio.sleep(AGREED_S)
        del self._agreeing[name]

    def _exchange(self, offered: Beat) -> Response:
        """Take another node's map if it is newer; tell it this one's if that is newer."""
        if offered.map is not None:
            self._install(offered.map)
        return answer(Beat(self._known.epoch, self._known.map if self._known.epoch > offered.epoch else None))

    def _start_task(self, asking: Awaitable[None]) -> None:
        task = asyncio.ensure_future(asking)
        self._asking.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._asking.discard)

    # ----------------------------------------------------------------------------------------------- among the nodes

    async def _replica(self, request: ReplicaRequest) -> Response:
        if isinstance(request, Places):
            refusal = self._refused(request.low, request.epoch)
            return answer(refusal, REFUSED) if refusal else answer(self._places_held(request))
        told = await self._own_answer(request)
        if told is None:
            return Response(507, b"the disk did not take it")
        return answer(told, REFUSED if isinstance(told, Refusal) else 200)

    async def _own_answer(self, request: Query | Store) -> Entry | Refusal | None:
        """What this node holds when it has done what was asked; None if its disk did not take it."""
        refusal = self._refused(request.place, request.epoch)
        if refusal is not None:
            return refusal
        if isinstance(request, Store) and not await self._storage.put([Held(request.place, request.entry)]):
            return None
        # Writing took its time. What is stored under an epoch that is over does no harm; but it must not count.
        return self._refused(request.place, request.epoch) or self._storage.entry(request.place)

    def _refused(self, place: str, epoch: int) -> Refusal | None:
        """Why nothing is done about a request for a position, which is made under an epoch of its partition."""
        if self._known.map is None:
            return Refusal(0, "it has no map yet")
        if self._rules.epochs_checked and self._map.partition_at(place).epoch != epoch:
            return Refusal(self._known.epoch, "its partition has another epoch")
        return None

    def _hand_out(self, request: PullRequest) -> Response:
        """The next part of a partition that moves away from here."""
        number = self._map.number_at(request.low) if self._known.map else 0
        partition = self._map.partitions[number] if self._known.map else None
        fenced = partition is not None and partition.low == request.low and partition.move == request.move
        if partition is None or (self._rules.copies_are_fenced and not fenced):
            return answer(Refusal(self._known.epoch, "here it does not move"), REFUSED)
        high, of_bytes = self._map.high_of(number), None
        if not request.after:
            of_bytes = sum(size_of(held) for held in self._storage.between(partition.low, high) if self._moves(held))
        part: list[Held] = []
        taken_bytes = 0
        done = True
        for held in self._storage.between(partition.low, high, request.after or self._rules.copied_after(partition.low)):
            if not self._moves(held):
                continue
            if taken_bytes >= request.limit_bytes and part:
                done = False
                break
            part.append(held)
            taken_bytes += size_of(held)
        return answer(Pulled(part, done, of_bytes))

    def _moves(self, held: Held) -> bool:
        return held.entry.value is not None or self._rules.tombstones_move

    async def _beat(self, beat: Beat) -> Response:
        if beat.map is not None and beat.map.epoch > self._known.epoch:
            await self._drained(beat.map)
            self._install(beat.map)
        return answer(
            Status(
                epoch=self._known.epoch,
                copied=self._puller.whole(),
                failing=self._storage.failing or self._known.failing,
                loads=dict(self._loads),
                start=self._start,
            )
        )

    async def _drained(self, coming: PartitionMap) -> None:
        """Return when no operation is under way on what is another node's in the map that comes, or patience ends."""
        self._leaving = coming
        until_s = self._node.clock() + DRAIN_S
        with contextlib.suppress(TimeoutError):
            while any(coming.partition_at(one.place).owners[0] != self._name for one in self._running):
                if self._node.clock() >= until_s:
                    break
                await asyncio.sleep(0.002)
        self._leaving = None

    # ------------------------------------------------------------------------------------------------------- the map

    @property
    def _map(self) -> PartitionMap:
        assert self._known.map is not None  # noqa: S101 - who asks has seen to it
        return self._known.map

    def _position(self, key: str) -> str:
        return self._rules.position(self._map, key, self._name)

    def _mine(self, place: str) -> Partition | None:
        """The partition of a position, if this node answers clients for it."""
        partition = self._map.partition_at(place)
        serves = self._name in self._rules.leaders(partition)
        if serves and self._leaving is not None and self._leaving.partition_at(place).owners[0] != self._name:
            return None
        return partition if serves else None

    def _install(self, newer: PartitionMap) -> None:
        """Go by another map from now on, if it is newer and the disk takes it."""
        if newer.epoch <= self._known.epoch:
            return
        before = self._known.map
        if not self._known.install(newer):
            return
        for operation, changed in list(self._running.items()):
            partition = newer.partition_at(operation.place)
            if not self._rules.epochs_checked:
                continue
            if self._name not in self._rules.leaders(partition):
                operation.gave_up(f"it is {partition.owners[0]}'s now")
                changed.set()
            elif partition.epoch != operation.epoch:
                operation.moved(partition)
                changed.set()
        self._went_on(before)

    def _went_on(self, before: PartitionMap | None = None) -> None:
        """Let go of what is others', and copy what arrives."""
        now = self._known.map
        if now is None:
            return
        for partition, high in now.bounded():
            if (before is None or partition.epoch > before.epoch) and self._rules.lets_go(partition, self._name):
                self._storage.forget(partition.low, high)
        self._puller.go_by(now)

    def _misdirected(self, place: str) -> Response:
        partition = self._map.partition_at(place)
        return Response.json(
            Refusal(self._known.epoch, f"ask {partition.owners[0]}, by the map of epoch {self._known.epoch}"), MISDIRECTED
        )

    # ------------------------------------------------------------------------------------------------- what is told

    def _tell_served(self, key: str, operation: Operation) -> None:
        if self._served.get(key) != operation.epoch:
            self._served[key] = operation.epoch
            self._node.event("served", {"key": key, "epoch": operation.epoch})
        if isinstance(operation.phase.request, Store):
            self._acknowledged[operation.place] = operation.phase.request.entry

    def _shown(self) -> object:
        return {
            "storage": self._storage,
            "map": self._known.map,
            "opened": self._start > 0,
            "acknowledged": self._acknowledged,
        }

    def _unsettled(self) -> dict[str, int]:
        return {
            "operations under way": len(self._running),
            "questions to nodes": len(self._asking),
            "copies under way": self._puller.under_way,
        }


def _not_done(status: int, why: str) -> Response:
    return Response.json(NotDone(why), status)


async def main(node: NodeContext) -> None:
    """Run one node."""
    server = Server(node, node.config(Config))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.open())
        await node.serve(server.handle)
