"""A rank: a thread that trains, and a node that reports its progress and does what a coordinator asks.

POST /prepare {"generation"}          leave the group; answered when the training has stopped
POST /form {"generation", "members"}  join the group of that generation
POST /reach {"others"}                which of these other ranks answer over the links to them
GET  /step                            the next step, as soon as it is done
GET  /status                          the rank's progress

Gloo's connections and these requests come in over the same links (`systems.parts.gloo.front`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from harness.http.client import HttpClient
from harness.http.message import Request, Response
from harness.model.moment import Event
from harness.node.context import NodeContext
from systems.parts.checkpoint.store import Checkpoints, Schedule
from systems.parts.gloo.front import Front
from systems.training import exchange
from systems.training.bugs import BUGS, load
from systems.training.calls import Calls
from systems.training.guard import Guard
from systems.training.links import Links
from systems.training.messages import (
    ACCUSE,
    CHECKPOINTS,
    FORM,
    PREPARE,
    REACH,
    STATUS,
    STEP,
    WRITTEN,
    Accused,
    Beat,
    Form,
    Prepare,
    Prepared,
    Reach,
    Stepped,
    Written,
)
from systems.training.records import Records
from systems.training.reporting import reached, report, tell
from systems.training.trainer import Trainer
from systems.training.worker import Worker

_AGAIN_S: Final = 0.02
"""How often to close the connections of a training that has to stop, and waits on one."""

_SWITCH_S: Final = 0.001
"""How long one thread of this process runs while another one waits; a fifth of Python's default."""


T = TypeVar("T")


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The node's settings."""

    number: int
    ranks: tuple[str, ...]
    coordinators: tuple[str, ...]
    model: str
    seed: int
    device: str
    exchange: str
    step_ms: float
    checkpoint_every: int
    checkpoints_kept: int
    audit_every: int = 0
    bug: str | None = None


class Rank:
    """Everything that a rank does besides training."""

    def __init__(self, node: NodeContext, config: Config, front: Front) -> None:
        loop = asyncio.get_running_loop()
        self._node = node
        self._incarnation = node.random.getrandbits(32)
        coordinators = {name: node.peers[name] for name in config.coordinators}
        self._coordinators = [HttpClient(address) for address in coordinators.values()]
        later = config.ranks[config.number + 1 :]
        self._later = {name: node.peers[name] for name in later}
        self._stepped: asyncio.Future[Stepped] = loop.create_future()
        self._telling: set[asyncio.Task[None]] = set()
        parts = BUGS.variant(config.bug)
        method = exchange.method(config.exchange)
        kind = load(parts.trainer or method.trainer, Trainer)
        trainer = kind(config.model, config.seed, config.device, parts.changed(method))
        identity = msgspec.structs.replace(trainer.identity(), exchange=exchange.text_of(method))
        trainer.tell(node.computed, lambda: node.memory_watched)
        schedule = Schedule(every=config.checkpoint_every, keep=config.checkpoints_kept)
        self.worker = load(parts.worker, Worker)(
            node.name,
            trainer=trainer,
            checkpoints=load(parts.checkpoints, Checkpoints)(node.shared(CHECKPOINTS), identity, schedule),
            links=Links(config.number, {config.ranks.index(name): node.peers[name] for name in later}, front),
            coordinators=coordinators,
            records=Records.of(node),
            calls=Calls(
                stepped=lambda step: _from_thread(loop, self._on_step, step),
                written=lambda written: _from_thread(loop, self._on_written, written),
                accused=lambda accused: _from_thread(loop, self._on_accused, accused),
                collective=lambda name: node.moments.passes(Event.COLLECTIVE, name),
            ),
            step_s=config.step_ms / 1e3,
            guard=load(parts.guard, Guard)(trainer, config.audit_every) if config.audit_every else None,
        )

    async def handle(self, request: Request) -> Response:
        match request.method, request.path:
            case "POST", path if path == PREPARE:
                return await self._prepare(request.decode(Prepare))
            case "POST", path if path == FORM:
                return Response(200 if self.worker.join(request.decode(Form)) else 409)
            case "POST", path if path == REACH:
                return Response.json(Reach(others=await reached(self._later, request.decode(Reach).others)))
            case "GET", path if path == STEP:
                return Response.json(await asyncio.shield(self._stepped))
            case "GET", path if path == STATUS:
                return Response.json(self._beat())
            case _:
                return Response(404, b"no such route")

    async def _prepare(self, prepare: Prepare) -> Response:
        while True:
            if not self.worker.leave(prepare.generation):
                return Response(409, b"a later generation was promised")
            if self.worker.idle.is_set():
                break
            await asyncio.sleep(_AGAIN_S if not self.worker.idle.is_set() else 0)
        there = await reached(self._later, prepare.reach)
        worker = self.worker
        return Response.json(Prepared(incarnation=self._incarnation, step=worker.step, done=worker.done, reached=there))

    # -------------------------------------------------------------------------------------------------- the coordinators

    async def report(self) -> None:
        """Tell each coordinator that this rank is alive, until cancelled."""
        await report(self._coordinators, self._beat)

    def _beat(self) -> Beat:
        worker = self.worker
        return Beat(
            name=self._node.name,
            incarnation=self._incarnation,
            generation=worker.generation,
            phase=worker.phase,
            step=worker.step,
            waiting_s=worker.waiting_s(),
            error=worker.error,
        )

    def _on_step(self, step: Stepped) -> None:
        done, self._stepped = self._stepped, asyncio.get_running_loop().create_future()
        done.set_result(step)

    def _on_written(self, written: Written) -> None:
        self._tell(WRITTEN, msgspec.json.encode(written))

    def _on_accused(self, accused: Accused) -> None:
        self._tell(ACCUSE, msgspec.json.encode(accused))

    def _tell(self, path: str, body: bytes) -> None:
        """Tell every coordinator: a rank does not know which of them decides.

        If none of them hears it, this checkpoint fails; of a wrong member it is told again.
        """
        for coordinator in self._coordinators:
            task = asyncio.get_running_loop().create_task(tell(coordinator, path, body))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)


def _from_thread(loop: asyncio.AbstractEventLoop, call: Callable[[T], None], argument: T) -> None:
    with contextlib.suppress(RuntimeError):  # the node is being ended
        loop.call_soon_threadsafe(call, argument)


async def main(node: NodeContext) -> None:
    """Run one rank."""
    sys.setswitchinterval(_SWITCH_S)
    loop = asyncio.get_running_loop()
    accepted: asyncio.Queue[socket.socket] = asyncio.Queue()
    front = Front(node.listen, lambda connection: _from_thread(loop, accepted.put_nowait, connection))
    rank = Rank(node, node.config(Config), front)
    failed: asyncio.Future[None] = loop.create_future()

    def work() -> None:
        try:
            rank.worker.run()
        except BaseException as error:
            loop.call_soon_threadsafe(failed.set_exception, error)

    threading.Thread(target=work, name="training", daemon=True).start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_raise(failed))
        tasks.create_task(rank.report())
        while True:
            connection = await accepted.get()
            connection.setblocking(False)
            await loop.connect_accepted_socket(lambda: node.connection(rank.handle), connection)


async def _raise(failed: asyncio.Future[None]) -> None:
    await failed
