"""A server: the master, which holds the parameters and applies the steps, or the standby, which takes over from it.

POST /pull     from workers: parameters out, with shards to compute; answered when there is something new. The worker's last
               gradients may come with it
POST /push     from workers: gradients
POST /alive    from workers: they are alive and computing
POST /beat     from the other server: it leads
GET  /status   the term that this server knows, and whether it leads it
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import msgspec
import torch

from harness.http.client import HttpClient
from harness.http.message import Request, Response, TransportError
from harness.model.training_events import SteppedDown
from harness.node.context import NodeContext
from harness.node.disk import Disk
from systems.parameter_server.bugs import BUGS
from systems.parameter_server.leading import Leading
from systems.parameter_server.messages import (
    ALIVE,
    BEAT,
    PROMISE,
    PULL,
    PUSH,
    STATUS,
    Alive,
    Ask,
    Beat,
    Buffer,
    Damaged,
    Promised,
    Pull,
    Push,
    pack,
    unpack,
)
from systems.parameter_server.protocol import Outcome, majority
from systems.parameter_server.shown import ShownServer
from systems.parameter_server.term import BRIEF_S, WAIT_S, Changes, Settings
from systems.parameter_server.updating import Updating
from systems.parts.found import durable
from systems.training.bugs import load
from systems.training.records import Records
from systems.training.trainer import Trainer

_BEAT_S: Final = 0.1
_ANSWER_S: Final = 0.3
_LOOK_S: Final = 0.1
"""How often a server looks at its clock at least, which may run faster than the loop's."""
_FIRST_S: Final = 10.0
"""The standby gives the first master this long to appear."""

_AGAIN_S: Final = 0.3
"""A server that was not elected stands for election again within twice this time."""

_NOT_LEADING: Final = 409
_TERM: Final = "term"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The node's settings."""

    first: bool
    """Whether this server is the first master."""
    others: tuple[str, ...]
    workers: tuple[str, ...]
    model: str
    seed: int
    step_ms: float
    checkpoint_every: int
    checkpoints_kept: int
    rounds: bool
    """Whether all workers compute parts of the same batch; otherwise each computes its own batches."""
    staleness: int | None = None
    parts: int = 1
    """The number of workers' batches that make one batch of the model."""
    bug: str | None = None


class Server:
    """Follows, stands for election, leads, and follows again."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        self._node = node
        self._config = config
        self._rules = BUGS.variant(config.bug)
        self._records = Records.of(node)
        self._workers = {name: HttpClient(node.peers[name]) for name in config.workers}
        self._others = {name: HttpClient(node.peers[name]) for name in config.others}
        stored = node.disk.read(_TERM)
        self._term = int(stored or 0)
        self._leading: Leading | Updating | None = None
        self._changes = Changes()
        patience_s = self._rules.limits.silent_s if stored else 0 if config.first else _FIRST_S
        self._stands_s = node.clock() + patience_s
        self._began_s = 0.0
        node.show(self._shown)
        node.must_recover(self._forgotten)

    def _shown(self) -> ShownServer:
        leads, work = (None, None) if self._leading is None else (self._leading.term, self._leading.shown())
        return ShownServer(term=self._term, leads=leads, began_s=self._began_s, work=work)

    def _forgotten(self, disk: Disk) -> str | None:
        """Whether it would not know its term after a start on this disk."""
        kept = int(disk.read(_TERM) or 0)
        return f"its term {self._term}, of which {kept} is left" if kept < self._term else None

    # ------------------------------------------------------------------------------------------------------- requests

    async def handle(self, request: Request) -> Response:
        try:
            match request.method, request.path:
                case "POST", path if path == PULL:
                    return await self._pull(request.body)
                case "POST", path if path == PUSH:
                    return self._push(*unpack(request.body, Push, checked=self._rules.digests_checked))
                case "POST", path if path == ALIVE:
                    return self._alive(unpack(request.body, Alive)[0])
                case "POST", path if path == BEAT:
                    return self._beat(unpack(request.body, Beat)[0])
                case "GET", path if path == STATUS:
                    return self._status()
                case _:
                    return Response(404, b"no such route")
        except Damaged as error:
            return Response(400, str(error).encode())
        except OSError as error:  # such as a full disk, which does not take a term that it has heard of
            return Response(503, f"cannot store a term: {error.strerror or error}".encode())

    def _status(self, status: int = 200) -> Response:
        leads = self._leading is not None
        return Response.json(Promised(granted=leads, term=self._term, server=self._node.name if leads else ""), status=status)

    async def _pull(self, body: bytes) -> Response:
        pull, data = unpack(body, Pull, checked=self._rules.digests_checked)
        self._know(pull.promised)
        if pull.push is not None:
            self._push(pull.push, data)  # what becomes of them does not matter to the worker any more: it has no others to push
        wait_s = WAIT_S if pull.push is None else BRIEF_S
        if self._leading is None:
            await self._changes.wait(wait_s)
        leading = self._leading
        work = None if leading is None else await leading.pull(pull, wait_s)
        return self._status(_NOT_LEADING) if work is None else Response(200, work)

    def _push(self, push: Push, data: Buffer) -> Response:
        self._know(push.term)
        leading = self._leading
        if leading is None or (leading.term != push.term and self._rules.terms_compared):
            return self._status(_NOT_LEADING)
        outcome = leading.push(push, data)
        return Response(409 if outcome is Outcome.LATE else 200, outcome.name.lower().encode())

    def _alive(self, alive: Alive) -> Response:
        if isinstance(self._leading, Updating) and self._leading.term == alive.term:
            self._leading.alive(alive.worker)
        return Response()

    def _beat(self, beat: Beat) -> Response:
        if beat.term >= self._term:
            self._stands_s = self._node.clock() + self._rules.limits.silent_s
        self._know(beat.term)
        return Response()

    def _know(self, term: int) -> None:
        """Take note of a term; one that is higher than its own ends this server's leadership."""
        if term > self._term:
            if self._leading is not None and self._rules.terms_compared:
                self._leading.end()
                self._records.event(SteppedDown(generation=self._leading.term, term=term))
                self._leading = None
            if self._leading is None:
                self._enter(term)

    def _enter(self, term: int) -> None:
        self._node.disk.replace(_TERM, str(term).encode())
        self._term = term

    # ---------------------------------------------------------------------------------------------------------- roles

    async def run(self) -> None:
        """Lead whenever there is no master and the workers agree."""
        while True:
            while (left_s := self._stands_s - self._node.clock()) > 0:
                await asyncio.sleep(min(left_s, _LOOK_S))
            if await self._stands():
                await self._lead()
            self._stands_s = max(self._stands_s, self._node.clock() + _AGAIN_S * (1 + self._node.random.random()))

    async def _stands(self) -> bool:
        """Whether it was elected; not while its disk, which may be full, does not keep the term that it stands for."""
        try:
            return await self._elected()
        except OSError as error:
            self._node.log(f"cannot stand for election: {error.strerror or error}")
            return False

    async def _elected(self) -> bool:
        term = self._term + 1
        self._enter(self._term)  # a disk that does not take this term would not take the next one either
        ask = pack(Ask(server=self._node.name, term=term))
        answers = await asyncio.gather(*(_ask(client, PROMISE, ask) for client in self._workers.values()))
        promised = [answer for answer in answers if answer is not None]
        self._know(max((answer.term for answer in promised if not answer.granted), default=0))
        granted = sum(answer.granted for answer in promised)
        if granted < majority(len(self._workers)) or self._term > term:
            return False  # still in its term: in a higher one it would not heed the beats of a master
        # Workers that have promised themselves pull at once, and so it may know of its own term already. No other server was
        # elected in that.
        self._enter(term)
        return True

    async def _lead(self) -> None:
        config, term = self._config, self._term
        settings = Settings(
            name=self._node.name,
            workers=config.workers,
            model=config.model,
            seed=config.seed,
            step_s=config.step_ms / 1e3,
            checkpoint_every=config.checkpoint_every,
            checkpoints_kept=config.checkpoints_kept,
            staleness=config.staleness,
            parts=config.parts,
            rules=self._rules,
        )
        if config.rounds:
            leading: Leading | Updating = Leading(term, settings, self._node, self._records)
        else:
            leading = Updating(term, settings, self._node, self._records)
        self._leading, self._began_s = leading, self._node.clock()
        self._changes.tell()
        beats = [asyncio.create_task(_tell(client, term)) for client in self._others.values()]
        try:
            await leading.run()
        finally:
            for task in beats:
                task.cancel()
            self._leading = None


async def _tell(client: HttpClient, term: int) -> None:
    """Tell another server repeatedly that this one leads, until cancelled."""
    while True:
        with contextlib.suppress(TransportError):  # it may be gone, and come back
            await client.request("POST", BEAT, pack(Beat(term=term)), timeout_s=_ANSWER_S)
        await asyncio.sleep(_BEAT_S)


async def _ask(client: HttpClient, path: str, message: bytes) -> Promised | None:
    """A worker's answer; None if no valid one came."""
    try:
        response = await client.request("POST", path, message, timeout_s=_ANSWER_S)
        return unpack(response.body, Promised)[0] if response.status == 200 else None
    except (TransportError, Damaged):
        return None


async def main(node: NodeContext) -> None:
    """Run one server."""
    torch.set_num_threads(1)
    config = node.config(Config)
    # The first trainer of a process spends long importing and reading. A term that began with this would end before its first
    # beat.
    load(BUGS.variant(config.bug).trainer, Trainer)(config.model, config.seed)
    await durable(node, _TERM)
    server = Server(node, config)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.run())
        await node.serve(server.handle)
