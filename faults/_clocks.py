"""What faults of a node's clock have in common: a deviation on its control page, and looks at what the clock then shows."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from harness.control import Counter, Term
from harness.drill import Evidence, Fault, Targets
from harness.errors import UsageError
from harness.wire import Client, WireError

if TYPE_CHECKING:
    from harness.cluster import Cluster

MAX_MS: Final = 10 * 365 * 86400e3
"""Ten years."""

_TIMEOUT_S: Final = 1.0


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


async def begin(cluster: Cluster, targets: Targets, term: Term) -> Evidence:
    """Have every target's clock deviate, and look at it."""
    steering = {name: cluster.steering(name) for name in targets.nodes}
    reads = {name: float(each.count(Counter.CLOCK_READS)) for name, each in steering.items()}
    for each in steering.values():
        each.deviate(targets.label, term)
    looks = {name: await _look(cluster, name) for name in targets.nodes}
    # Without an answer now there may be one at the end.
    acted = True if all(look is not None and look.as_set for look in looks.values()) else None
    return Evidence(acted=acted, text=_told("begin", looks), readings=reads)


async def end(cluster: Cluster, targets: Targets, injected: Evidence) -> Evidence:
    """Look at the clocks once more, put them right, and tell how often the nodes' own code read them."""
    looks = {name: await _look(cluster, name) for name in targets.nodes}
    told = [injected.text, _told("end", looks)]
    for name in targets.nodes:
        steering = cluster.steering(name)
        steering.end_deviation(targets.label)
        reads = steering.count(Counter.CLOCK_READS) - injected.readings.get(name, steering.count(Counter.CLOCK_READS))
        told.append(f"{name} read it {reads:g} times")
    acted = injected.acted or all(look is not None and look.as_set for look in looks.values())
    return Evidence(acted=acted, text="; ".join(filter(None, told)))


async def _look(cluster: Cluster, name: str) -> _Look | None:
    """None where the node does not answer: it is down, or stands still, by another fault's doing."""
    client, steering = Client(cluster.address(name)), cluster.steering(name)
    asked_ns, lower = time.time_ns(), steering.deviation_ns(time.monotonic_ns())
    try:
        reply = await client.request("GET", "/-/node", timeout_s=_TIMEOUT_S)
    except WireError:
        return None
    finally:
        client.close()
    answered_ns, upper = time.time_ns(), steering.deviation_ns(time.monotonic_ns())
    shown_ns = reply.decode(_Shown).time_ns
    return _Look(
        off_ms=(shown_ns - (asked_ns + answered_ns) / 2) / 1e6,
        as_set=asked_ns + min(lower, upper) <= shown_ns <= answered_ns + max(lower, upper),
    )


def _told(when: str, looks: dict[str, _Look | None]) -> str:
    return ", ".join(
        f"{name} did not say its time at the {when}"
        if look is None
        else f"{name}'s clock {look.off_ms:+.1f} ms at the {when}{'' if look.as_set else ', which is not what was set'}"
        for name, look in looks.items()
    )
