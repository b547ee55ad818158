"""Keeps the map: knows which nodes are members, has partitions moved, and tells every node the current epoch.

GET /map                       the map
POST /members {"join": {"name": "n4"}} or {"leave": "n2"}   200 with the map's epoch; 400 if it makes no sense
POST /split, /merge {"at": …}  cut a partition in two at a key, or join two that meet there

Pure functions make its decisions from the map and from what it sees (`moving`, `placing`), and each decision is on its disk
before any node learns of it. To have several coordinators with a common log, only `Keeper` would have to be replaced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from harness.http.client import HttpClient
from harness.http.message import Request, Response, TransportError
from harness.model.errors import UsageError
from harness.node.context import NodeContext
from harness.node.disk import Disk
from systems.partitioned.bugs import BUGS, Rules
from systems.partitioned.duties import Heard
from systems.partitioned.known_map import FILE, read_map, write_map
from systems.partitioned.messages import BEAT_PATH, HOT_PATH, At, Beat, Change, Hot, NotDone, Status
from systems.partitioned.moving import Seen, advanced, first_map, joined, left, merged, split
from systems.partitioned.partition_map import Method, Partition, PartitionMap
from systems.partitioned.peer import Peer
from systems.partitioned.placing import BOUND, coolest, handed, hottest, rebalanced
from systems.partitioned.telling import told_members
from systems.parts.found import durable
from systems.parts.owner import Owner, refusing_other_data
from systems.parts.partitioning.members import Member
from systems.parts.partitioning.ranges import KeyRange

BEAT_S: Final = 0.05
"""How often the coordinator sends every node the epoch and asks for its state."""
ANSWER_S: Final = 0.3
SUSPECT_S: Final = 0.6
"""A node that has not answered for this long is considered down."""
REST_S: Final = 0.2
"""After a move was rolled back, its partition is left alone for this long."""
BALANCE_S: Final = 0.5
"""Loads are looked at once in this time, and compared over it."""
LEAST_LOAD_PER_S: Final = 40.0
"""With a smaller load than this in all, nothing is moved because of it."""
_LOOKS: Final = 4
"""A load is the mean of this many looks."""


class Config(msgspec.Struct, frozen=True):
    """The coordinator's settings."""

    method: Method
    members: list[Member]
    cluster: str = "partitioned"
    replicas: int = 1
    partitions: int = 64
    boundaries: list[str] = []
    moves_at_once: int = 4
    balance: bool = False
    bound: float = BOUND
    bug: str | None = None


class Keeper(Protocol):
    """Where the map is kept. If two ask for the same epoch, `decide` lets only one have it."""

    @property
    def map(self) -> PartitionMap: ...

    async def decide(self, newer: PartitionMap) -> bool:
        """Make this the map. False if it could not be stored durably: then nothing has changed."""


class OneDisk:
    """The map on the disk of one coordinator."""

    def __init__(self, node: NodeContext, owner: Owner, first: Callable[[], PartitionMap], rules: Rules) -> None:
        """Raises `OtherNode` if the disk belongs to another node."""
        self._node = node
        self._owner = owner
        owner.check_disk(node.disk)
        self._rules = rules
        self._first = first
        self.map = read_map(node.disk) or first()
        node.must_recover(self._forgotten)

    async def decide(self, newer: PartitionMap) -> bool:
        if self._rules.decisions_last:
            try:
                self._owner.claim(self._node.disk)
                write_map(self._node.disk, newer)
            except OSError as error:
                self._node.log(f"the disk did not take the map of epoch {newer.epoch}: {error}")
                return False
        self.map = newer
        return True

    def _forgotten(self, disk: Disk) -> str | None:
        """What it would have forgotten if it started on this disk."""
        found = read_map(disk) or self._first()
        return None if found.epoch >= self.map.epoch else f"it would go back from epoch {self.map.epoch} to {found.epoch}"


class Coordinator:
    """Asks all nodes again and again for their state, and makes the next map from that."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        self._node = node
        self._config = config
        self._rules = BUGS.variant(config.bug)
        self._keeper: Keeper = OneDisk(
            node,
            Owner(config.cluster, node.name),
            lambda: first_map(
                config.method, config.members, config.replicas, config.partitions, config.boundaries, self._rules.place
            ),
            self._rules,
        )
        self._peers = {name: Peer(Owner(config.cluster, name), address) for name, address in sorted(node.peers.items())}
        self._clients = {name: HttpClient(address) for name, address in sorted(node.peers.items())}
        self._answered_s = dict.fromkeys(self._peers, node.clock())
        self._statuses: dict[str, Status] = {}
        self._rests_until_s: dict[str, float] = {}
        self._changing = asyncio.Lock()
        self._rounds = 0
        """How often it has asked all nodes, and made every change that was due."""
        self._loads = Loads()
        self._told_settled = 0
        node.show(
            lambda: {
                "map": self._map,
                "opened": True,
                "moves_at_once": config.moves_at_once,
                "heard": Heard(now_s=node.clock(), rounds=self._rounds, statuses=self._statuses),
            }
        )
        node.report_unsettled(self._unsettled)

    @property
    def _map(self) -> PartitionMap:
        return self._keeper.map

    async def handle(self, request: Request) -> Response:
        try:
            match request.method, request.path:
                case "GET", "/map":
                    return Response.json(self._map)
                case "POST", "/members":
                    return await self._change_members(request.decode(Change))
                case "POST", "/split":
                    at = request.decode(At).at
                    return await self._change(lambda now: split(now, now.position(at)))
                case "POST", "/merge":
                    at = request.decode(At).at
                    return await self._change(lambda now: merged(now, now.position(at)))
        except UsageError as error:
            return Response.json(NotDone(str(error)), 400)
        return Response(404, b"there are GET /map, POST /members, POST /split and POST /merge")

    async def keep(self) -> None:
        """Make one beat after another, for ever."""
        if self._map.epoch == 1:
            await self._keeper.decide(self._map)
            self._tell(None)
        looked_s = self._node.clock()
        while True:
            async with asyncio.TaskGroup() as tasks:
                for name in self._peers:
                    tasks.create_task(self._beat(name, self._statuses.get(name)))
            await self._advance()
            if self._config.balance and self._node.clock() - looked_s >= BALANCE_S:
                self._loads.look(self._statuses, self._map.names, self._node.clock() - looked_s)
                looked_s = self._node.clock()
                await self._balance()
            await asyncio.sleep(BEAT_S)

    # --------------------------------------------------------------------------------------------------------- beats

    async def _beat(self, name: str, before: Status | None) -> None:
        now = self._map
        knows = before is not None and before.epoch >= now.epoch
        status = await self._peers[name].ask(BEAT_PATH, Beat(now.epoch, None if knows else now), Status, ANSWER_S)
        if isinstance(status, Status):
            self._answered_s[name] = self._node.clock()
            self._statuses[name] = status
        else:
            self._statuses.pop(name, None)

    async def _tell_all(self, before: PartitionMap) -> None:
        """Send a new map to the nodes: first to nodes that lose partitions, so that they can finish what is under way."""
        after = self._map
        giving = {
            old.owners[0]
            for old in before.partitions
            if (new := after.partition_at(old.low)).owners[0] != old.owners[0] or (old.target and not new.target)
        }
        for names in (sorted(giving & set(self._peers)), [name for name in self._peers if name not in giving]):
            async with asyncio.TaskGroup() as tasks:
                for name in names:
                    tasks.create_task(self._beat(name, None))

    def _seen(self) -> Seen:
        now_s = self._node.clock()
        copied: dict[tuple[str, int], set[str]] = {}
        for name, status in self._statuses.items():
            for low, move in status.copied:
                copied.setdefault((low, move), set()).add(name)
        return Seen(
            down=frozenset(name for name in self._map.holders if now_s - self._answered_s.get(name, -SUSPECT_S) >= SUSPECT_S),
            failing=frozenset(name for name, status in self._statuses.items() if status.failing),
            epochs={name: status.epoch for name, status in self._statuses.items()},
            copied={which: frozenset(names) for which, names in copied.items()},
            resting=frozenset(low for low, until_s in self._rests_until_s.items() if until_s > now_s),
        )

    # ------------------------------------------------------------------------------------------------------- changes

    async def _advance(self) -> None:
        """Make every change that is due."""
        async with self._changing:
            before = self._map
            after = advanced(before, self._seen(), self._config.moves_at_once)
            if after is None:
                self._rounds += 1
            elif await self._keeper.decide(after):
                self._rounds += 1
                self._tell(before)
                for old in before.moving:
                    new = after.partition_at(old.low)
                    if not new.target and set(new.owners) == set(old.owners):
                        self._rests_until_s[old.low] = self._node.clock() + REST_S
                await self._tell_all(before)
            if self._map.settled and self._told_settled != self._map.epoch:
                self._told_settled = self._map.epoch
                self._node.event("settled", {"epoch": self._map.epoch})

    async def _change(self, make: Callable[[PartitionMap], PartitionMap]) -> Response:
        """The map that someone asks for. Raises `UsageError` if it makes no sense."""
        async with self._changing:
            before = self._map
            if not await self._keeper.decide(make(before)):
                return Response.json(NotDone("the coordinator's disk did not take it"), 503)
            self._tell(before)
        return Response.json({"epoch": self._map.epoch})

    async def _change_members(self, change: Change) -> Response:
        if (change.join is None) == (change.leave is None):
            raise UsageError('Say one of two: {"join": {"name": "n4"}} or {"leave": "n2"}.')
        name = change.join.name if change.join else change.leave
        if name not in self._peers:
            raise UsageError(f"There is no node {name!r}. There are: {', '.join(self._peers)}.")
        place = self._rules.place
        try:
            if change.join:
                member = change.join
                return await self._change(lambda now: joined(now, member, place))
            return await self._change(lambda now: left(now, name, place))
        except UsageError as error:
            return Response.json(NotDone(str(error), (name in self._map.names) == bool(change.join)), 400)

    # ---------------------------------------------------------------------------------------------------------- load

    async def _balance(self) -> None:
        """Have partitions moved, or cut a range in two, because of their load."""
        rates = self._loads.rates(self._map)
        if not self._map.settled or sum(rates.values()) < LEAST_LOAD_PER_S:
            return
        async with self._changing:
            before = self._map
            after = rebalanced(before, rates, self._config.bound)
            if after is not None and before.settled and await self._keeper.decide(after):
                self._tell(before, "load")
                self._loads.begin_anew()
                return
        hot = hottest(self._map, rates, self._config.bound)
        if hot is not None:
            await self._split(hot, rates)

    async def _split(self, hot: Partition, rates: dict[str, float]) -> None:
        """Cut a range where both halves come closest to having the same load, and give away the second one."""
        looked_at, owner = self._map, hot.owners[0]
        try:
            response = await self._clients[owner].request(
                "POST", HOT_PATH, msgspec.json.encode(At(hot.low)), timeout_s=ANSWER_S
            )
            counts = response.decode(Hot).counts
        except (TransportError, msgspec.MsgspecError):
            return
        at = self._rules.cut(KeyRange(hot.low, looked_at.high_of(looked_at.number_at(hot.low)), owner), counts)
        to = coolest(looked_at, rates, hot.placed)
        if at is None:
            return
        second = hot.placed if to is None else handed(looked_at, hot.placed, to)
        async with self._changing:
            before = self._map
            if before is looked_at and await self._keeper.decide(split(before, at, second)):
                self._tell(before, "load")
                self._loads.begin_anew()

    # ---------------------------------------------------------------------------------------------------------- told

    def _tell(self, before: PartitionMap | None, why: str = "members") -> None:
        """Report the new map to the history, and what has to move because of it."""
        now = self._map
        changed = [
            [one.low, one.epoch, list(one.owners), list(one.target)]
            for one in now.partitions
            if before is None or len(before.partitions) != len(now.partitions) or one.epoch > before.epoch
        ]
        whole = before is None or len(before.partitions) != len(now.partitions)
        self._node.event("map", {"epoch": now.epoch, "method": now.method, "whole": whole, "partitions": changed})
        if before is None or before.members != now.members or _placements(before) != _placements(now):
            self._node.event("planned", told_members(before, now, why))

    def _unsettled(self) -> dict[str, int]:
        """One count of moves, under way or to come: it falls with each move, so slow ones do not seem stuck."""
        return {"moves to finish": sum(not one.is_placed for one in self._map.partitions)}


class Loads:
    """How many requests per second each partition gets, from the counts of the nodes."""

    def __init__(self) -> None:
        self._last: dict[str, Status] = {}
        self._looks: list[dict[str, float]] = []

    def look(self, statuses: dict[str, Status], members: Sequence[str], over_s: float) -> None:
        """Take in the counts, which grew for `over_s` seconds since the last look.

        Begin anew unless each member has told them both times: of one that is silent, it is not known what it serves.
        """
        last, self._last = self._last, dict(statuses)
        both = {name for name, one in statuses.items() if name in last and last[name].start == one.start}
        if not both.issuperset(members):
            self.begin_anew()
            return
        found: dict[str, float] = {}
        for name in sorted(both):
            for low, count in statuses[name].loads.items():
                found[low] = found.get(low, 0.0) + max(0, count - last[name].loads.get(low, 0)) / over_s
        self._looks = [*self._looks, found][-_LOOKS:]

    def begin_anew(self) -> None:
        """Forget what was seen until now, which belongs to another division of the keys."""
        self._looks = []

    def rates(self, now: PartitionMap) -> dict[str, float]:
        """Requests per second by partition; empty until there is enough to tell."""
        if len(self._looks) < _LOOKS:
            return {}
        lows: Sequence[str] = [one.low for one in now.partitions]
        return {low: sum(look.get(low, 0.0) for look in self._looks) / _LOOKS for low in lows}


def _placements(one: PartitionMap) -> list[Sequence[str]]:
    return [partition.placed for partition in one.partitions]


async def main(node: NodeContext) -> None:
    """Run the coordinator."""
    await durable(node, FILE)
    with refusing_other_data(node):
        coordinator = Coordinator(node, node.config(Config))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(coordinator.keep())
        await node.serve(coordinator.handle)
