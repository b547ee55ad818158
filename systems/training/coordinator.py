"""A coordinator: decides which ranks form the group, lets its members find each other, and completes checkpoints.

POST /beat, /watch      from ranks: they are alive; the end of a /watch without an answer shows that a rank is gone
POST /store             {"key", "value"}: the address of a gloo process
GET  /store?key=…       that address, as soon as it is known
POST /written           from ranks: a part of a checkpoint is on the disk
POST /accuse            from ranks: a member of the group computes wrongly
GET  /status            the group
GET  /heard             the ranks that this coordinator hears
GET, POST /raft, POST /leader   of several coordinators: as in `systems.raft.node`

With several coordinators, ranks send all of this to each of them, and only the leader decides (`council`); 503: this one does
not. Coordinators do not train, and training continues without them as long as no rank is lost. Generations and the group are in
the ledger before they are used, so after a restart or a change of leaders no number is used twice, and a healthy group is not
disturbed.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

import msgspec

from harness.http.message import Request, Response
from harness.model import training_events as events
from harness.node.context import NodeContext
from systems.parts.checkpoint.store import Schedule
from systems.parts.owner import refusing_other_data
from systems.raft.messages import LEADER_PATH, RAFT_PATH
from systems.training.asking import Ranks
from systems.training.bugs import BUGS, load
from systems.training.council import Council
from systems.training.heard import Heard
from systems.training.ledger import Deposed, DiskLedger, Ledger
from systems.training.membership import Membership
from systems.training.messages import ACCUSE, STATUS, WRITTEN, Accused, Written
from systems.training.records import Records
from systems.training.reign import Reign

_AGAIN_S: Final = 0.1
"""After this, a coordinator that could not use its ledger begins anew."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The node's settings."""

    coordinators: tuple[str, ...]
    ranks: tuple[str, ...]
    checkpoint_every: int
    checkpoints_kept: int
    repeatable: bool
    """Whether a step that is done again has the same bits, even with other ranks."""
    bug: str | None = None


class Coordinator:
    """Hears all ranks, and decides whenever it is the one to decide."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        """Raises `OtherNode` if the folder belongs to another coordinator."""
        self._node = node
        self._records = Records.of(node)
        self._repeatable = config.repeatable
        self._schedule = Schedule(every=config.checkpoint_every, keep=config.checkpoints_kept)
        self._ranks = Ranks({name: node.peers[name] for name in config.ranks})
        parts = BUGS.variant(config.bug)
        now_s = partial(parts.clock, node)
        self._heard = Heard(Membership(config.ranks, parts.limits, now_s()), now_s)
        self._reign: Reign | None = None
        self._council: Council | None = None
        if len(config.coordinators) > 1:
            kind = load(parts.council, Council)
            self._council = kind(node, config.coordinators, self._heard.reached, len(config.ranks))

    async def run(self) -> None:
        """Decide whenever this is the coordinator to do so, until cancelled."""
        if self._council is not None:
            await self._council.run(self._lead)
        else:
            await self._decide_alone()

    async def handle(self, request: Request) -> Response:
        try:
            return await self._handle(request)
        except Deposed as deposed:
            return Response(503, str(deposed).encode())

    async def _handle(self, request: Request) -> Response:
        if (heard := await self._heard.handle(request)) is not None:
            return heard
        if self._council is not None and request.path in (RAFT_PATH, LEADER_PATH):
            return await self._council.handle(request)
        match request.method, request.path, self._reign:
            case "GET", path, reign if path == STATUS:
                return Response.json(None if reign is None else reign.status())
            case "POST", path, None if path in (WRITTEN, ACCUSE):
                return Response(503, b"another coordinator decides")
            case "POST", path, Reign() as reign if path == WRITTEN:
                await reign.written(request.decode(Written))
                return Response()
            case "POST", path, Reign() as reign if path == ACCUSE:
                reign.accused(request.decode(Accused))
                return Response()
            case _:
                return Response(404, b"no such route")

    async def _lead(self, ledger: Ledger, term: int) -> None:
        try:
            await self._decide(ledger, term)
        except Deposed as deposed:
            self._node.log(f"decides no more: {deposed}")

    async def _decide_alone(self) -> None:
        """Decide, and begin anew, as after a restart, when the disk refuses the ledger: it may be full for a while."""
        while True:
            try:
                await self._decide(DiskLedger(self._node.disk), None)
            except OSError as error:
                self._node.log(f"cannot use the ledger: {error.strerror or error}")
                await asyncio.sleep(_AGAIN_S)

    async def _decide(self, ledger: Ledger, term: int | None) -> None:
        reign = Reign(
            self._node,
            ledger,
            self._heard,
            self._ranks,
            self._records,
            self._schedule,
            alone=self._council is None,
            repeatable=self._repeatable,
        )
        await reign.begin()
        if term is not None:
            self._records.event(events.TookOver(generation=reign.generation, term=term))
        self._reign = reign
        try:
            await reign.decide()
        finally:
            self._reign = None
            self._heard.unreached = frozenset()


async def main(node: NodeContext) -> None:
    """Run a coordinator."""
    with refusing_other_data(node):
        coordinator = Coordinator(node, node.config(Config))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(coordinator.run())
        await node.serve(coordinator.handle)
