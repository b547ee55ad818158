"""What faults of a node's clock have in common: a deviation on its control page, and looks at what the clock then shows."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from faults import _steered
from harness.cluster.background import over_within
from harness.cluster.fake_clocks import EVERY_S, FakeClock
from harness.cluster.steering import Steering
from harness.http.client import HttpClient
from harness.http.message import TransportError
from harness.model.errors import FaultError, UsageError
from harness.model.fault import Evidence, Fault, Targets
from harness.model.system import HasClock, System
from harness.node.control import Counter, Term

if TYPE_CHECKING:
    from harness.cluster.cluster import Cluster

MAX_MS: Final = 10 * 365 * 86400e3
"""Ten years."""

_TIMEOUT_S: Final = 1.0

_ROUNDED_NS: Final = 1_000_000
"""Of the time that a foreign program tells: redis-server caches and cuts it."""


class _Shown(msgspec.Struct):
    """What a node says of its clock at `/-/node`."""

    time_ns: int


@dataclass(frozen=True)
class _Look:
    """How far a node's clock was from this machine's, to half the time of asking, and whether that is how far it should be."""

    off_ms: float
    as_set: bool


def check(fault: Fault, name: str, value: float, most: float = MAX_MS, *, negative: bool = True) -> None:
    """Raise `UsageError` for a size that does nothing or makes no sense."""
    if not (math.isfinite(value) and 0.001 <= abs(value) <= most and (negative or value > 0)):
        either = ", either way" if negative else ""
        raise UsageError(f"{type(fault).__name__}({name}={value!r}): between 0.001 and {most:g}{either}.")


def check_targets(fault: Fault, system: System) -> None:
    """Raise `UsageError` where a fault may hit a foreign program whose clock cannot be made wrong, or cannot be asked."""
    for node in _steered.foreign_targets(fault, system):
        named = f"{type(fault).__name__}({fault.target!r}): {node.name} is a foreign program, whose clock"
        if not node.fake_clock:
            raise UsageError(f"{named} is its own. Give the node fake_clock=True, or aim at one that has code=.")
        if not isinstance(system, HasClock):
            raise UsageError(f"{named} nobody can ask. Give {type(system).__name__} a method `time_ns`.")


async def begin(cluster: Cluster, targets: Targets, term: Term) -> Evidence:
    """Have every target's clock deviate, and look at it."""
    clocks = {name: cluster.clock(name) for name in targets.nodes}
    reads = {name: float(each.count(Counter.CLOCK_READS)) for name, each in clocks.items() if isinstance(each, Steering)}
    for each in clocks.values():
        each.deviate(targets.label, term)
    if fake := [each for each in clocks.values() if isinstance(each, FakeClock)]:
        cluster.background.begin(targets.label, lambda over: _keep_writing(fake, over))
    looks = {name: await _look(cluster, name) for name in targets.nodes}
    # Without an answer now there may be one at the end.
    acted = True if all(look is not None and look.as_set for look in looks.values()) else None
    return Evidence(acted=acted, text=_told("begin", looks), readings=reads)


async def end(cluster: Cluster, targets: Targets, injected: Evidence) -> Evidence:
    """Look at the clocks once more, put them right, and tell how often the nodes' own code read them."""
    looks = {name: await _look(cluster, name) for name in targets.nodes}
    told = [injected.text, _told("end", looks)]
    await cluster.background.end(targets.label)
    for name in targets.nodes:
        clock = cluster.clock(name)
        clock.end_deviation(targets.label)
        if isinstance(clock, FakeClock):
            clock.write(time.monotonic_ns())
        else:
            reads = clock.count(Counter.CLOCK_READS) - injected.readings.get(name, clock.count(Counter.CLOCK_READS))
            told.append(f"{name} read it {reads:g} times")
    acted = injected.acted or all(look is not None and look.as_set for look in looks.values())
    return Evidence(acted=acted, text="; ".join(filter(None, told)))


async def _keep_writing(clocks: Sequence[FakeClock], over: asyncio.Event) -> Evidence:
    """What a window does that has foreign programs' clocks run fast or jump."""
    while not await over_within(over, EVERY_S):
        for clock in clocks:
            clock.write(time.monotonic_ns())
    return Evidence(acted=None, text="")


async def _look(cluster: Cluster, name: str) -> _Look | None:
    """None where the node does not answer: it is down, or stands still, by another fault's doing."""
    clock = cluster.clock(name)
    asked_ns, lower = time.time_ns(), clock.deviation_ns(time.monotonic_ns())
    try:
        shown_ns = await _shown_ns(cluster, name)
    except (OSError, TransportError):
        return None
    answered_ns, upper = time.time_ns(), clock.deviation_ns(time.monotonic_ns())
    rounded_ns = _ROUNDED_NS if isinstance(clock, FakeClock) else 0
    return _Look(
        off_ms=(shown_ns - (asked_ns + answered_ns) / 2) / 1e6,
        as_set=asked_ns + min(lower, upper) - rounded_ns <= shown_ns <= answered_ns + max(lower, upper) + rounded_ns,
    )


async def _shown_ns(cluster: Cluster, name: str) -> int:
    if cluster.nodes[name].code is None:
        if not isinstance(cluster.system, HasClock):
            raise FaultError(f"{name} cannot be asked its time: give {type(cluster.system).__name__} a method `time_ns`")
        async with asyncio.timeout(_TIMEOUT_S):  # its end is an OSError
            return await cluster.system.time_ns(cluster.address(name))
    client = HttpClient(cluster.address(name))
    try:
        return (await client.request("GET", "/-/node", timeout_s=_TIMEOUT_S)).decode(_Shown).time_ns
    finally:
        client.close()


def _told(when: str, looks: dict[str, _Look | None]) -> str:
    return ", ".join(
        f"{name} did not say its time at the {when}"
        if look is None
        else f"{name}'s clock {look.off_ms:+.1f} ms at the {when}{'' if look.as_set else ', which is not what was set'}"
        for name, look in looks.items()
    )
