"""When calls are made: at a rate fixed beforehand, whatever the answers do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.model.errors import UsageError
from harness.model.shapes import Shape
from harness.model.system import Address


@dataclass(frozen=True, kw_only=True)
class Load:
    """When it is asked: open loop. `rate` calls a second fall due on a schedule fixed beforehand, whatever the answers do."""

    rate: float
    seconds: float
    clients: int = 10
    """Calls in flight at most; one that falls due while all are busy waits, and its latency counts from when it was due."""
    arrivals: Literal["constant", "poisson"] = "poisson"
    shape: Shape | None = None
    """How the rate changes, in multiples of `rate`: `Ramp`, `Steps`, `Spikes`, `Diurnal`, `Replay`. None: it does not."""
    timeout_ms: float = 1000.0
    """After this long without an answer a call is given up, its fate unknown."""
    sticky: bool = False
    """Each client reaches one entry node and no other: the first client the first node, and so on in turn. Shows what users
    near one node see, whom no other node helps."""

    def reached(self, client: int, entries: Mapping[str, Address]) -> Mapping[str, Address]:
        """The entry nodes that a client may ask."""
        if not self.sticky:
            return entries
        name = list(entries)[client % len(entries)]
        return {name: entries[name]}

    def __post_init__(self) -> None:
        for name in ("rate", "seconds", "clients", "timeout_ms"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
                raise UsageError(f"Load({name}={value!r}): must be a number above 0.")
        if self.arrivals not in ("constant", "poisson"):
            raise UsageError(f"Load(arrivals={self.arrivals!r}): no such arrival process. Use 'constant' or 'poisson'.")
