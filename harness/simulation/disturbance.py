"""Disturbances, which a simulation adds to a drill's own faults: as data, and how they are carried out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, Literal

import msgspec

from faults.flip_bits import flip
from harness.model.errors import FaultError, NodeDown
from harness.model.steering import Setting, Term
from harness.model.system import CLIENT
from harness.simulation.cluster import SimulatedCluster

Kind = Literal[
    "kill", "power off", "pause", "slow CPU", "cut", "cut one way", "isolate", "reset", "fail syncs", "fill disk", "slow disk",
    "flip bit", "skew clock", "die at send", "die at sync", "die at rename",
]  # fmt: skip

_FORGIVEN_S: Final = 0.5
"""A node may end by itself until this long after its disk has recovered: it may have been about to."""

_ENDED_BY: Final = (Setting.SYNC_FAILS, Setting.NO_SPACE, Setting.SCARCE_SPACE)
"""With these, a node may not be able to start: it has to write its log anew, and ends."""

_DEATH_S: Final = 0.03
"""A node dies at any moment within this time: in the middle of a write, a sync, or a turn of the loop."""


class Disturbance(msgspec.Struct, frozen=True, kw_only=True):
    """One fault at a node, or between two, from `at_s` after the beginning of the load, for `for_s`."""

    kind: Kind
    at_s: float
    for_s: float
    node: str
    other: str = ""
    """The other host, for a fault between two."""
    nth: int = 1
    """The number of the send, sync or rename, from then on, at which the node dies."""

    def __str__(self) -> str:
        what = f"{self.kind} #{self.nth}" if self.kind.startswith("die at") else self.kind
        where = f"{self.node}-{self.other}" if self.other else self.node
        return f"{what} {where} {self.at_s:.3f}–{self.at_s + self.for_s:.3f} s"


class Disturbances:
    """Carries a run's disturbances out, on the harness's own host."""

    def __init__(self, cluster: SimulatedCluster, disturbances: tuple[Disturbance, ...]) -> None:
        self._cluster = cluster
        self._disturbances = disturbances
        self._damaged: dict[str, int] = {}
        """The number of current or recent disturbances of each node's disk."""
        if disturbances:
            cluster.processes.forgiven = self._may_end

    async def carry_out(self, start_ns: int) -> None:
        """Carry out all of them, each at its time; returns when the last one is over and every node is up."""
        async with asyncio.TaskGroup() as tasks:
            supervising = tasks.create_task(self._supervise())
            held = [tasks.create_task(self._hold(one, f"x{number}", start_ns)) for number, one in enumerate(self._disturbances)]
            if held:
                await asyncio.wait(held)
            await asyncio.sleep(_FORGIVEN_S)
            supervising.cancel()

    async def _hold(self, one: Disturbance, label: str, start_ns: int) -> None:
        await asyncio.sleep(max(0.0, start_ns / 1e9 + one.at_s - self._cluster.monotonic_ns() / 1e9))
        if one.node not in self._cluster.hosts:
            return
        random = self._cluster.random(f"{label}/{one.kind}/{one.node}")
        self._cluster.world.note("disturbance", one.node, str(one))
        with contextlib.suppress(FaultError, NodeDown):  # it is down already; or the drill's checks judge what it does
            await self._how(one.kind)(one, label, random)

    def _how(self, kind: Kind) -> Callable[[Disturbance, str, Random], Awaitable[None]]:
        match kind:
            case "kill" | "power off":
                return self._die
            case "pause":
                return self._pause
            case "slow CPU":
                return self._slow_cpu
            case "cut" | "cut one way" | "isolate":
                return self._cut
            case "reset":
                return self._reset
            case "fail syncs" | "fill disk" | "slow disk":
                return self._fail
            case "flip bit":
                return self._flip
            case "skew clock":
                return self._skew_clock
            case _:
                return self._die_at

    async def _die(self, one: Disturbance, label: str, random: Random) -> None:
        processes = self._cluster.processes
        await processes.doom(one.node, label, random.uniform(0, _DEATH_S), power=one.kind == "power off")
        await asyncio.sleep(one.for_s)
        await processes.restart(one.node, label)

    async def _die_at(self, one: Disturbance, label: str, random: Random) -> None:
        """Let a node die at an operation, with its machine or not; nothing happens if it never does that operation."""
        host, processes = self._cluster.hosts[one.node], self._cluster.processes
        operation, left = one.kind.removeprefix("die at "), one.nth

        def counted(name: str) -> bool:
            nonlocal left
            left -= name.startswith(operation)
            return left == 0

        host.counted, host.dies_with_power = counted, random.random() < 0.5 and one.kind != "die at send"
        processes.expect_death(one.node, label)
        died = await processes.death_within(one.node, max(0.5, one.for_s))
        host.counted = None
        if died:
            await asyncio.sleep(min(one.for_s, 0.05))
        await processes.restart(one.node, label)

    async def _pause(self, one: Disturbance, label: str, random: Random) -> None:
        self._cluster.processes.stop(one.node, label)
        await asyncio.sleep(one.for_s)
        self._cluster.processes.resume(one.node, label)

    async def _slow_cpu(self, one: Disturbance, label: str, random: Random) -> None:
        self._cluster.processes.limit_cpu(one.node, label, random.choice((0.3, 0.1, 0.03)))
        await asyncio.sleep(one.for_s)
        self._cluster.processes.unlimit_cpu(label)

    async def _cut(self, one: Disturbance, label: str, random: Random) -> None:
        network = self._cluster.network
        others = [one.other] if one.kind != "isolate" else [*self._cluster.nodes, CLIENT]
        pairs = [(one.node, other) for other in others if other != one.node]
        if one.kind != "cut one way":
            pairs += [(other, node) for node, other in pairs]
        for pair in pairs:
            network.cut(*pair)
        await asyncio.sleep(one.for_s)
        for pair in pairs:
            network.mend(*pair)

    async def _reset(self, one: Disturbance, label: str, random: Random) -> None:
        self._cluster.network.reset_between(one.node, one.other)

    async def _fail(self, one: Disturbance, label: str, random: Random) -> None:
        disks = self._cluster.disks
        setting, value = {
            "fail syncs": (Setting.SYNC_FAILS, 1),
            "slow disk": (Setting.DELAY_NS, round(random.uniform(1e6, 5e7))),
            # A nearly full disk still takes what is appended to a log, and not the shorter one that is to replace it.
            "fill disk": (random.choice((Setting.NO_SPACE, Setting.SCARCE_SPACE)), 1),
        }[one.kind]
        self._damage(one.node, 1)
        disks.hold(one.node, setting, label, value)
        await asyncio.sleep(one.for_s)
        disks.release(one.node, setting, label)
        await asyncio.sleep(_FORGIVEN_S)
        self._damage(one.node, -1)

    async def _flip(self, one: Disturbance, label: str, random: Random) -> None:
        """Flip a bit while the process is down, because a process reads its files, and so finds damage, at its start."""
        processes = self._cluster.processes
        await processes.doom(one.node, label, random.uniform(0, _DEATH_S), power=False)
        files = {name: file for name, file in self._cluster.disks.files(one.node).items() if file.size()}
        if files:
            file = files[random.choice(sorted(files))]
            flip(file, [random.randrange(8 * file.size())])
        self._damage(one.node, 1)
        await asyncio.sleep(one.for_s)
        await processes.restart(one.node, label)
        await asyncio.sleep(_FORGIVEN_S)
        self._damage(one.node, -1)

    async def _skew_clock(self, one: Disturbance, label: str, random: Random) -> None:
        by_ns = round(random.choice((-1, 1)) * random.choice((5e6, 1e8, 2e9)))
        self._cluster.clocks.deviate(label, [one.node], Term(self._cluster.monotonic_ns(), by_ns=by_ns))
        await asyncio.sleep(one.for_s)
        await self._cluster.clocks.end_deviation(label, [one.node])

    def _may_end(self, name: str) -> bool:
        """Whether a node may end: it may if its disk fails, because of the drill or of a disturbance."""
        page = self._cluster.hosts[name].control
        return self._damaged.get(name, 0) > 0 or any(page[setting] > 0 for setting in _ENDED_BY)

    def _damage(self, node: str, by: int) -> None:
        self._damaged[node] = self._damaged.get(node, 0) + by

    async def _supervise(self) -> None:
        """Restart processes that ended because of a failing disk, like any supervisor."""
        processes = self._cluster.processes
        while True:
            for name in self._cluster.nodes:
                if not processes.runs(name) and not processes.held_down(name) and not processes.is_starting(name):
                    with contextlib.suppress(NodeDown):
                        await processes.start(name)
            await asyncio.sleep(0.05)
