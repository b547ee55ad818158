"""Shared parts of clock faults: set a clock's error, and look at what the clock then shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from faults import _steered
from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Fault
from harness.model.steering import Term
from harness.model.system import HasClock, System

MAX_MS: Final = 10 * 365 * 86400e3
"""Ten years."""


@dataclass(frozen=True)
class _Look:
    """The offset of a node's clock from this machine's, to within half the round trip, and whether it is the offset set."""

    off_ms: float
    as_set: bool
    as_ever: bool
    """Whether a right clock would show the same."""


def check(fault: Fault, name: str, value: float, most: float = MAX_MS, *, negative: bool = True) -> None:
    """Raise `UsageError` for a value that does nothing or makes no sense."""
    if not (math.isfinite(value) and 0.001 <= abs(value) <= most and (negative or value > 0)):
        either = ", either way" if negative else ""
        raise UsageError(f"{type(fault).__name__}({name}={value!r}): must be between 0.001 and {most:g}{either}.")


def check_targets(fault: Fault, system: System) -> None:
    """Raise `UsageError` if a fault may hit a foreign program whose clock cannot be made wrong or read."""
    for node in _steered.foreign_targets(fault, system):
        named = f"{type(fault).__name__}({fault.target!r}): {node.name} is a foreign program, whose clock"
        if not node.fake_clock:
            raise UsageError(
                f"{named} the harness does not control. Give the node fake_clock=True, or aim at one that has code=."
            )
        if not isinstance(system, HasClock):
            raise UsageError(f"{named} cannot be read. Give {type(system).__name__} a method `time_ns`.")


async def begin(environment: Environment, targets: Targets, term: Term) -> Evidence:
    """Make every target's clock wrong, and look at it."""
    counts = {name: environment.clocks.reads(name) for name in targets.nodes}
    environment.clocks.deviate(targets.label, targets.nodes, term)
    looks = {name: await _look(environment, name) for name in targets.nodes}
    reads = {name: float(count) for name, count in counts.items() if count is not None}
    # A node that does not answer now may still answer at the end, and a clock that has only begun to drift shows it then.
    acted = True if _all_wrong(looks, reads) else None
    return Evidence(acted=acted, text=_told("begin", looks), readings=reads)


async def end(environment: Environment, targets: Targets, injected: Evidence, *, must_be_read: bool) -> Evidence:
    """Look at the clocks once more, set them right, and report how often the nodes' own code read them.

    If they `must_be_read`, the fault has not acted if some target's code never did, as far as that is counted.
    """
    looks = {name: await _look(environment, name) for name in targets.nodes}
    told = [injected.text, _told("end", looks)]
    await environment.clocks.end_deviation(targets.label, targets.nodes)
    reads = {name: (environment.clocks.reads(name) or 0) - before for name, before in injected.readings.items()}
    met = all(reads.values()) or not must_be_read
    told += [
        f"{name} read it {count:g} times{'' if count or met else ', so it met nothing there'}" for name, count in reads.items()
    ]
    wrong = injected.acted or _all_wrong(looks, injected.readings)
    return Evidence(acted=wrong and met, text="; ".join(filter(None, told)))


async def _look(environment: Environment, name: str) -> _Look | None:
    """Look at a node's clock; None if the node does not answer, because another fault has killed or stopped it."""
    clocks, resolution_ns = environment.clocks, environment.clocks.resolution_ns(name)
    asked_ns, lower = environment.time_ns(), clocks.deviation_ns(name, environment.monotonic_ns())
    shown_ns = await clocks.shown_ns(name)
    if shown_ns is None:
        return None
    answered_ns, upper = environment.time_ns(), clocks.deviation_ns(name, environment.monotonic_ns())
    least_ns, most_ns = asked_ns - resolution_ns, answered_ns + resolution_ns
    return _Look(
        off_ms=(shown_ns - (asked_ns + answered_ns) / 2) / 1e6,
        as_set=least_ns + min(lower, upper) <= shown_ns <= most_ns + max(lower, upper),
        as_ever=least_ns <= shown_ns <= most_ns,
    )


def _all_wrong(looks: Mapping[str, _Look | None], reads: Mapping[str, float]) -> bool:
    """Whether every clock shows the error that was set. A foreign program, whose reads are not counted, may ignore the library
    that fakes its clock: while a right clock would show the same, it shows nothing of that."""
    return all(look is not None and look.as_set and (name in reads or not look.as_ever) for name, look in looks.items())


def _told(when: str, looks: dict[str, _Look | None]) -> str:
    return ", ".join(
        f"{name} did not say its time at the {when}"
        if look is None
        else f"{name}'s clock {look.off_ms:+.1f} ms at the {when}{'' if look.as_set else ', which is not what was set'}"
        for name, look in looks.items()
    )
