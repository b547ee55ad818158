"""Regions: the same predictions are served in several regions, which help each other out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar

from harness.model.errors import UsageError
from harness.model.simulated import Invariant
from harness.model.system import Address, Client, Node
from systems.regions.bugs import BUGS
from systems.regions.client import RegionClient
from systems.regions.invariant import EdgesKeepTheirRules
from systems.serving import Serving, artifacts
from systems.serving.limited import LimitedServing

__all__ = ["BUGS", "Regions"]


@dataclass(frozen=True, kw_only=True)
class Regions:
    """Serving in several regions: users go to the nearest one, which passes on what it cannot answer if others have room.

    A region `eu` is an edge of that name, which clients talk to, a balancer `eu-balancer`, and replicas `eu-r1`, `eu-r2`, …,
    as in `Serving`. Distances are faults on links: `Latency("eu>us", delay_ms=40)`. Faults choose among the replicas; edges
    and balancers are hit only if they are named. Answers carry no checksum: a link that flips bits can change them.
    """

    bugs: ClassVar = BUGS

    regions: Sequence[str] = ("eu", "us", "asia")
    replicas: int = 2
    """How many replicas each region has."""
    guests: int = 16
    """A region works on this many requests of other regions' users at once, and refuses more, so that its own are served."""
    service_ms: float | None = None
    """How long a replica takes for each request, one after another; None: no longer than the model needs."""
    bug: str | None = None
    """The name of a known bug that the edges have."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "regions", tuple(self.regions))  # from JSON it comes as a list
        if len(self.regions) < 2 or len(set(self.regions)) < len(self.regions):
            raise UsageError(f"Regions(regions={list(self.regions)}): at least two regions, each of its own name.")
        if any("-" in region for region in self.regions):
            raise UsageError(f"Regions(regions={list(self.regions)}): no '-' in a name, which parts region from node.")
        if self.guests < 0:
            raise UsageError(f"Regions(guests={self.guests!r}): a whole number of requests, at least 0.")
        self._inner()
        BUGS.variant(self.bug)

    def nodes(self) -> Sequence[Node]:
        return [node for region in self.regions for node in (*self._serving_in(region), self._edge(region))]

    def entries(self) -> Sequence[str]:
        return list(self.regions)

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return RegionClient(artifacts.folder(), index, list(entries.items()))

    def varied(self, random: Random) -> Regions:
        """More replicas in each region, and few guests or many."""
        return replace(self, replicas=self.replicas + random.choice((0, 0, 1)), guests=random.choice((self.guests, 1, 4, 64)))

    def invariant(self) -> Invariant:
        """Of the edge and the balancer of each region."""
        return EdgesKeepTheirRules(self._inner().invariant())

    def missing(self) -> str | None:
        return self._inner().missing()

    def preload(self) -> Sequence[str]:
        return self._inner().preload()

    def prepare(self) -> None:
        self._inner().prepare()

    def _inner(self) -> Serving:
        if self.service_ms is None:
            return Serving(replicas=self.replicas)
        return LimitedServing(replicas=self.replicas, service_ms=self.service_ms)

    def _serving_in(self, region: str) -> list[Node]:
        return [
            dataclasses.replace(node, name=f"{region}-{node.name}", peers=tuple(f"{region}-{peer}" for peer in node.peers))
            for node in self._inner().nodes()
        ]

    def _edge(self, region: str) -> Node:
        others = tuple(other for other in self.regions if other != region)
        return Node(
            name=region,
            code="systems.regions.edge",
            peers=(f"{region}-balancer", *others),
            config={"home": f"{region}-balancer", "guests": self.guests, "bug": self.bug},
            replica=False,
        )
