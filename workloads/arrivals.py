"""When calls fall due: fixed before the run, so that nothing a system does can change what it is asked."""

from __future__ import annotations

from array import array
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.drill import Load


def due_ns(load: Load, random: Random) -> array[int]:
    """Due times in nanoseconds after the load's start, ascending, all before its end."""
    end_ns = round(load.seconds * 1e9)
    if load.arrivals == "constant":
        step_ns = 1e9 / load.rate
        return array("q", (round(number * step_ns) for number in range(round(load.seconds * load.rate))))
    due, at_ns = array("q"), random.expovariate(load.rate) * 1e9
    while at_ns < end_ns:
        due.append(round(at_ns))
        at_ns += random.expovariate(load.rate) * 1e9
    return due
