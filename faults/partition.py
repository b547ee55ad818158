"""Partitions: bytes stop on links, in the directions chosen, and nobody is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from harness.drill import CLIENT, Aim, Evidence, Fault, Link, Targets
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.cluster import Cluster

_LOOKS: Final = 5
_LOOK_AGAIN_S: Final = 0.02

Half = tuple[Link, str]
"""One direction of a link: "upstream" carries what its source sends, "downstream" what its target answers."""


@dataclass(frozen=True)
class Isolate(Fault):
    """Each target is alone: no bytes to or from anyone, clients included. (A link as target: no bytes over it.)"""

    aims_at: ClassVar[Aim] = "links"

    async def inject(self, cluster: Cluster, targets: Targets) -> Evidence:
        return await _cut(cluster, targets, _both_halves(targets.links))

    async def heal(self, cluster: Cluster, targets: Targets, injected: Evidence) -> Evidence:
        return await _restore(cluster, targets, _both_halves(targets.links), injected)


@dataclass(frozen=True)
class Partition(Fault):
    """The targets as a group are cut from all other nodes; clients still reach both sides.

    `direction` "both" stops all bytes between the sides, "out" those that the targets send, "in" those they are sent.
    """

    direction: Literal["both", "out", "in"] = "both"

    aims_at: ClassVar[Aim] = "links"

    def __post_init__(self) -> None:
        if self.direction not in ("both", "out", "in"):
            raise UsageError(f"Partition(direction={self.direction!r}): no such direction. Use 'both', 'out' or 'in'.")

    async def inject(self, cluster: Cluster, targets: Targets) -> Evidence:
        return await _cut(cluster, targets, self._halves(targets))

    async def heal(self, cluster: Cluster, targets: Targets, injected: Evidence) -> Evidence:
        return await _restore(cluster, targets, self._halves(targets), injected)

    def _halves(self, targets: Targets) -> list[Half]:
        if not targets.nodes:  # a single link was named: its source is the inside
            crossing = [(link, link.source) for link in targets.links]
        else:
            crossing = [
                (link, link.source if link.source in targets.nodes else link.target)
                for link in targets.links
                if link.source != CLIENT and (link.source in targets.nodes) != (link.target in targets.nodes)
            ]
        return [
            (link, stream)
            for link, inside in crossing
            for stream, sender in (("upstream", link.source), ("downstream", link.target))
            if self.direction == "both" or (sender == inside) == (self.direction == "out")
        ]


def _both_halves(links: tuple[Link, ...]) -> list[Half]:
    return [(link, stream) for link in links for stream in ("upstream", "downstream")]


async def _cut(cluster: Cluster, targets: Targets, halves: list[Half]) -> Evidence:
    before = dict(await _held_bytes(cluster, halves))
    await asyncio.gather(
        *(
            cluster.plane.add_toxic(
                link.name, f"{targets.label}_{stream}", kind="timeout", stream=stream, attributes={"timeout": 0}
            )
            for link, stream in halves
        )
    )
    return Evidence(acted=None, text="", readings=before)


async def _restore(cluster: Cluster, targets: Targets, halves: list[Half], injected: Evidence) -> Evidence:
    """Remove the toxics, which ends the connections they held; their bytes never arrive, as those of a long partition."""
    await asyncio.gather(*(cluster.plane.remove_toxic(link.name, f"{targets.label}_{stream}") for link, stream in halves))
    if not halves:
        return Evidence(acted=False, text="the target has no links to cut")
    stopped = await _stopped_bytes(cluster, halves, injected)
    if not stopped:
        return Evidence(acted=False, text=f"no bytes came to be stopped on {len(halves)} directions of links")
    listed = ", ".join(f"{name} {bytes_:,.0f}" for name, bytes_ in sorted(stopped.items(), key=lambda item: -item[1])[:4])
    more = f" and {len(stopped) - 4} more" if len(stopped) > 4 else ""
    return Evidence(acted=True, text=f"stopped {sum(stopped.values()):,.0f} bytes: {listed}{more}")


async def _stopped_bytes(cluster: Cluster, halves: list[Half], injected: Evidence) -> dict[str, float]:
    """By direction, where any were stopped. Toxiproxy counts a connection when it ends, a moment after its toxic has gone."""
    for _ in range(_LOOKS):
        held = {name: bytes_ - injected.readings.get(name, 0) for name, bytes_ in await _held_bytes(cluster, halves)}
        if stopped := {name: bytes_ for name, bytes_ in held.items() if bytes_ > 0}:
            return stopped
        await asyncio.sleep(_LOOK_AGAIN_S)
    return {}


async def _held_bytes(cluster: Cluster, halves: list[Half]) -> Iterator[tuple[str, float]]:
    counters = await cluster.plane.counters()
    return ((f"{link.name} {stream}", float(counters[link.name].held_bytes(stream))) for link, stream in halves)
