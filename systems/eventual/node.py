"""One node of the eventual store: a replica of every key that answers its clients alone and sends writes on afterwards.

GET /kv/KEY                       200 {"values": […], "context": …}: none, one, or several that were written concurrently
PUT /kv/KEY {"value": "…"}        200 {"context": …} when this node has it on its disk; 503: surely no effect; 504: may have one
DELETE /kv/KEY                    like PUT
POST /replica/store, states, ranges    between nodes

A `context`, from an earlier answer, says what the client has seen: in the header "context" of a GET or DELETE, in the body of
a PUT.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Final, Literal

import msgspec

from harness.http.message import Request, Response
from harness.node.context import NodeContext
from harness.node.disk import Disk
from systems.eventual import identity
from systems.eventual.bugs import BUGS
from systems.eventual.identity import Identity
from systems.eventual.messages import (
    CONTEXT_HEADER,
    KEY_PATH,
    MOST_KEY_BYTES,
    MOST_VALUE_BYTES,
    RANGES_PATH,
    STATES_PATH,
    STORE_PATH,
    AskRanges,
    AskStates,
    Context,
    Done,
    Got,
    Held,
    NotDone,
    Put,
    Store,
    Stored,
    fitting,
)
from systems.eventual.parts import Parts
from systems.eventual.peer import Peer
from systems.eventual.recovery import start
from systems.eventual.remembered import forgotten, outdated
from systems.eventual.resolution import Resolution
from systems.eventual.shown import Shown
from systems.eventual.storage import Arrival, Forget
from systems.parts.hybrid_clock import TooFarAhead
from systems.parts.owner import Owner, refusing_other_data
from systems.parts.sealing import answered

HOUSEKEEPING_S: Final = 0.25
"""How often a node looks for hints that are too old and tombstones that are no longer needed."""

RELEARN_S: Final = 2.0
"""A node whose entries were damaged refuses reads for at most this long. After that an old answer is better than none."""

RELEARN_AGAIN_S: Final = 0.05


class Config(msgspec.Struct, frozen=True):
    """A node's settings. See `systems.eventual.Eventual`."""

    cluster: str
    resolve: Literal["last-writer-wins", "siblings"]
    anti_entropy_s: float | None
    keys_per_s: float
    hints: int
    hints_s: float
    grace_s: float
    repaired_reads: float
    compact_at_kib: int
    bug: str | None = None


class Server:
    """Puts a node's parts together, and answers its requests."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        parts = BUGS.variant(config.bug)
        peers = list(node.peers)
        self._node = node
        self._config = config
        self._files = partial(parts.files, compact_at_bytes=config.compact_at_kib * 1024)
        files = self._files(node.disk, node.log)
        found, whose = start(node.disk, files, config.cluster, node.name, random=node.random, log=node.log)
        self._whose = whose
        self._unlearned = list(peers) if whose.learning else []
        graves = parts.graves(peers, grace_s=config.grace_s)
        self.replica = parts.replica(_resolution(node, config, parts, whose), graves)
        self._outbox = parts.outbox(peers, most=config.hints, keep_s=config.hints_s)
        self._storage = parts.storage(self.replica, self._outbox, files, clock=node.clock, log=node.log)
        now_s = node.clock()
        for key, state in found.held.items():
            self.replica.put(key, state, now_s)
        for key in found.waiting:
            self._outbox.leave(key, found.held[key], now_s, again=True)
        self._checked = parts.checksums_checked
        self._peers = [Peer(config.cluster, name, address, checked=self._checked) for name, address in node.peers.items()]
        self.replicator = parts.replicator(self.replica, self._outbox, node.clock)
        self._anti_entropy = parts.anti_entropy(self.replica, self._storage, node.clock, keys_per_s=config.keys_per_s)
        self._coordinator = parts.coordinator(
            self.replica, self._storage, self._peers, node.random, node.clock, repaired_reads=config.repaired_reads
        )
        self._compared = dict.fromkeys(peers, 0)
        self._asked = 0
        self._refuses_until_s = now_s + RELEARN_S if self._unlearned else now_s
        node.show(self._shown)
        node.must_recover(self._forgotten)
        node.report_unsettled(self._unsettled)

    async def handle(self, request: Request) -> Response:
        self._asked += 1
        try:
            return await answered(request, self._answer, checked=self._checked)
        finally:
            self._asked -= 1

    async def run(self) -> None:
        """Do everything that a node does without being asked, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for peer in self._peers:
                tasks.create_task(self.replicator.tell(peer))
            tasks.create_task(self._relearn())
            if self._config.anti_entropy_s is not None and self._peers:
                tasks.create_task(self._keep_agreeing(self._config.anti_entropy_s))
            tasks.create_task(self._keep_house())

    async def _answer(self, request: Request) -> Response:
        try:
            if request.path.startswith(KEY_PATH):
                return await self._for_client(request, request.path.removeprefix(KEY_PATH))
            return await self._for_peer(request)
        except TooFarAhead as error:
            return Response(400, str(error).encode())

    # ------------------------------------------------------------------------------------------------------------- clients

    async def _for_client(self, request: Request, key: str) -> Response:
        if not key or len(key.encode()) > MOST_KEY_BYTES:
            return Response(400, f"a key has 1 to {MOST_KEY_BYTES} bytes; this one has {len(key.encode())}".encode())
        match request.method:
            case "GET":
                if self._refuses:
                    return _answered(NotDone("failed", "its disk was damaged, and it learns anew what it held"))
                return _answered(await self._coordinator.read(key, self._seen(_header(request))))
            case "PUT":
                put = request.decode(Put)
                if len(put.value.encode()) > MOST_VALUE_BYTES:
                    return Response(413, f"a value has at most {MOST_VALUE_BYTES} bytes".encode())
                return _answered(await self._coordinator.write(key, put.value, self._seen(put.context)))
            case "DELETE":
                return _answered(await self._coordinator.write(key, None, self._seen(_header(request))))
            case _:
                return Response(405, b"there are GET, PUT and DELETE of /kv/KEY")

    def _seen(self, context: Context) -> Context:
        self.replica.resolution.check(context)
        return context

    # --------------------------------------------------------------------------------------------------------------- peers

    async def _for_peer(self, request: Request) -> Response:
        if request.method != "POST" or not request.path.startswith("/replica/"):
            return Response(404, b'there are GET, PUT {"value": "..."} and DELETE of /kv/KEY')
        elsewhere = Owner(self._config.cluster, self._node.name).misdirected(request.headers)
        if elsewhere is not None:
            return elsewhere
        match request.path:
            case path if path == STORE_PATH:
                return await self._store(request.decode(Store))
            case path if self._refuses:
                return Response(503, b"its disk was damaged, and it learns anew what it held")
            case path if path == STATES_PATH:
                return self._states(request.decode(AskStates))
            case path if path == RANGES_PATH:
                return Response.json([self.replica.tree.range(prefix) for prefix in request.decode(AskRanges).prefixes])
            case _:
                return Response(404, b"no such question")

    async def _store(self, request: Store) -> Response:
        graves, resolution = self.replica.graves, self.replica.resolution
        arrivals = [Arrival(held.key, state, request.fresh) for held in request.held if (state := held.state) is not None]
        for arrival in arrivals:
            resolution.check(resolution.context(arrival.state))
        window = graves.window(self._node.clock())
        if not graves.in_time(request.window, self._node.clock()):
            return Response.json(Stored(done=False, window=window))
        outcome, _ = await self._storage.change(arrivals)
        return (
            Response.json(Stored(done=True, window=window)) if outcome == "done" else Response(507, b"the disk did not take it")
        )

    def _states(self, request: AskStates) -> Response:
        states = [self.replica.state(key) for key in request.keys]
        fit = fitting(states, request.most)
        return Response.json([Held.of(*each) for each in zip(request.keys[:fit], states[:fit], strict=True)])

    # -------------------------------------------------------------------------------------------------------------- itself

    @property
    def _refuses(self) -> bool:
        """Whether it knows too little to answer: until it has learned what one peer holds, or `RELEARN_S` have passed."""
        return len(self._unlearned) == len(self._peers) > 0 and self._node.clock() < self._refuses_until_s

    async def _relearn(self) -> None:
        """If its own entries were damaged, learn what every peer holds: any of them may be the only one that has a write."""
        while self._unlearned:
            for peer in self._peers:
                if peer.name in self._unlearned and await self._anti_entropy.agree_with(peer):
                    self._unlearned.remove(peer.name)
            await asyncio.sleep(RELEARN_AGAIN_S)
        if self._whose.learning and not self._became(msgspec.structs.replace(self._whose, learning=False)):
            self._node.log("cannot store that it has relearned, so it will relearn after a restart")

    async def _keep_agreeing(self, every_s: float) -> None:
        while True:
            for peer in self._peers:
                await asyncio.sleep(every_s * self._node.random.uniform(0.5, 1.5))
                self._compared[peer.name] += 1
                await self._anti_entropy.agree_with(peer)

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            now_s = self._node.clock()
            if dropped := self._outbox.expire(now_s):
                self._node.log(f"dropped {dropped} hints that were too old; anti-entropy replaces them")
            if keys := self.replica.graves.forgettable(now_s):
                await self.forget(keys)

    async def forget(self, keys: Sequence[str]) -> None:
        """Drop tombstones, after it is on the disk above which count later writes must be."""
        dropped = [Forget(key, state) for key in keys if (state := self.replica.state(key)) is not None]
        resolution = self.replica.resolution
        counted = max((resolution.counted(each.tombstone) for each in dropped), default=0)
        if counted > self._whose.forgotten and not self._became(msgspec.structs.replace(self._whose, forgotten=counted)):
            return
        resolution.forgets(counted)
        await self._storage.change(dropped)

    def _became(self, whose: Identity) -> bool:
        """Store a changed identity; whether the disk took it."""
        try:
            identity.keep(self._node.disk, whose)
        except OSError as error:
            self._node.log(f"the disk did not take its identity: {error}")
            return False
        self._whose = whose
        return True

    def _shown(self) -> Shown:
        replica = self.replica
        return Shown(
            states=replica.by_key,
            tree=replica.tree,
            life=self._whose.life,
            had_by=replica.graves.had_by,
            session_reads=self._coordinator.session_reads,
            now_s=self._node.clock(),
            resolution=replica.resolution,
            attempts=(self._anti_entropy.attempts, self._coordinator.attempts),
            compared=self._compared,
            outbox=self._outbox,
            changes=self._storage.imagined,
        )

    def _forgotten(self, disk: Disk) -> str | None:
        """What this node would have forgotten if it started on this disk."""
        name, cluster = self._node.name, self._config.cluster
        held, in_doubt, copies = dict(self.replica.states()), self._storage.in_doubt, self._files(disk, _unheard).copies()
        files = self._files(disk, _unheard)
        found, whose = start(disk, files, cluster, name, random=Random(0), log=_unheard)
        return forgotten(held, self._whose, in_doubt, found, whose) or outdated(held, in_doubt, copies)

    def _unsettled(self) -> dict[str, int]:
        return {
            "requests": self._asked,
            "hints": self._outbox.count(),
            "read repairs": self._coordinator.repairs,
            "questions to peers": sum(peer.in_flight for peer in self._peers),
            "peers to learn from": len(self._unlearned),
        }


def _resolution(node: NodeContext, config: Config, parts: Parts, whose: Identity) -> Resolution:
    if config.resolve == "siblings":
        return parts.keep_siblings(whose.actor, whose.forgotten)
    return parts.last_writer_wins(parts.clock(whose.actor, lambda: round(node.time() * 1e6)))


def _header(request: Request) -> Context:
    text = request.headers.get(CONTEXT_HEADER)
    return Context() if text is None else Request("", "", body=text.encode()).decode(Context)


def _answered(outcome: Got | Done | NotDone) -> Response:
    match outcome:
        case NotDone("failed"):
            return Response.json(outcome, status=503)
        case NotDone():
            return Response.json(outcome, status=504)
        case _:
            return Response.json(outcome)


def _unheard(text: str) -> None:
    """Log nothing: a start that is only imagined."""


async def main(node: NodeContext) -> None:
    """Run one node."""
    with refusing_other_data(node):
        server = Server(node, node.config(Config))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.run())
        await node.serve(server.handle)
