"""A training for simulation: real coordinators, and ranks that train nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from random import Random
from typing import ClassVar

from harness.model.simulated import Harm, Invariant
from harness.model.system import Address, Client, Node
from systems.raft import Raft
from systems.training import BUGS, Training
from tests.helpers.one_group_at_a_time import OneGroupAtATime

_STEP_MS = 100.0
"""Long steps: what they cost is the simulation's time, and what is tested happens between them."""

_WRONG_FROM = 10


@dataclass(frozen=True, kw_only=True)
class StandInTraining:
    """`Training` of as many ranks and coordinators, whose ranks are those of `stand_in_rank`."""

    ranks: int = 3
    coordinators: int = 3
    wrong: str | None = None
    """The rank that computes wrongly from the tenth step on, if any."""
    bug: str | None = None

    bugs: ClassVar = BUGS

    def nodes(self) -> Sequence[Node]:
        """Here the coordinators count as the replicas: whatever a seed does to disks and to quorums, it does to them."""
        more = {"wrong": self.wrong, "wrong_from": _WRONG_FROM}
        return [
            replace(node, code="tests.helpers.stand_in_rank", replica=False, config={**node.config, **more})
            if node.replica
            else replace(node, replica=True)
            for node in self._real.nodes()
        ]

    def entries(self) -> Sequence[str]:
        return self._real.entries()

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return self._real.client(index, entries)

    @property
    def withstands(self) -> frozenset[Harm]:
        """The only coordinator's disk may fail for a while; what several keep survives damage to one."""
        return Raft.withstands if self.coordinators > 1 else Raft.withstands - {"flipped bit", "flipped bits"}

    async def leader(self, addresses: Mapping[str, Address]) -> str:
        return await self._real.leader(addresses)

    async def hand_over(self, name: str, addresses: Mapping[str, Address]) -> str | None:
        return await self._real.hand_over(name, addresses)

    def varied(self, random: Random) -> StandInTraining:
        """One rank more, perhaps."""
        return replace(self, ranks=self.ranks + random.choice((0, 1)))

    def cores(self) -> Sequence[Sequence[str]]:
        """Any majority of the coordinators, with any rank: when all was healed, each was in the last group."""
        return [[*some, rank] for some in combinations(self._deciding, self.coordinators // 2 + 1) for rank in self._right]

    def invariant(self) -> Invariant:
        return OneGroupAtATime(self._deciding, self.entries(), self.wrong)

    @property
    def _deciding(self) -> list[str]:
        return [node.name for node in self.nodes() if node.replica]

    @property
    def _right(self) -> list[str]:
        return [name for name in self.entries() if name != self.wrong]

    @cached_property
    def _real(self) -> Training:
        return Training(ranks=self.ranks, coordinators=self.coordinators, bug=self.bug, step_ms=_STEP_MS)
