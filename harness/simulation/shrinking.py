"""Makes a failing seed smaller: removes, shortens and simplifies what it adds, as long as it still fails in the same way.

A simulated run repeats exactly, so one run decides whether something smaller still fails. First it removes disturbances and the
drill's own faults, then calls, then unusual properties of the network and the machines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from harness.model.drill import Drill
from harness.model.errors import HarnessError
from harness.run.shrink import fewer, shorter
from harness.simulation.disturbance import Disturbance
from harness.simulation.seed_run import run_seed
from harness.simulation.swarm import Conditions, Swarm

_SHORTEST_S: Final = 0.02
_QUIET_S: Final = 0.6
"""The load continues at least this long after its last disturbance, so that calls can reveal its effects."""


@dataclass(kw_only=True)
class Shrunk:
    """The smallest failing swarm so far."""

    swarm: Swarm
    runs: int = 0


def shrink(name: str, drill: Drill, seed: int, swarm: Swarm, found: Iterable[str], limit_s: float) -> Shrunk:
    """Make a seed's swarm smaller for up to `limit_s`, as long as one of the checks in `found` still fails.

    If it is not the only one, the check that the drill expects to fail does not count: it probably fails anyway.
    """
    wanted, smallest = set(found), Shrunk(swarm=swarm)
    if drill.caught_by is not None:
        wanted = wanted - {drill.caught_by.__name__} or wanted
    until_s = time.monotonic() + limit_s

    def fails(candidate: Swarm) -> bool:
        if time.monotonic() > until_s:
            return False
        smallest.runs += 1
        try:
            outcome = run_seed(name, drill, seed, swarm=candidate).outcome
        except HarnessError:
            return False
        return bool(wanted & set(outcome.found))

    for smaller in _smaller(drill, swarm, fails):
        smallest.swarm = smaller
    return smallest


def _smaller(drill: Drill, swarm: Swarm, fails: Callable[[Swarm], bool]) -> Iterator[Swarm]:
    """Failing swarms, each smaller than the one before."""
    if swarm.plain:  # shrinking changes the times, so judge only checks from here, not SLOs
        swarm = _with(swarm, plain=False)
        if not fails(swarm):
            return
        yield swarm
    if swarm.windows and fails(_with(swarm, windows=False)):
        swarm = _with(swarm, windows=False)
        yield swarm
    base = swarm
    for part in fewer(base.disturbances, lambda part: fails(_with(base, disturbances=part))):
        swarm = _with(base, disturbances=part)
        yield swarm
    base = swarm
    for part in shorter(base.disturbances, lambda part: fails(_with(base, disturbances=part)), _halved):
        swarm = _with(base, disturbances=part)
        yield swarm
    for candidate in _shorter_loads(drill, swarm):
        if not fails(candidate):
            break
        swarm = candidate
        yield swarm
    for name in Conditions.__struct_fields__:
        usual = msgspec.structs.replace(swarm.conditions, **{name: getattr(Conditions(), name)})
        if usual != swarm.conditions and fails(_with(swarm, conditions=usual)):
            swarm = _with(swarm, conditions=usual)
            yield swarm


def _with(swarm: Swarm, **changes: object) -> Swarm:
    return msgspec.structs.replace(swarm, **changes)


def _halved(one: Disturbance) -> Iterator[Disturbance]:
    if one.for_s / 2 >= _SHORTEST_S:
        yield msgspec.structs.replace(one, for_s=round(one.for_s / 2, 4))


def _shorter_loads(drill: Drill, swarm: Swarm) -> Iterator[Swarm]:
    """Shorter and shorter loads, which still cover the drill's own windows and the disturbances."""
    least_s = max((one.at_s + one.for_s + _QUIET_S for one in swarm.disturbances), default=_QUIET_S)
    if swarm.windows:
        least_s = max([least_s, *(item.ends_s(drill.load.seconds) for item in drill.faults)])
    seconds = swarm.seconds or drill.load.seconds
    while (seconds := round((seconds + least_s) / 2, 3)) > least_s + 0.05:
        yield _with(swarm, seconds=seconds)
