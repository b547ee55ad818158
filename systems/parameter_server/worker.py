"""A worker: pulls parameters and shards from the master, pushes gradients, and promises itself to new masters.

The last gradients of a step travel with the next pull, which needs one exchange instead of two. All others are pushed by
themselves: those of a worker that computes for longer, and the one gradient of a whole batch.

POST /promise  from a server that wants to lead
GET  /step     the next completed step, as soon as the worker has the parameters after it
GET  /status   the master that it obeys
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import torch

from harness.http.client import HttpClient
from harness.http.message import Request, Response, TransportError
from harness.model.training_events import WorkRefused
from harness.node.context import NodeContext
from harness.node.disk import Disk
from systems.parameter_server.bugs import BUGS
from systems.parameter_server.messages import (
    ALIVE,
    NOTHING_SEEN,
    PROMISE,
    PULL,
    PUSH,
    STATUS,
    Alive,
    Ask,
    Buffer,
    Damaged,
    Promised,
    Pull,
    Push,
    Work,
    pack,
    pieces,
    unpack,
)
from systems.parameter_server.parameters import row_bytes, take_parameters, whole
from systems.parameter_server.protocol import Promise, Promises
from systems.parameter_server.shown import NOTHING_TAKEN, ShownWorker
from systems.parts.found import durable
from systems.training.bugs import load
from systems.training.messages import STEP, Stepped
from systems.training.records import Done, Records
from systems.training.trainer import Trainer

_PULL_S: Final = 1.0
_PUSH_S: Final = 0.4
"""How long a worker waits for an answer if its gradients may be lost. When it sends them with a pull again, it waits longer:
over a slow link, gradients and parameters together may need that."""

_AGAIN_S: Final = 0.03
"""How long a worker waits before it asks a server again that did not answer, or is not the master."""

_TOGETHER_S: Final = 0.02
"""Gradients computed within this time travel together."""

_SHARD_S: Final = 0.001
"""About how long it takes to compute a shard."""

_ALIVE_S: Final = 0.2
"""A worker that computes for longer tells its master that it is alive."""

_PROMISE: Final = "promise"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The node's settings."""

    servers: tuple[str, ...]
    model: str
    seed: int
    parts: int = 1
    """The number of the worker's batches that make one batch of the model."""
    bug: str | None = None


@dataclass(frozen=True)
class _Gradients:
    """Gradients and losses of shards, to push."""

    head: Push
    data: Buffer


@dataclass
class _Server:
    """A server, and where the worker stands with it."""

    name: str
    client: HttpClient
    term: int = 0
    """Of its last work …"""
    seen: int = NOTHING_SEEN
    """… and the step."""
    owed: _Gradients | None = None
    """Gradients of that work, which go with the next pull, and with those after it until the server has had them."""
    again: bool = False
    """Whether they were sent before."""


class Worker:
    """Works for one master at a time, and asks all servers which of them that is."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        self._node = node
        self._rules = BUGS.variant(config.bug)
        self._trainer = load(self._rules.trainer, Trainer)(config.model, config.seed, parts=config.parts)
        self._records = Records.of(node)
        stored = node.disk.read(_PROMISE)
        self._durable = msgspec.json.decode(stored, type=Promise) if stored else Promise()
        self._promises = Promises(self._durable, self._rules)
        self._stepped: asyncio.Future[Stepped] = asyncio.get_running_loop().create_future()
        self._at = NOTHING_TAKEN
        self._kept: Buffer | None = None
        self._begun_ns = self._pushed_ns = 0
        node.show(self._shown)
        node.must_recover(self._forgotten)

    def _shown(self) -> ShownWorker:
        return ShownWorker(promises=self._promises, durable=self._durable, at=self._at, now_s=self._node.clock())

    def _forgotten(self, disk: Disk) -> str | None:
        """Whether it would not know its promise after a start on this disk."""
        term, stored = self._durable.term, disk.read(_PROMISE)
        there = msgspec.json.decode(stored, type=Promise) if stored else Promise()
        return f"its promise of term {term}" if there.term < term else None

    # ------------------------------------------------------------------------------------------------------- requests

    async def handle(self, request: Request) -> Response:
        match request.method, request.path:
            case "POST", path if path == PROMISE:
                return self._promise(request.body)
            case "GET", path if path == STEP:
                return Response.json(await asyncio.shield(self._stepped))
            case "GET", path if path == STATUS:
                return Response.json(self._promised(granted=False))
            case _:
                return Response(404, b"no such route")

    def _promise(self, body: bytes) -> Response:
        try:
            ask, _ = unpack(body, Ask)
        except Damaged as error:
            return Response(400, str(error).encode())
        before = self._promises.kept
        granted = self._promises.ask(ask.term, ask.server, self._node.clock())
        try:
            self._keep(before)
        except OSError as error:
            return Response(503, f"cannot store a promise: {error.strerror or error}".encode())
        return Response(200, pack(self._promised(granted=granted)))

    def _promised(self, *, granted: bool) -> Promised:
        kept = self._promises.kept
        return Promised(granted=granted, term=kept.term, server=kept.server)

    def _keep(self, before: Promise) -> None:
        """Store the promise if it is new. Raises `OSError`, and the one before stays, if the disk does not take it."""
        if self._promises.kept != before:
            try:
                self._node.disk.replace(_PROMISE, msgspec.json.encode(self._promises.kept))
            except OSError:
                self._promises.kept = before
                raise
            self._durable = self._promises.kept

    # ----------------------------------------------------------------------------------------------------------- work

    async def work_for(self, name: str) -> None:
        """Do the work of a server while it is the master, until cancelled."""
        server = _Server(name, HttpClient(self._node.peers[name]))
        while True:
            owed = server.owed
            pulled = await self._pull(server)
            if pulled is None:
                if server.owed is owed:  # otherwise at once, and the server may take longer to answer
                    await asyncio.sleep(_AGAIN_S)
                continue
            work, parameters = pulled
            if not self._obeys(work.term, name):
                refused = WorkRefused(generation=work.term, step=work.step, sender=name, why="its term is over")
                self._records.event(refused)
                await asyncio.sleep(_AGAIN_S)
                continue
            self._promises.heard(self._node.clock())
            self._take(work, parameters)
            if work.whole:
                await self._compute_whole(server, work)
            else:
                server.owed, server.again = await self._compute(server, work), False
            self._pushed_ns = self._node.monotonic_ns()
            server.term, server.seen = work.term, work.step

    async def _pull(self, server: _Server) -> tuple[Work, Buffer] | None:
        """Hand over the gradients that are owed, and ask for work; None if none came."""
        if server.owed is not None and not self._obeys(server.owed.head.term, server.name):
            server.owed = None
        owed = server.owed
        pull = Pull(
            worker=self._node.name,
            promised=self._promises.kept.term,
            term=server.term,
            seen=server.seen,
            push=None if owed is None else owed.head,
        )
        message = pieces(pull, b"" if owed is None else owed.data)
        timeout_s = _PULL_S if owed is None or server.again else _PUSH_S
        server.again = True
        try:
            response = await server.client.request("POST", PULL, message, timeout_s=timeout_s)
        except TransportError:  # the master may have the gradients anyway: they count once
            return None
        if response.status in (200, 409):  # the gradients arrived, whether they count or not
            server.owed = None
        try:
            checked = self._rules.digests_checked
            return unpack(response.body, Work, checked=checked) if response.status == 200 else None
        except Damaged:
            return None

    def _obeys(self, term: int, server: str) -> bool:
        before = self._promises.kept
        obeys = self._promises.obeys(term, server)
        try:
            self._keep(before)
        except OSError as error:  # such as a full disk, which may have room later
            self._node.log(f"cannot store that it obeys {server} in term {term}: {error.strerror or error}")
            return False
        return obeys

    def _take(self, work: Work, parameters: Buffer) -> None:
        """Take the parameters of a step; their arrival means that all earlier steps are done."""
        term, step = self._at
        if (term, step) == (work.term, work.step) and not work.whole:
            return
        self._hold(work, parameters)
        if term == work.term and step < work.step and (step == work.step - 1 or work.whole):
            if step < work.step - 1:  # others have done steps meanwhile
                self._records.begun(work.term, work.step - 1, [], at_ns=self._begun_ns)
            self._record(work)
        self._at = work.term, work.step
        batch = work.batch if work.whole else None
        self._begun_ns = self._pushed_ns = self._records.begun(work.term, work.step, [], batch=batch)

    def _hold(self, work: Work, parameters: Buffer) -> None:
        kept = parameters if self._rules.parameters_replaced or self._kept is None else self._kept
        take_parameters(self._trainer, kept, work.progress)
        self._kept = parameters

    def _record(self, work: Work) -> None:
        digest, now_ns, step = self._trainer.parameters_digest(), self._node.monotonic_ns(), work.step - 1
        self._records.done(
            Done(
                node=self._node.name,
                generation=work.term,
                step=step,
                begun_ns=self._begun_ns,
                at_ns=now_ns,
                collective_ns=now_ns - self._pushed_ns,
                stalled_ns=0,
                loss=work.loss,
                gradient_norm=work.gradient_norm,
                parameters=digest,
            )
        )
        told, self._stepped = self._stepped, asyncio.get_running_loop().create_future()
        told.set_result(Stepped(node=self._node.name, generation=work.term, step=step, parameters=digest))

    async def _compute(self, server: _Server, work: Work) -> _Gradients | None:
        """Compute shards while they are wanted, and push together what was computed within a short time.

        Returns the last ones, for the next pull.
        """
        left, gradients = list(work.shards), None
        while left:
            if gradients is not None and not await self._push(server, gradients):
                return None
            rows = torch.empty(len(left), self._trainer.row)
            begun_s, done = self._node.clock(), list[int]()
            while left and (not done or self._node.clock() - begun_s < _TOGETHER_S):
                if not self._obeys(work.term, server.name):
                    return None
                self._trainer.contribute(left[:1], rows[len(done) :])
                self._node.worked(_SHARD_S)
                done.append(left.pop(0))
            gradients = self._gradients(work, done, rows[: len(done)])
        return gradients

    async def _compute_whole(self, server: _Server, work: Work) -> bool:
        """Compute all shards of a batch, and push their sum; whether the master accepted it."""
        rows = torch.empty(len(work.shards), self._trainer.row)
        heard_s = self._node.clock()
        for place, shard in enumerate(work.shards):
            if not self._obeys(work.term, server.name):
                return False
            self._trainer.contribute([shard], rows[place : place + 1])
            self._node.worked(_SHARD_S)
            await asyncio.sleep(0)  # a batch takes long: let the loop answer requests
            if self._node.clock() - heard_s >= _ALIVE_S:
                await _say_alive(server.client, Alive(worker=self._node.name, term=work.term))
                heard_s = self._node.clock()
        return await self._push(server, self._gradients(work, work.shards, whole(rows, self._trainer.row)))

    def _gradients(self, work: Work, shards: Sequence[int], rows: torch.Tensor) -> _Gradients:
        head = Push(
            worker=self._node.name,
            term=work.term,
            step=work.step,
            batch=work.batch,
            shards=tuple(shards),
            whole=work.whole,
            uses=self._trainer.uses(shards),
        )
        return _Gradients(head, row_bytes(rows))

    async def _push(self, server: _Server, gradients: _Gradients) -> bool:
        """Push gradients until the master answers; whether it wants more of the work."""
        message = pieces(gradients.head, gradients.data)
        while self._obeys(gradients.head.term, server.name):
            try:
                response = await server.client.request("POST", PUSH, message, timeout_s=_PUSH_S)
            except TransportError:  # the master may have it anyway: it counts once
                await asyncio.sleep(_AGAIN_S)
                continue
            if response.status != 400:
                return response.status == 200
            await asyncio.sleep(_AGAIN_S)
        return False


async def _say_alive(client: HttpClient, alive: Alive) -> None:
    with contextlib.suppress(TransportError):  # the following push says the same
        await client.request("POST", ALIVE, pack(alive), timeout_s=_PUSH_S)


async def main(node: NodeContext) -> None:
    """Run one worker."""
    torch.set_num_threads(1)
    config = node.config(Config)
    await durable(node, _PROMISE)
    worker = Worker(node, config)
    async with asyncio.TaskGroup() as tasks:
        for server in config.servers:
            tasks.create_task(worker.work_for(server))
        await node.serve(worker.handle)
