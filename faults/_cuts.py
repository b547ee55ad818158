"""Stop bytes on links, for the faults that cut some of them, and prove that bytes were stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Fault
from harness.model.system import Link, Node, System, links_of
from harness.model.window_work import all_done

_LOOKS: Final = 5
_LOOK_AGAIN_S: Final = 0.02

Half = tuple[Link, str]
"""One direction of a link: "upstream" carries what its source sends, "downstream" what its target answers."""


def replicas_of(nodes: Iterable[Node]) -> list[str]:
    """The names of the nodes among which selectors choose, in order."""
    return [node.name for node in nodes if node.replica]


def check_peers(fault: Fault, system: System) -> None:
    """Raise `UsageError` if a system's replicas have no links between them, so that there is nothing to cut."""
    replicas = set(replicas_of(system.nodes()))
    if not any(link.source in replicas and link.target in replicas for link in links_of(system)):
        raise UsageError(
            f"{type(fault).__name__}: the replicas of {type(system).__name__} have no links between them. Use Partition or"
            " Isolate."
        )


def between(environment: Environment, pairs: Iterable[frozenset[str]]) -> list[Half]:
    """Both directions of every link between two nodes of a pair."""
    apart = set(pairs)
    return both_halves([link for link in environment.links.all if frozenset((link.source, link.target)) in apart])


def both_halves(links: Sequence[Link]) -> list[Half]:
    """Both directions of links."""
    return [(link, stream) for link in links for stream in ("upstream", "downstream")]


async def cut(environment: Environment, targets: Targets, halves: list[Half]) -> Evidence:
    """Stop all bytes in these directions. Connections stay open, and neither end notices."""
    before = dict(await _held_bytes(environment, halves))
    await all_done(
        environment.links.add_toxic(
            link.name, f"{targets.label}_{stream}", kind="timeout", stream=stream, attributes={"timeout": 0}
        )
        for link, stream in halves
    )
    return Evidence(acted=None, text="", readings=before)


async def restore(environment: Environment, targets: Targets, halves: list[Half], injected: Evidence) -> Evidence:
    """Remove the toxics, which closes the connections that they held. Their bytes never arrive, as after a long partition."""
    await all_done(environment.links.remove_toxic(link.name, f"{targets.label}_{stream}") for link, stream in halves)
    if not halves:
        return Evidence(acted=False, text="the target has no links to cut")
    stopped = await _stopped_bytes(environment, halves, injected)
    if not stopped:
        return Evidence(acted=False, text=f"no bytes were stopped on {len(halves)} directions of links")
    listed = ", ".join(f"{name} {bytes_:,.0f}" for name, bytes_ in sorted(stopped.items(), key=lambda item: -item[1])[:4])
    more = f" and {len(stopped) - 4} more" if len(stopped) > 4 else ""
    return Evidence(acted=True, text=f"stopped {sum(stopped.values()):,.0f} bytes: {listed}{more}")


async def _stopped_bytes(environment: Environment, halves: list[Half], injected: Evidence) -> dict[str, float]:
    """The stopped bytes of each direction with any. Toxiproxy counts a connection's bytes only when it ends, a moment after the
    toxic is removed."""
    for _ in range(_LOOKS):
        before = injected.readings
        held = {name: bytes_ - before[name] for name, bytes_ in await _held_bytes(environment, halves) if name in before}
        if stopped := {name: bytes_ for name, bytes_ in held.items() if bytes_ > 0}:
            return stopped
        await asyncio.sleep(_LOOK_AGAIN_S)
    return {}


async def _held_bytes(environment: Environment, halves: list[Half]) -> Iterator[tuple[str, float]]:
    counters = await environment.links.counters()
    return ((f"{link.name} {stream}", float(counters[link.name].held_bytes(stream))) for link, stream in halves)
