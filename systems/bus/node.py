"""One node of the bus: a member of the group that replicates it, and its HTTP interface.

POST /producers                        200 {"producer": n}
POST /topics/TOPIC {"key": …, "message": …, "producer": n, "sequence": m}
                                       200 when it is committed; 410 if the producer is forgotten
POST /topics/TOPIC/GROUP {"most": n}   200 {"lease": n, "messages": […], "busy": false}
POST /leases {"topic": …, "group": …, "lease": n}
                                       200 {"held": …}: whether the lease still held, and its messages are settled
GET, POST /raft                        as in `systems.raft.node`

503: it certainly has no effect, and "leader" says whom to ask, if that is known; 504: it may have one.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from harness.http.message import Request, Response
from harness.node.context import NodeContext
from systems.bus.bugs import BUGS
from systems.bus.messages import (
    LEASES_PATH,
    MAX_MESSAGE_BYTES,
    PRODUCERS_PATH,
    TOPICS_PATH,
    Ack,
    Append,
    Appended,
    Command,
    Forgotten,
    Outcome,
    Poll,
    Publish,
    Register,
    Settle,
    Take,
)
from systems.bus.topics import Topics
from systems.parts.owner import refusing_other_data
from systems.parts.sealing import answered
from systems.raft.core.core import NotLeading
from systems.raft.core.state import Timing
from systems.raft.messages import RAFT_PATH, NotDone
from systems.raft.outcomes import carried_out, received
from systems.raft.proposals import Unknown
from systems.raft.replica import Replica

_LOOK_S: Final = 0.05
"""How often the leader looks for leases that have expired."""

_OVERDUE_AFTER: Final = 2
"""A lease that has lasted this many times as long as it may is a sign that something is stuck."""

_HELP: Final = b"there are POST /producers, /topics/TOPIC, /topics/TOPIC/GROUP and /leases, and GET /raft"


class Config(msgspec.Struct, frozen=True):
    """A node's settings."""

    members: tuple[str, ...]
    cluster: str
    partitions: int
    groups: tuple[str, ...]
    lease_ms: int
    election_ms: int
    heartbeat_ms: int
    compact_at_kib: int
    bug: str | None = None


class Server:
    """Carries out what clients ask for through the group; the leader also ends leases that were held for too long."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        self._rules = BUGS.variant(config.bug)
        self._clock = node.clock
        self._patience_s = 2.5 * config.election_ms / 1e3
        self._lease_s = config.lease_ms / 1e3
        self._topics = Topics(config.partitions, config.groups, self._rules)
        self._seen: dict[tuple[str, str, int], float] = {}
        """Since when this node, as the leader, has known each lease. A new leader starts the time of each lease again."""
        self._started: set[asyncio.Future[Outcome]] = set()
        self.replica: Replica[Outcome] = Replica(
            node,
            self._topics,
            members=config.members,
            cluster=config.cluster,
            timing=Timing(election_ms=config.election_ms, heartbeat_ms=config.heartbeat_ms),
            rules=self._rules.group,
            compact_at_kib=config.compact_at_kib,
        )
        node.report_unsettled(self._unsettled)

    async def handle(self, request: Request) -> Response:
        return await answered(request, self._handle, checked=self._rules.group.checksums_checked)

    async def _handle(self, request: Request) -> Response:
        return await carried_out(self._answer(request), self._patience_s)

    async def expire_leases(self) -> None:
        """End leases that have expired, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if not self.replica.leads:
                self._seen.clear()
                continue
            held = {(one.topic, one.group, one.lease): one for one in self._topics.leases()}
            self._seen = {key: self._seen.get(key, self._clock()) for key in held}
            for key, since_s in self._seen.items():
                if self._rules.leases_expire and self._clock() - since_s >= self._lease_s:
                    try:
                        async with asyncio.timeout(self._patience_s):
                            await self._propose(held[key])
                    except (NotLeading, Unknown, TimeoutError):
                        break  # the next leader will end it

    def _unsettled(self) -> dict[str, int]:
        overdue = sum(self._clock() - since_s >= _OVERDUE_AFTER * self._lease_s for since_s in self._seen.values())
        return {**self.replica.unsettled(), "leases overdue": overdue}

    async def _answer(self, request: Request) -> Response:
        match request.method, request.path:
            case "POST", path if path == RAFT_PATH:
                return await received(self.replica, request)
            case "GET", path if path == RAFT_PATH:
                return Response.json(self.replica.status())
            case "POST", path if path == PRODUCERS_PATH:
                return Response.json(await self._propose(Register()))
            case "POST", path if path == LEASES_PATH:
                ack = request.decode(Ack)
                return Response.json(await self._propose(Settle(ack.topic, ack.group, ack.lease)))
            case "POST", path if path.startswith(TOPICS_PATH):
                topic, _, group = path.removeprefix(TOPICS_PATH).partition("/")
                if group:
                    return Response.json(await self._propose(Take(topic, group, request.decode(Poll).most)))
                if topic:
                    return await self._publish(topic, request)
        return Response(404, _HELP)

    async def _publish(self, topic: str, request: Request) -> Response:
        if len(request.body) > MAX_MESSAGE_BYTES:
            told = f"the body has {len(request.body):,} bytes; {MAX_MESSAGE_BYTES:,} is the most"
            return Response.json(NotDone("failed", told), status=413)
        asked = request.decode(Publish)
        append = Append(topic, asked.key, asked.message, asked.producer, asked.sequence)
        if not self._rules.published_when_committed and self.replica.leads:
            proposed = asyncio.ensure_future(self._propose(append))
            self._started.add(proposed)
            proposed.add_done_callback(self._forget)
            return Response.json(Appended(0, 0))
        answer = await self._propose(append)
        if isinstance(answer, Forgotten):
            return Response.json(NotDone("unknown", "the producer is not known any more"), status=410)
        return Response.json(answer)

    async def _propose(self, command: Command) -> Outcome:
        return await self.replica.propose(msgspec.json.encode(command).decode())

    def _forget(self, proposed: asyncio.Future[Outcome]) -> None:
        self._started.discard(proposed)
        if not proposed.cancelled():
            proposed.exception()  # retrieved, or the loop would complain


async def main(node: NodeContext) -> None:
    """Run one node."""
    with refusing_other_data(node):
        server = Server(node, node.config(Config))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.replica.run())
        tasks.create_task(server.expire_leases())
        await node.serve(server.handle)
