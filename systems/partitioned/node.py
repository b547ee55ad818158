"""One node of the partitioned store: it holds partitions, and answers clients for those whose first owner it is.

GET, PUT, DELETE /kv/KEY       200 {"value": …, "epoch": …}; PUT {"value": "…"}
                               421: ask another node, by the map of the named epoch; 503: certainly no effect; 504: perhaps
POST /many {"keys": […]}       200 {"values": {…}}, without keys of other nodes
POST /scan {"low": …}          200 {"values": {…}, "until": …}: the keys of a range that are on this node
GET /map                       the map that the node uses
POST /replica, /pull, /beat    among nodes and the coordinator
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final, cast

import msgspec

from harness.http.message import Request, Response
from harness.node.context import NodeContext
from systems.partitioned.agreeing import Agreeing
from systems.partitioned.bugs import BUGS
from systems.partitioned.frames import Damaged
from systems.partitioned.hot_keys import HotKeys
from systems.partitioned.known_map import KnownMap
from systems.partitioned.messages import (
    BEAT_PATH,
    KEY_PATH,
    MAP_PATH,
    MISDIRECTED,
    PULL_PATH,
    REPLICA_PATH,
    At,
    Beat,
    Entry,
    GetMany,
    Got,
    GotMany,
    Hot,
    NotDone,
    Places,
    PullRequest,
    Put,
    Refusal,
    ReplicaRequest,
    Scan,
    Scanned,
    Status,
    Store,
)
from systems.partitioned.operations import ANSWER_S, Operations
from systems.partitioned.partition_map import Partition, PartitionMap
from systems.partitioned.peer import BAD, Peer, answer, read
from systems.partitioned.protocol import Done, Operation, Versions
from systems.partitioned.puller import Puller
from systems.partitioned.remembered import forgotten, next_start
from systems.partitioned.replica import Replica
from systems.partitioned.scanning import first_places
from systems.partitioned.storage import Storage
from systems.parts.outcomes import Failed, Unknown
from systems.parts.owner import Owner, refusing_other_data

OPEN_AGAIN_S: Final = 0.05
_OF_NODES: Final = frozenset({REPLICA_PATH, PULL_PATH, BEAT_PATH, MAP_PATH})
"""Paths of requests between nodes and the coordinator of one cluster; each request names its receiver."""
_REPLICA_REQUEST: Final = cast("type[ReplicaRequest]", ReplicaRequest)


class Config(msgspec.Struct, frozen=True):
    """A node's settings."""

    cluster: str = "partitioned"
    batch_kib: int = 256
    rate_mb_per_s: float = 64.0
    segment_kib: int = 1024
    bug: str | None = None


class Server:
    """Answers clients, other nodes and the coordinator."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        self._node = node
        self._name = node.name
        self._owner = Owner(config.cluster, node.name)
        self._rules = BUGS.variant(config.bug)
        self._owner.check_disk(node.disk)
        self._peers = {
            name: Peer(Owner(config.cluster, name), address, checked=self._rules.checksums_checked)
            for name, address in sorted(node.peers.items())
        }
        self._storage = Storage(node.disk, node.log, rules=self._rules, segment_bytes=config.segment_kib * 1024)
        self._known = KnownMap(node.disk, node.log, self._rules)
        self._replica = Replica(self._storage, self._known, self._rules)
        self._agreeing = Agreeing(self._peers, self._known, self._install)
        self._operations = Operations(node, self._peers, self._replica, self._agreeing.refused, self._rules)
        self._puller = Puller(node, self._storage, self._peers, config.batch_kib * 1024, config.rate_mb_per_s, self._rules)
        self._versions = Versions(node.name, 0)
        self._start = 0
        self._leaving: PartitionMap | None = None
        """The map that the node is about to install: no operation begins on a partition that another node leads there."""
        self._loads: Counter[str] = Counter()
        self._hot = HotKeys()
        self._served: dict[str, int] = {}
        self._acknowledged: dict[str, Entry] = {}
        node.show(self._shown)
        node.must_recover(lambda disk: forgotten(self._storage, self._known.map, self._start, disk))
        node.report_unsettled(self._unsettled)

    async def open(self) -> None:
        """Read what the node held; until then it refuses everything."""
        while True:
            try:
                self._owner.claim(self._node.disk)
                self._storage.open()
                self._known.open()
                start = next_start(self._node.disk)
                break
            except OSError as error:
                self._node.log(f"the disk failed while the node reopened its files: {error}")
                await asyncio.sleep(OPEN_AGAIN_S)
        self._versions = Versions(self._name, start)
        self._start = start  # from now on it answers: the number is on the disk, so no later start has it
        self._went_on()

    async def handle(self, request: Request) -> Response:
        if not self._start:
            return _not_done(503, "the node is still reading its disk")
        if request.method == "POST" and request.path in _OF_NODES:
            return self._owner.misdirected(request.headers) or await self._answer_node(request)
        key = request.path.removeprefix(KEY_PATH) if request.path.startswith(KEY_PATH) else ""
        if self._known.map is None:
            return _not_done(503, "the node has no map yet")
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
        self._count(partition.low, key)
        operation = Operation(place, partition, versions, value, self._rules)
        await self._operations.carry_out(operation)
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
                raise AssertionError("carried out without an outcome")

    async def _get_many(self, request: GetMany) -> Response:
        values: dict[str, str | None] = {}

        async def get(key: str) -> None:
            place = self._position(key)
            operation = await self._read(place)
            if operation is None:
                self._agreeing.referred_to(self._map.partition_at(place).owners[0])
            else:
                self._count(self._map.partition_at(place).low, key)
                if isinstance(operation.outcome, Done):
                    self._tell_served(key, operation)
                    values[key] = operation.outcome.value

        async with asyncio.TaskGroup() as tasks:
            for key in dict.fromkeys(request.keys):
                tasks.create_task(get(key))
        return Response.json(GotMany(values, self._map.epoch))

    async def _scan(self, request: Scan) -> Response:
        """The first keys of the range that are in this node's partition."""
        if self._map.method != "range":
            return Response(400, f"keys are in the order of their hashes: a store by {self._map.method} cannot scan".encode())
        partition = self._mine(request.low)
        if partition is None:
            return self._misdirected(request.low)
        self._loads[partition.low] += 1
        end = self._map.high_of(self._map.number_at(request.low))
        high = min((one for one in (end, request.high) if one is not None), default=None)
        places = await first_places(partition, request.low, high, request.limit, self._ask_places)
        if places is None:
            return self._misdirected(request.low) if self._mine(request.low) is None else _not_done(503, "no majority answered")
        async with asyncio.TaskGroup() as tasks:
            reads = [tasks.create_task(self._read(place)) for place in places[: request.limit]]
        values: dict[str, str] = {}
        for place, operation in zip(places, (one.result() for one in reads), strict=False):
            if operation is None:
                return self._misdirected(place)
            if not isinstance(operation.outcome, Done):
                return self._response(place, operation)
            self._tell_served(place, operation)
            if operation.outcome.value is not None:
                values[place] = operation.outcome.value
        until = places[request.limit] if len(places) > request.limit else high if high != request.high else None
        return Response.json(Scanned(values, until, self._map.epoch))

    async def _read(self, place: str) -> Operation | None:
        """A completed read; None if the position is another node's by the map at its beginning."""
        partition = self._mine(place)
        if partition is None:
            return None
        operation = Operation(place, partition, rules=self._rules)
        await self._operations.carry_out(operation)
        return operation

    async def _ask_places(self, name: str, asked: Places) -> list[str] | None:
        if name == self._name:  # check as for another node's request: a newer map may have arrived meanwhile
            return None if self._replica.refused(asked.low, asked.epoch) else self._replica.places(asked)
        told = await self._peers[name].ask(REPLICA_PATH, asked, list[str], ANSWER_S)
        return told if isinstance(told, list) else None

    def _tell_hot(self, asked: At) -> Response:
        number = self._map.number_at(asked.at)
        return Response.json(Hot(self._hot.between(self._map.partitions[number].low, self._map.high_of(number))))

    def _count(self, low: str, key: str) -> None:
        self._loads[low] += 1
        if self._map.method == "range":
            self._hot.count(key)

    # ----------------------------------------------------------------------------------------------- among the nodes

    def _exchange(self, offered: Beat) -> Response:
        """Install another node's map if it is newer; answer with this node's map if that is newer."""
        if offered.map is not None:
            self._install(offered.map)
        return answer(Beat(self._known.epoch, self._known.map if self._known.epoch > offered.epoch else None))

    async def _answer_node(self, request: Request) -> Response:
        """Answer another node or the coordinator."""
        checked = self._rules.checksums_checked
        try:
            match request.path:
                case path if path == REPLICA_PATH:
                    return await self._answer_owner(read(request, _REPLICA_REQUEST, checked=checked))
                case path if path == PULL_PATH:
                    return answer(self._replica.hand_out(read(request, PullRequest, checked=checked)))
                case path if path == BEAT_PATH:
                    return await self._beat(read(request, Beat))
                case _:
                    return self._exchange(read(request, Beat))
        except Damaged:
            return BAD

    async def _answer_owner(self, request: ReplicaRequest) -> Response:
        if isinstance(request, Places):
            return answer(self._replica.refused(request.low, request.epoch) or self._replica.places(request))
        told = await self._replica.answer(request)
        return Response(507, b"the disk failed") if told is None else answer(told)

    async def _beat(self, beat: Beat) -> Response:
        if beat.map is not None and beat.map.epoch > self._known.epoch:
            self._leaving = beat.map
            try:
                await self._operations.drained(beat.map)
            finally:  # also if the coordinator has hung up
                self._leaving = None
            self._install(beat.map)
        self._storage.try_again()
        epoch, copied, loads = self._known.epoch, self._puller.whole(), dict(self._loads)
        return answer(Status(epoch=epoch, copied=copied, failing=self._failing, loads=loads, start=self._start))

    # ------------------------------------------------------------------------------------------------------- the map

    @property
    def _map(self) -> PartitionMap:
        assert self._known.map is not None  # noqa: S101 - callers have checked
        return self._known.map

    @property
    def _failing(self) -> bool:
        return self._storage.failing or self._known.failing

    def _position(self, key: str) -> str:
        return self._rules.position(self._map, key, self._name)

    def _mine(self, place: str) -> Partition | None:
        """The partition of a position, if this node answers clients for it."""
        partition = self._map.partition_at(place)
        leaves = self._leaving is not None and self._leaving.partition_at(place).owners[0] != self._name
        return partition if self._name in self._rules.leaders(partition) and not leaves else None

    def _install(self, newer: PartitionMap) -> None:
        """Use another map from now on, if it is newer and the disk stores it."""
        if newer.epoch <= self._known.epoch:
            return
        before = self._known.map
        if not self._known.install(newer):
            return
        self._operations.go_by(newer)
        self._went_on(before)

    def _went_on(self, before: PartitionMap | None = None) -> None:
        """Discard what belongs to other nodes, and copy what arrives."""
        now = self._known.map
        if now is None:
            return
        for partition, high in now.bounded():
            if (before is None or partition.epoch > before.epoch) and self._rules.lets_go(partition, self._name):
                self._storage.forget(partition.low, high)
        self._puller.go_by(now)

    def _misdirected(self, place: str) -> Response:
        owner = self._map.partition_at(place).owners[0]
        self._agreeing.referred_to(owner)
        why = f"ask {owner}, by the map of epoch {self._known.epoch}"
        return Response.json(Refusal(self._known.epoch, why), MISDIRECTED)

    # ------------------------------------------------------------------------------------------------- what is told

    def _tell_served(self, key: str, operation: Operation) -> None:
        if self._served.get(key) != operation.epoch:
            self._served[key] = operation.epoch
            self._node.event("served", {"key": key, "epoch": operation.epoch})
        phase = operation.phase
        entry = phase.request.entry if isinstance(phase.request, Store) else phase.newest
        if entry.version > Entry().version:
            self._acknowledged[operation.place] = entry

    def _shown(self) -> object:
        return {
            "storage": self._storage,
            "replica": self._replica,
            "map": self._known.map,
            "opened": self._start > 0,
            "start": self._start,
            "acknowledged": self._acknowledged,
            "running": list(self._operations.running),
            "writes": self._operations.writes,
            "versions": self._versions.given,
            "pulling": self._puller.shown(),
            "peers": {name: peer.heard for name, peer in self._peers.items()},
            "leaving": (self._leaving is not None, self._operations.draining),
        }

    def _unsettled(self) -> dict[str, int]:
        return {
            "operations under way": self._operations.under_way,
            "questions to nodes": self._operations.questions,
            "requests in flight to nodes": sum(peer.in_flight for peer in self._peers.values()),
            "copies under way": self._puller.under_way,
            "exchanges of maps under way": self._agreeing.under_way,
            "disks that count as failing": int(self._failing),
        }


def _not_done(status: int, why: str) -> Response:
    return Response.json(NotDone(why), status)


async def main(node: NodeContext) -> None:
    """Run one node."""
    with refusing_other_data(node):
        server = Server(node, node.config(Config))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.open())
        await node.serve(server.handle)
