"""Draws a seed's disturbances for a system. Some come in groups, because they would seldom coincide by chance."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from faults.flip_bits import FlipBits
from harness.model.drill import Drill
from harness.model.simulated import Harm, Withstands
from harness.model.system import CLIENT
from harness.simulation.disturbance import Disturbance, Kind

_FIRST_S: Final = 0.3
_LAST_S: Final = 8.0
"""The earliest and the latest beginning of disturbances: a longer load has quiet time after them."""

_LOOPS: Final = 8

_STUTTERS: Final = 0.25
"""The share of seeds in which a node stutters."""

Maker = Callable[[float, float], None]
"""Adds disturbances that begin at a time and last about as long as given, both in seconds."""


def draw(random: Random, drill: Drill) -> tuple[Disturbance, ...]:
    """Disturbances of some kinds, at random times, in the order in which they begin."""
    drawn = _Drawn(random, drill)
    makers = [maker for maker in drawn.makers() if random.random() < 0.5] or [drawn.kill]
    mean_s, at_s = random.choice((0.4, 1.0, 2.0)), _FIRST_S
    while at_s < drawn.end_s:
        random.choice(makers)(at_s, random.choice((random.uniform(0.05, 0.4), random.uniform(0.3, 1.5))))
        at_s += random.expovariate(1 / mean_s)
    return tuple(sorted(drawn.found, key=lambda one: one.at_s))


def stutters(random: Random, drill: Drill) -> tuple[Disturbance, ...]:
    """Perhaps a node stops for a moment, again and again: what reaches it meanwhile, it then takes in one turn of its loop.

    So what rarely comes together does, such as a request and the news that make it void.
    """
    if random.random() >= _STUTTERS:
        return ()
    drawn = _Drawn(random, drill)
    drawn.stutter(_FIRST_S + random.uniform(0, 1), random.uniform(1, 4))
    return tuple(drawn.found)


def _damaged_by(drill: Drill) -> list[str]:
    """The nodes whose disks the drill itself damages."""
    targets = {fault.target for item in drill.faults for fault in item.faults if isinstance(fault, FlipBits)}
    return [node.name for node in drill.system.nodes() if node.name in targets]


class _Drawn:
    def __init__(self, random: Random, drill: Drill) -> None:
        nodes = drill.system.nodes()
        self.end_s = min(drill.load.seconds - 0.1, _LAST_S)
        self.found: list[Disturbance] = []
        self._random = random
        self._names = [node.name for node in nodes]
        self._replicas = [node.name for node in nodes if node.replica] or self._names
        self._victim = random.choice(_damaged_by(drill) or self._replicas)
        """The only node whose disk may be damaged: no system can survive damage to more of them."""
        withstands: frozenset[Harm] = drill.system.withstands if isinstance(drill.system, Withstands) else frozenset()
        self._withstands = withstands
        self._flips = "flipped bits" in withstands or ("flipped bit" in withstands and not _damaged_by(drill))
        """Whether bits may be flipped, beside those that the drill and disturbances until now flip."""

    def makers(self) -> list[Maker]:
        """The makers for everything that the system must withstand."""
        makers: list[Maker] = [self.kill, self._pause, self._slow_cpu, self._isolate, self._cut_clients, self._crash_loop]
        makers += [self._die_at("send"), self._all_at_once("kill")]
        if len(self._names) > 1:
            makers += [self._cut("cut"), self._cut("cut one way"), self._reset, self._wakes_alone]
        if len(self._replicas) > 2:
            makers.append(self._quorum_moves)
        if "power loss" in self._withstands:
            makers += [self._power_off, self._all_at_once("power off"), self._die_at("sync"), self._die_at("rename")]
            makers.append(self._dies_young)
        if "failed sync" in self._withstands:
            makers += [self._damage("fail syncs"), self._damage("slow disk")]
        if "wrong clock" in self._withstands:
            makers.append(self._skew_clock)
        if "full disk" in self._withstands:
            makers.append(self._damage("fill disk"))
        if self._flips:
            makers.append(self._damage("flip bit"))
        return makers

    def kill(self, at_s: float, for_s: float) -> None:
        self._add("kill", at_s, for_s, self._one())

    def _power_off(self, at_s: float, for_s: float) -> None:
        self._add("power off", at_s, for_s, self._one())

    def _pause(self, at_s: float, for_s: float) -> None:
        self._add("pause", at_s, for_s, self._one())

    def _slow_cpu(self, at_s: float, for_s: float) -> None:
        self._add("slow CPU", at_s, for_s, self._one())

    def _skew_clock(self, at_s: float, for_s: float) -> None:
        self._add("skew clock", at_s, for_s, self._one())

    def _isolate(self, at_s: float, for_s: float) -> None:
        self._add("isolate", at_s, for_s, self._one())

    def _cut_clients(self, at_s: float, for_s: float) -> None:
        self._add("cut", at_s, for_s, CLIENT, self._one())

    def _reset(self, at_s: float, for_s: float) -> None:
        node, other = self._two()
        self._add("reset", at_s, for_s, node, self._random.choice((other, CLIENT)))

    def _cut(self, kind: Kind) -> Maker:
        return lambda at_s, for_s: self._add(kind, at_s, for_s, *self._two())

    def _damage(self, kind: Kind) -> Maker:
        return lambda at_s, for_s: self._add(kind, at_s, for_s, self._victim)

    def _die_at(self, operation: str) -> Maker:
        kind: Kind = "die at send" if operation == "send" else "die at sync" if operation == "sync" else "die at rename"
        return lambda at_s, for_s: self._add(kind, at_s, for_s, self._one(), nth=self._random.randint(1, 40))

    def _all_at_once(self, kind: Kind) -> Maker:
        def add(at_s: float, for_s: float) -> None:
            for name in self._names:
                self._add(kind, at_s, self._random.uniform(0.05, for_s + 0.05), name)

        return add

    def _crash_loop(self, at_s: float, for_s: float) -> None:
        """A node dies again soon after each start."""
        node = self._one()
        for _ in range(_LOOPS):
            self._add(
                "power off" if "power loss" in self._withstands and self._random.random() < 0.5 else "kill", at_s, 0.05, node
            )
            at_s += self._random.uniform(0.15, 0.3)

    def _dies_young(self, at_s: float, for_s: float) -> None:
        """A node dies in one of its first disk operations after each start, each time with another peer cut off."""
        node, peers = self._one(), self._replicas
        self._add("kill", at_s, 0.02, node)
        for number in range(_LOOPS):
            at_s += self._random.uniform(0.1, 0.25)
            self._add("die at sync", at_s, 0.05, node, nth=self._random.randint(1, 16))
            if (peer := peers[number % len(peers)]) != node:
                self._add("cut", at_s, 0.2, node, peer)

    def stutter(self, at_s: float, for_s: float) -> None:
        """A node stops for some milliseconds, runs for some, and so on."""
        node, until_s, mean_s = self._one(), at_s + for_s, self._random.choice((0.02, 0.1))
        while at_s < until_s:
            stopped_s = self._random.uniform(0.01, 0.04)
            self._add("pause", at_s, stopped_s, node)
            at_s += stopped_s + self._random.expovariate(1 / mean_s)

    def _wakes_alone(self, at_s: float, for_s: float) -> None:
        """A node is paused; when it wakes, clients reach it, and news from its peers does not."""
        node, for_s = self._one(), for_s + 0.4
        self._add("pause", at_s, for_s, node)
        for peer in self._names:
            if peer != node:
                from_s = self._random.uniform(0, 0.1)
                self._add("cut", at_s + from_s, for_s - from_s + self._random.uniform(0.1, 0.6), node, peer)

    def _quorum_moves(self, at_s: float, for_s: float) -> None:
        """A quorum without one node stores data; another one must find it after a node that stored it has died."""
        holder = self._victim
        without, next_without = self._random.sample([name for name in self._replicas if name != holder], 2)
        self._add("isolate", at_s, for_s, without)
        ways: list[Kind] = ["kill"]
        ways += ["power off"] if "power loss" in self._withstands else []
        ways += ["flip bit"] if self._flips else []
        if {"failed sync", "power loss"} <= self._withstands and self._random.random() < 0.4:
            begin_s = self._random.uniform(0, for_s)
            self._add("fail syncs", at_s + begin_s, for_s - begin_s, holder)
            ways = ["power off"]  # only a power loss reveals what a failed sync did not write
        self._add(self._random.choice(ways), at_s + for_s, 0.05, holder)
        self._add("isolate", at_s + for_s + 0.001, 1.0, next_without)

    def _add(self, kind: Kind, at_s: float, for_s: float, node: str, other: str = "", nth: int = 1) -> None:
        if at_s < self.end_s and (kind != "flip bit" or self._flips):
            if kind == "flip bit":
                self._flips = "flipped bits" in self._withstands
            for_s = max(0.01, min(for_s, self.end_s + 0.1 - at_s))
            self.found.append(
                Disturbance(kind=kind, at_s=round(at_s, 4), for_s=round(for_s, 4), node=node, other=other, nth=nth)
            )

    def _one(self) -> str:
        return self._random.choice(self._names)

    def _two(self) -> tuple[str, str]:
        one, other = self._random.sample(self._names, 2)
        return one, other
