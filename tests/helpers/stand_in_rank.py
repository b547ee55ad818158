"""A rank that obeys coordinators like a real one, and trains nothing: for simulation, which cannot run gloo.

It leaves, joins and dials as `systems.training.rank` does, reports to coordinators with the same code, and forgets as much in a
restart. In place of gloo's collectives all members of a group wait for each other over their links, from lower ranks to higher
ones. A step is two such collectives. So when a member completes a step, no member had left the group before all of them had
begun that step.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec

from harness.http.client import HttpClient
from harness.http.message import BadAnswer, Request, Response, TransportError
from harness.node.context import NodeContext
from harness.run.first_error import first_of
from systems.training.messages import (
    ACCUSE,
    FORM,
    NO_STATE,
    PREPARE,
    REACH,
    STATUS,
    STEP,
    STORE,
    Accused,
    Beat,
    Form,
    Phase,
    Prepare,
    Prepared,
    Put,
    Reach,
    Stepped,
)
from systems.training.reporting import reached, report, tell

MEET: Final = "/meet"
_COLLECTIVE_S: Final = 20.0
"""As of `systems.training.worker`."""
_TRY_S: Final = (0.2, 0.8)
"""Twice those of `systems.training.rendezvous`, which has one for the connection and one for the answer."""
_AGAIN_S: Final = 0.02
_ACCUSED_S: Final = 20.0
_ACCUSE_S: Final = 0.5
"""As of `systems.training.worker`."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a real rank that matter here."""

    number: int
    ranks: tuple[str, ...]
    coordinators: tuple[str, ...]
    step_ms: float
    wrong: str | None = None
    """The rank that computes wrongly, as all others find out each time they come to a step …"""
    wrong_from: int = 0
    """… from this one on."""


class Meet(msgspec.Struct, frozen=True, kw_only=True):
    """A member has come to a collective of its group; also the answer, once the other one has."""

    generation: int
    number: int
    name: str
    step: int
    """The step that it held when it joined the group."""


class ShownRank(NamedTuple):
    """What a stand-in shows to the invariant."""

    incarnation: int
    promised: int
    form: Form | None
    """The last group that it joined …"""
    joined_s: float
    """… and when, in seconds."""
    inside: bool
    """Whether it is still in that group."""
    phase: Phase
    step: int
    did: tuple[int, float] | None
    """The generation in which it did its last step, and when it had begun that step, in seconds."""


class Lost(Exception):
    """A member of the group is gone, or has left it."""


class StandIn:
    """One rank; `handle` answers requests and `report` tells coordinators that it lives."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        self._node = node
        self._config = config
        self._incarnation = node.random.getrandbits(32)
        self._promised = 0
        self._form: Form | None = None
        self._joined_s = 0.0
        self._phase: Phase = "idle"
        self._error = ""
        self._step = NO_STATE
        self._did: tuple[int, float] | None = None
        self._training: asyncio.Task[None] | None = None
        self._number = -1
        """The last collective of this group to which it has come."""
        self._joined_with = NO_STATE
        self._come: dict[int, dict[str, int]] = {}
        """By collective, the earlier members that have come to it, with their steps when they joined."""
        self._changed = asyncio.Event()
        self._arrived_s: float | None = None
        """While it waits in a collective: when it began to wait, or when something last arrived."""
        self._stepped: asyncio.Future[Stepped] = asyncio.get_running_loop().create_future()
        node.show(self._shown)

    # ---------------------------------------------------------------------------------------------------------- requests

    async def handle(self, request: Request) -> Response:
        match request.method, request.path:
            case "POST", path if path == PREPARE:
                return await self._prepare(request.decode(Prepare))
            case "POST", path if path == FORM:
                return Response(200 if self._join(request.decode(Form)) else 409)
            case "POST", path if path == REACH:
                return Response.json(Reach(others=await reached(self._node.peers, request.decode(Reach).others)))
            case "POST", path if path == MEET:
                return await self._meet(request.decode(Meet))
            case "GET", path if path == STEP:
                return Response.json(await asyncio.shield(self._stepped))
            case "GET", path if path == STATUS:
                return Response.json(self._beat())
            case _:
                return Response(404, b"no such route")

    async def _prepare(self, prepare: Prepare) -> Response:
        if not self._leave(prepare.generation):
            return Response(409, b"a later generation was promised")
        if self._training is not None:
            await asyncio.wait([self._training])
        if not self._leave(prepare.generation):
            return Response(409, b"a later generation was promised meanwhile")
        there = await reached(self._node.peers, prepare.reach)
        return Response.json(Prepared(incarnation=self._incarnation, step=self._step, done=(self._step, 0), reached=there))

    def _leave(self, generation: int) -> bool:
        if generation < self._promised or generation <= self._generation:
            return False
        self._promised = generation
        if self._training is not None:
            self._training.cancel()
        return True

    def _join(self, form: Form) -> bool:
        if form.generation != self._promised or form.generation <= self._generation:
            return False
        self._form, self._joined_s, self._error = form, self._node.clock(), ""
        self._number, self._come = -1, {}
        self._training = asyncio.create_task(self._train(form))
        return True

    async def _meet(self, meet: Meet) -> Response:
        if self._is_in(meet.generation):
            self._come.setdefault(meet.number, {})[meet.name] = meet.step
            self._arrives()
        while self._is_in(meet.generation) and self._number < meet.number:
            await self._changed.wait()
        if not self._is_in(meet.generation):
            return Response(409, b"has left this group, or never was in it")
        return Response.json(self._own(meet.generation, meet.number))

    # ---------------------------------------------------------------------------------------------------------- training

    async def _train(self, form: Form) -> None:
        self._node.log(f"joins generation {form.generation} of {form.coordinator}: {' '.join(form.members)}")
        later = form.members[form.members.index(self._node.name) + 1 :]
        links = {name: HttpClient(self._node.peers[name]) for name in later}
        try:
            await self._work(form, links)
        except Lost as lost:
            self._error = str(lost)
        except asyncio.CancelledError:
            self._error = "the coordinator asked for it"
        finally:
            self._phase, self._arrived_s, self._training = "idle", None, None
            self._change()
            for link in links.values():
                link.close()

    async def _work(self, form: Form, links: dict[str, HttpClient]) -> None:
        self._phase = "forming"
        await self._find(form)
        if self._step > form.limits.get(self._node.name, self._step):
            self._step = NO_STATE
        self._phase, self._joined_with = "restoring", self._step
        self._step = max(0, *(await self._collective(form, links, 0)), self._step)
        self._phase = "training"
        clock, number = self._node.clock, 1
        while True:
            begun_s = clock()
            if self._config.wrong in form.members and self._step >= self._config.wrong_from:
                await self._accuse(form, self._config.wrong)
            for at in (number, number + 1):
                await self._collective(form, links, at)
            number += 2
            self._did = form.generation, begun_s
            self._tell(Stepped(node=self._node.name, generation=form.generation, step=self._step, parameters=str(self._step)))
            self._step += 1
            await asyncio.sleep(max(0.0, begun_s + self._config.step_ms / 1e3 - clock()))

    async def _accuse(self, form: Form, wrong: str) -> None:
        """Ask the coordinators to end this group, and wait until one does. The wrong one finds nothing. Raises `Lost`."""
        if wrong == self._node.name:
            return
        said = Accused(
            generation=form.generation, by=self._node.name, names=(wrong,), why="it is wrong", since=self._config.wrong_from
        )
        body = msgspec.json.encode(said)
        until_s = self._node.clock() + _ACCUSED_S
        while self._node.clock() < until_s:
            async with asyncio.TaskGroup() as telling:
                for name in self._config.coordinators:
                    telling.create_task(_told(HttpClient(self._node.peers[name]), body))
            await asyncio.sleep(_ACCUSE_S)
        raise Lost(f"{wrong} computes wrongly")

    async def _find(self, form: Form) -> None:
        """Meet the others in the coordinator's store, as gloo does."""
        store = HttpClient(self._node.peers[form.coordinator])
        key = f"generation{form.generation}/"
        asked = [("POST", STORE, msgspec.json.encode(Put(key=key + self._node.name, value=b"here")))]
        asked += [("GET", f"{STORE}?key={quote(key + name, safe='')}", b"") for name in form.members]
        try_s, most_s = _TRY_S
        try:
            for method, path, body in asked:
                while not await _answers(store, method, path, body, try_s):
                    try_s = min(2 * try_s, most_s)
                    await asyncio.sleep(_AGAIN_S)
        finally:
            store.close()

    async def _collective(self, form: Form, links: dict[str, HttpClient], number: int) -> list[int]:
        """Return when all members have come to this collective: the steps with which the others joined. Raises `Lost`."""
        earlier = form.members[: form.members.index(self._node.name)]
        self._number = number
        self._arrives()
        body = msgspec.json.encode(self._own(form.generation, number))
        try:
            async with asyncio.TaskGroup() as tasks:
                asked = [tasks.create_task(_met(name, link, body)) for name, link in links.items()]
                tasks.create_task(self._until_come(earlier, number))
        except ExceptionGroup as group:
            raise first_of(group) from group
        self._arrived_s = None
        return [*self._come.pop(number, {}).values(), *(task.result() for task in asked)]

    async def _until_come(self, earlier: tuple[str, ...], number: int) -> None:
        try:
            async with asyncio.timeout(_COLLECTIVE_S):
                while any(name not in self._come.get(number, {}) for name in earlier):
                    await self._changed.wait()
        except TimeoutError:
            raise Lost("an earlier member does not come") from None

    def _own(self, generation: int, number: int) -> Meet:
        return Meet(generation=generation, number=number, name=self._node.name, step=self._joined_with)

    def _tell(self, step: Stepped) -> None:
        done, self._stepped = self._stepped, asyncio.get_running_loop().create_future()
        done.set_result(step)

    # -------------------------------------------------------------------------------------------------- the coordinators

    async def report(self) -> None:
        """Tell each coordinator that this rank is alive, until cancelled."""
        await report([HttpClient(self._node.peers[name]) for name in self._config.coordinators], self._beat)

    def _beat(self) -> Beat:
        return Beat(
            name=self._node.name,
            incarnation=self._incarnation,
            generation=self._generation,
            phase=self._phase,
            step=self._step,
            waiting_s=0.0 if self._arrived_s is None else self._node.clock() - self._arrived_s,
            error=self._error,
        )

    # ------------------------------------------------------------------------------------------------------------- state

    @property
    def _generation(self) -> int:
        return 0 if self._form is None else self._form.generation

    def _is_in(self, generation: int) -> bool:
        return self._training is not None and self._generation == self._promised == generation

    def _arrives(self) -> None:
        self._arrived_s = self._node.clock()
        self._change()

    def _change(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _shown(self) -> ShownRank:
        inside = self._is_in(self._generation)
        joined = self._form, self._joined_s
        return ShownRank(self._incarnation, self._promised, *joined, inside, self._phase, self._step, self._did)


async def _met(name: str, link: HttpClient, body: bytes) -> int:
    """The step with which a later member joined, once it has come. Raises `Lost`."""
    try:
        answer = await link.request("POST", MEET, body, timeout_s=_COLLECTIVE_S)
        if answer.status != 200:
            raise Lost(f"{name} is not in the group")
        return answer.decode(Meet).step
    except (TransportError, BadAnswer) as error:
        raise Lost(f"{name}: {error}") from error


async def _answers(client: HttpClient, method: str, path: str, body: bytes, timeout_s: float) -> bool:
    try:
        return (await client.request(method, path, body, timeout_s=timeout_s)).status == 200
    except TransportError:
        return False


async def _told(coordinator: HttpClient, body: bytes) -> None:
    with contextlib.closing(coordinator):
        await tell(coordinator, ACCUSE, body)


async def main(node: NodeContext) -> None:
    """Run one stand-in."""
    rank = StandIn(node, node.config(Config))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(rank.report())
        await node.serve(rank.handle)
