"""Coordinators of a training on real connections, inside this process, with ranks that train nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final, cast

import msgspec

from harness.cluster.ports import HOST, reserved
from harness.http.client import HttpClient
from harness.http.message import Request, Response, TransportError
from harness.http.server import listen
from harness.model.system import Address
from harness.node.context import NodeContext, NodeSpec
from systems.raft.administration import leader
from systems.raft.messages import RAFT_PATH
from systems.raft.messages import Status as RaftStatus
from systems.training import Training
from systems.training.coordinator import Config, Coordinator
from systems.training.messages import (
    BEAT,
    FORM,
    HEARD,
    PREPARE,
    REACH,
    STATUS,
    WATCH,
    Beat,
    Form,
    Phase,
    Prepare,
    Prepared,
    Reach,
    Status,
)
from systems.training.records import Happened, read
from tests.helpers.journals import journal_in

DEADLINE_S: Final = 60.0
_LOOK_S: Final = 0.01
_BEAT_S: Final = 0.05


@dataclass(frozen=True)
class Told:
    """What a coordinator told a rank."""

    by: str
    rank: str
    what: Prepare | Form


class FakeRank:
    """A rank that obeys like a real one, and trains as soon as it is in a group. It listens on a port for each coordinator."""

    def __init__(self, world: World, name: str, incarnation: int) -> None:
        self._world = world
        self.name = name
        self.incarnation = incarnation
        self.generation = 0
        self.promised = 0
        self.phase: Phase = "idle"
        self.cut_from: set[str] = set()
        """The coordinators that hear nothing from it, and that it does not hear."""
        self.deaf_to: set[str] = set()
        """The coordinators that hear it, and that it does not hear."""

    async def run(self) -> None:
        """Take part until cancelled, which closes all its connections to coordinators."""
        async with asyncio.TaskGroup() as tasks:
            for coordinator, address in self._world.coordinators.items():
                tasks.create_task(self._beats(coordinator, HttpClient(address)))
                tasks.create_task(self._watches(coordinator, HttpClient(address)))

    async def handle(self, by: str, request: Request) -> Response:
        if by in self.cut_from | self.deaf_to:
            await asyncio.get_running_loop().create_future()
        match request.path:
            case path if path == PREPARE:
                return self._prepare(by, request.decode(Prepare))
            case path if path == FORM:
                return self._form(by, request.decode(Form))
            case path if path == REACH:
                return Response.json(request.decode(Reach))
        return Response(404)

    def _prepare(self, by: str, prepare: Prepare) -> Response:
        if prepare.generation < self.promised or prepare.generation <= self.generation:
            return Response(409)
        self.promised, self.phase = prepare.generation, "idle"
        self._world.told.append(Told(by, self.name, prepare))
        return Response.json(
            Prepared(incarnation=self.incarnation, step=self.generation, done=(self.generation, 0), reached=prepare.reach)
        )

    def _form(self, by: str, form: Form) -> Response:
        if form.generation != self.promised or form.generation <= self.generation:
            return Response(409)
        self.generation, self.phase = form.generation, "training"
        self._world.told.append(Told(by, self.name, form))
        return Response()

    def _beat(self) -> bytes:
        beat = Beat(
            name=self.name, incarnation=self.incarnation, generation=self.generation, phase=self.phase, step=self.generation,
            waiting_s=0, error="",
        )  # fmt: skip
        return msgspec.json.encode(beat)

    async def _beats(self, coordinator: str, client: HttpClient) -> None:
        while True:
            if coordinator not in self.cut_from:
                with contextlib.suppress(TransportError):
                    await client.request("POST", BEAT, self._beat(), timeout_s=1)
            await asyncio.sleep(_BEAT_S)

    async def _watches(self, coordinator: str, client: HttpClient) -> None:
        while True:
            with contextlib.suppress(TransportError):
                await client.request("POST", WATCH, self._beat(), timeout_s=3600)
            await asyncio.sleep(_BEAT_S)


class World:
    """Coordinators and ranks, each of which may be stopped and started again."""

    def __init__(self, folder: Path, system: Training, ports: Iterable[int]) -> None:
        self._folder = folder
        self._nodes = {node.name: node for node in system.nodes() if not node.replica}
        self._names = [node.name for node in system.nodes() if node.replica]
        free = iter(ports)
        self.coordinators: dict[str, Address] = {name: (HOST, next(free)) for name in self._nodes}
        self._addresses: dict[tuple[str, str], Address] = {
            (rank, by): (HOST, next(free)) for rank, by in product(self._names, self._nodes)
        }
        self.ranks: dict[str, FakeRank] = {}
        self.told: list[Told] = []
        self._running: dict[str, asyncio.Task[None]] = {}
        self._starts = 0

    def start(self, *names: str) -> None:
        """Start these; all that do not run, if none is named."""
        for name in names or [*self._nodes, *self._names]:
            self._starts += 1
            if name in self._nodes:
                self._running[name] = asyncio.create_task(self._coordinate(name))
            else:
                rank = self.ranks[name] = FakeRank(self, name, self._starts)
                self._running[name] = asyncio.create_task(self._train(rank))

    async def stop(self, *names: str) -> None:
        """Stop these, without a word to anyone."""
        for name in names:
            task = self._running.pop(name)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def stop_all(self) -> None:
        await self.stop(*self._running)

    async def until_led(self) -> str:
        """The coordinator that leads."""
        async with asyncio.timeout(DEADLINE_S):
            return await leader({name: self.coordinators[name] for name in self._nodes if name in self._running})

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not true():
                await asyncio.sleep(_LOOK_S)

    async def until_trained(self, *members: str) -> int:
        """Returns the generation, once these ranks, and no others, train in the latest group."""
        await self.until(lambda: self._train_together(members))
        return self.ranks[members[0]].generation

    async def until_knows(self, coordinator: str, generation: int) -> None:
        """Return once a coordinator decides, and says that the group has this generation."""

        def knows(answer: Response) -> bool:
            status = answer.decode(cast("type[Status | None]", Status | None))
            return status is not None and status.generation == generation

        await self._until_answers(coordinator, STATUS, knows)

    async def until_heard(self, coordinator: str, *ranks: str) -> None:
        """Return once a coordinator hears these ranks and no others."""
        await self._until_answers(coordinator, HEARD, lambda answer: answer.decode(Reach).others == ranks)

    async def until_deposed(self, coordinator: str) -> None:
        """Return once a coordinator leads no more."""
        await self._until_answers(coordinator, RAFT_PATH, lambda answer: answer.decode(RaftStatus).role != "leader")

    async def _until_answers(self, coordinator: str, path: str, right: Callable[[Response], bool]) -> None:
        client = HttpClient(self.coordinators[coordinator])
        async with asyncio.timeout(DEADLINE_S):
            while True:
                with contextlib.suppress(TransportError):
                    if right(await client.request("GET", path, timeout_s=1)):
                        client.close()
                        return
                await asyncio.sleep(_LOOK_S)

    def forms(self, generation: int) -> list[Told]:
        """Who told which ranks that they are in the group of this generation."""
        return [told for told in self.told if isinstance(told.what, Form) and told.what.generation == generation]

    def events(self, coordinator: str, kind: str) -> list[Happened]:
        """What a coordinator has recorded."""
        found = read(journal_in(self._folder / coordinator))
        return [record for record in found if isinstance(record, Happened) and record.kind == kind]

    def _train_together(self, members: Sequence[str]) -> bool:
        forms = [told.what for told in self.told if isinstance(told.what, Form)]
        last = max(forms, key=lambda form: form.generation, default=None)
        ranks = [self.ranks[name] for name in members]
        return (
            last is not None
            and list(last.members) == list(members)
            and all(rank.generation == last.generation and rank.phase == "training" for rank in ranks)
        )

    async def _coordinate(self, name: str) -> None:
        node = self._nodes[name]
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        peers = {
            peer: self.coordinators[peer] if peer in self.coordinators else self._addresses[peer, name] for peer in node.peers
        }
        spec = NodeSpec(
            name=name, start=self._starts, host=HOST, port=self.coordinators[name][1], data=str(folder),
            log=str(folder / "log"), seed=1, peers=peers, config=dict(node.config),
        )  # fmt: skip
        context = NodeContext(spec)
        coordinator = Coordinator(context, context.config(Config))
        await _served([(coordinator.handle, self.coordinators[name])], coordinator.run)

    async def _train(self, rank: FakeRank) -> None:
        def handler(by: str) -> Callable[[Request], Awaitable[Response]]:
            return lambda request: rank.handle(by, request)

        await _served([(handler(by), self._addresses[rank.name, by]) for by in self._nodes], rank.run)


async def _served(
    handlers: list[tuple[Callable[[Request], Awaitable[Response]], Address]], run: Callable[[], Awaitable[None]]
) -> None:
    """Run something and answer requests until cancelled. After that, what comes over connections still open is not answered."""
    over = asyncio.Event()

    async def until_over(handle: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
        if over.is_set():
            await asyncio.get_running_loop().create_future()
        return await handle(request)

    servers: list[asyncio.Server] = []
    try:
        for handle, address in handlers:
            servers.append(await listen(lambda request, handle=handle: until_over(handle, request), address))  # type: ignore[misc]
        await run()
    finally:
        over.set()
        for server in servers:
            server.close()


@asynccontextmanager
async def world(folder: Path, system: Training) -> AsyncIterator[World]:
    """A world in which nothing runs yet."""
    coordinators = len([node for node in system.nodes() if not node.replica])
    with reserved(coordinators * (system.ranks + 1)) as ports:
        made = World(folder, system, ports)
        try:
            yield made
        finally:
            await made.stop_all()
