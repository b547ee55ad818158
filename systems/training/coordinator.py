"""The coordinator: decides which ranks form the group, lets its members find each other, and completes checkpoints.

POST /beat, /watch      from ranks: they are alive; /watch gets no answer: the end of its connection shows that a rank is gone
POST /store             {"key", "value"}: the address of a gloo process
GET  /store?key=…       that address, as soon as it is known
POST /written           from ranks: a part of a checkpoint is on the disk
POST /accuse            from ranks: a member of the group computes wrongly
GET  /status            the group

The coordinator does not train, and training continues without it as long as no rank is lost. Generations and the group are on
disk before they are used, so after a restart it neither reuses a number nor disturbs a healthy group.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import msgspec

from harness.http.client import HttpClient
from harness.http.message import BadAnswer, Request, Response, TransportError
from harness.model import training_events as events
from harness.node.context import NodeContext
from systems.parts.checkpoint.store import Checkpoints, Schedule, withdraw
from systems.training.bugs import BUGS
from systems.training.distrust import Distrust, Finding
from systems.training.membership import Cause, Group, Membership, choose
from systems.training.messages import (
    ACCUSE,
    BEAT,
    FORM,
    PREPARE,
    REACH,
    STATUS,
    STORE,
    WATCH,
    WRITTEN,
    Accused,
    Beat,
    Form,
    Got,
    Prepare,
    Prepared,
    Put,
    Reach,
    Status,
    Written,
)
from systems.training.records import Records

T = TypeVar("T")

_LOOK_S: Final = 0.02
"""How often the coordinator checks the group."""

_ANSWER_S: Final = 2.0
"""A rank that is heard has this long to leave its group: it may be in the middle of a long step."""

_TAKE_IN_S: Final = 0.25
"""How often the coordinator tries to take in ranks that wait outside."""

_GENERATION: Final = "generation"
_GROUP: Final = "group"
CHECKPOINTS: Final = "checkpoints"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The node's settings."""

    ranks: tuple[str, ...]
    checkpoint_every: int
    checkpoints_kept: int
    bug: str | None = None


class Coordinator:
    """Carries out what `Membership` decides."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        self._node = node
        self._records = Records(node.data, node.name)
        self._schedule = Schedule(every=config.checkpoint_every, keep=config.checkpoints_kept)
        self._ranks = {name: HttpClient(node.peers[name]) for name in config.ranks}
        self._generation = int(node.disk.read(_GENERATION) or 0)
        stored = node.disk.read(_GROUP)
        group = msgspec.json.decode(stored, type=Group) if stored else None
        parts = BUGS.variant(config.bug)
        self._now_s: Callable[[], float] = partial(parts.clock, node)
        self._membership = Membership(config.ranks, parts.limits, self._now_s(), group)
        self._distrust = Distrust(node.disk, config.ranks)
        self._found: Finding | None = None
        self._woken = asyncio.Event()
        self._store: dict[str, asyncio.Future[bytes]] = {}
        self._parts: dict[tuple[int, int], dict[str, Written]] = {}

    # ------------------------------------------------------------------------------------------------------- requests

    async def handle(self, request: Request) -> Response:
        match request.method, request.path:
            case "POST", path if path == BEAT:
                self._membership.beat(request.decode(Beat), self._now_s())
                self._woken.set()
                return Response()
            case "POST", path if path == WATCH:
                return await self._watch(request.decode(Beat))
            case "POST", path if path == STORE:
                put = request.decode(Put)
                entry = self._entry(put.key)
                if not entry.done():
                    entry.set_result(put.value)
                return Response()
            case "GET", path if path == STORE:
                return Response.json(Got(value=await asyncio.shield(self._entry(request.query["key"]))))
            case "POST", path if path == WRITTEN:
                self._written(request.decode(Written))
                return Response()
            case "POST", path if path == ACCUSE:
                self._found = self._found or self._distrust.accused(request.decode(Accused), self._membership.group)
                self._woken.set()
                return Response()
            case "GET", path if path == STATUS:
                group = self._membership.group
                return Response.json(Status(generation=group.generation, members=group.members) if group else None)
            case _:
                return Response(404, b"no such route")

    async def _watch(self, beat: Beat) -> Response:
        try:
            await asyncio.get_running_loop().create_future()
        finally:  # cancelled: the connection has ended
            self._membership.gone(beat.name, beat.incarnation)
            self._woken.set()
        return Response()

    def _entry(self, key: str) -> asyncio.Future[bytes]:
        if key not in self._store:
            self._store[key] = asyncio.get_running_loop().create_future()
        return self._store[key]

    # ----------------------------------------------------------------------------------------------------------- groups

    async def decide(self) -> None:
        """Form groups for as long as there are ranks."""
        look_outside_s = 0.0
        if (found := self._distrust.finding) is not None:  # the coordinator may have died before it reported the finding
            self._name(found)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._woken.wait()
            self._woken.clear()
            now_s = self._now_s()
            if self._found is not None:
                await self._leave_out(self._found)
            elif cause := self._membership.cause(now_s):
                await self._regroup(cause)
            elif self._membership.complete and self._distrust.pending(self._membership.group):
                self._distrust.settled(self._membership.group)
            elif now_s >= look_outside_s and self._membership.complete:
                for name in self._distrust.without(self._membership.outside(now_s)):
                    if await self._reaches_all(name):
                        await self._regroup(Cause(why="can be taken in", about=(name,)))
                        break
                look_outside_s = self._now_s() + _TAKE_IN_S

    async def _leave_out(self, found: Finding) -> None:
        """Exclude ranks that compute wrongly, and continue from before the first step that they may have spoilt."""
        self._found = None
        self._name(found)
        why = "computes wrongly" if found.since is not None else "held another state"
        await self._regroup(Cause(why=why, about=found.names))

    def _name(self, found: Finding) -> None:
        for name in found.names:
            self._note(events.Named(generation=self._generation, rank=name, by=found.by, why=found.why))

    def _withdraw(self) -> None:
        """Withdraw all checkpoints that may contain wrong steps. If the disk fails, the next group tries again."""
        if (after := self._distrust.to_withdraw) is None:
            return
        try:
            steps = withdraw(self._node.shared(CHECKPOINTS), after)
            self._distrust.withdrawn()
        except OSError as error:
            why = error.strerror or str(error)
            self._note(events.NotWithdrawn(generation=self._generation, step=after, why=why))
        else:
            self._note(events.TakenBack(generation=self._generation, step=after, withdrawn=tuple(steps)))

    async def _regroup(self, cause: Cause) -> None:
        """Tell all ranks to leave the group, and form the next one of the ranks that answer and reach each other."""
        self._note(events.Decided(generation=self._generation, about=cause.about, why=cause.why))
        self._withdraw()
        self._generation += 1
        self._node.disk.replace(_GENERATION, str(self._generation).encode())
        self._store.clear()
        answers = await self._prepare()
        members = choose({name: answers[name] for name in self._distrust.without(list(answers))})
        if not members:
            self._note(events.Alone(generation=self._generation))
            self._membership.disbanded()
            return
        incarnations = {name: answers[name].incarnation for name in members}
        group = Group(generation=self._generation, members=members, incarnations=incarnations)
        self._node.disk.replace(_GROUP, msgspec.json.encode(group))
        form = msgspec.json.encode(Form(generation=group.generation, members=members, limits=self._distrust.limits(members)))
        told = await asyncio.gather(*(self._ask(name, FORM, form, _ANSWER_S) for name in members))
        self._membership.formed(group, self._now_s())
        unanswered = tuple(name for name, answer in zip(members, told, strict=True) if answer is None)
        self._note(events.Formed(generation=self._generation, members=members, unanswered=unanswered))

    async def _prepare(self) -> dict[str, Prepared]:
        """The answers of the ranks that have left their group, in the order of ranks. Does not wait for silent ranks."""
        asked: dict[str, asyncio.Task[Prepared | None]] = {}
        async with asyncio.TaskGroup() as asking:
            heard = [name for name in self._membership.ranks if not self._membership.silent(name, self._now_s())]
            for number, name in enumerate(self._membership.ranks):
                reach = tuple(other for other in self._membership.ranks[number + 1 :] if other in heard)
                body = Prepare(generation=self._generation, reach=reach)
                asked[name] = asking.create_task(self._prepared(name, body))
            while waited := [name for name in asked if not asked[name].done()]:
                if all(self._membership.silent(name, self._now_s()) for name in waited):
                    for name in waited:
                        asked[name].cancel()
                    break
                await asyncio.wait([asked[name] for name in waited], timeout=_LOOK_S)
        answers = {name: None if task.cancelled() else task.result() for name, task in asked.items()}
        return {name: answer for name, answer in answers.items() if answer is not None}

    async def _prepared(self, name: str, prepare: Prepare) -> Prepared | None:
        answer = await self._ask(name, PREPARE, msgspec.json.encode(prepare), _ANSWER_S)
        return None if answer is None else _decoded(answer, Prepared)

    async def _reaches_all(self, name: str) -> bool:
        """Whether a rank outside and all members of the group reach each other; of two, the one with the lower number tries."""
        group, ranks = self._membership.group, self._membership.ranks
        assert group is not None  # noqa: S101 - only a complete group takes a rank in
        later = tuple(member for member in group.members if ranks.index(member) > ranks.index(name))
        earlier = [member for member in group.members if member not in later]
        tries = [self._reaches(name, later), *(self._reaches(member, (name,)) for member in earlier)]
        return all(await asyncio.gather(*tries))

    async def _reaches(self, name: str, others: tuple[str, ...]) -> bool:
        answer = await self._ask(name, REACH, msgspec.json.encode(Reach(others=others)), _ANSWER_S)
        reach = None if answer is None else _decoded(answer, Reach)
        return reach is not None and set(reach.others) == set(others)

    async def _ask(self, name: str, path: str, body: bytes, timeout_s: float) -> Response | None:
        """A rank's answer; None if it did not answer, or refused."""
        try:
            response = await self._ranks[name].request("POST", path, body, timeout_s=timeout_s)
        except TransportError:
            return None
        return response if response.status == 200 else None

    # ------------------------------------------------------------------------------------------------------ checkpoints

    def _written(self, written: Written) -> None:
        """Complete a checkpoint with its last part. A later checkpoint overwrites one whose parts never come."""
        for known in [known for known in self._parts if known[0] < written.step]:
            del self._parts[known]
        parts = self._parts.setdefault((written.step, written.generation), {})
        parts[written.shard.name] = written
        if len(parts) < written.world:
            return
        if self._distrust.void(written.generation, written.step):
            return
        if len({(part.state, bytes(part.progress)) for part in parts.values()}) > 1:
            self._not_saved(written.step, "its ranks hold different states")
            return
        del self._parts[written.step, written.generation]
        checkpoints = Checkpoints(self._node.shared(CHECKPOINTS), written.identity, self._schedule)
        try:
            shards = [part.shard for _, part in sorted(parts.items())]
            checkpoints.commit(written.step, shards, written.progress, written.state)
        except OSError as error:
            self._not_saved(written.step, error.strerror or str(error))
        else:
            self._note(events.Saved(generation=self._generation, step=written.step))

    def _not_saved(self, step: int, why: str) -> None:
        self._note(events.NotSaved(generation=self._generation, step=step, why=why))

    def _note(self, event: events.TrainingEvent) -> None:
        self._node.log(f"{events.kind_of(event)}: {events.sentence(event)}")
        self._records.event(event)


def _decoded(answer: Response, kind: type[T]) -> T | None:
    """What a rank answered; None if it cannot be read, as if there were no answer."""
    try:
        return answer.decode(kind)
    except BadAnswer:
        return None


async def main(node: NodeContext) -> None:
    """Run the coordinator."""
    coordinator = Coordinator(node, node.config(Config))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(coordinator.decide())
        await node.serve(coordinator.handle)
