"""When calls are made: open loop, on a schedule that does not depend on the answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from harness.model.errors import UsageError
from harness.model.shapes import Shape
from harness.model.system import Address

NEVER_SENT: Final = "not sent: every client was busy until the load ended"
"""The error of a call that fell due and waited for a client to the end; it has failed, since it had no effect."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """When calls are made: open loop. `rate` calls a second fall due on a schedule that does not depend on the answers."""

    rate: float
    seconds: float
    clients: int = 10
    """Calls in flight at most. A call that falls due while all clients are busy waits; its latency counts from its due time."""
    arrivals: Literal["constant", "poisson"] = "poisson"
    shape: Shape | None = None
    """How the rate changes, in multiples of `rate`: `Ramp`, `Steps`, `Spikes`, `Diurnal`, `Replay`. None: it does not."""
    timeout_ms: float = 1000.0
    """A call without an answer is given up after this long; its outcome is unknown."""
    sticky: bool = False
    """Each client reaches only one entry node: the first client the first node, and so on in turn. Shows what users near one
    node see, who cannot turn to another."""

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
        if self.clients != int(self.clients):
            raise UsageError(f"Load(clients={self.clients}): must be a whole number.")
        shape: object = self.shape
        if not isinstance(shape, Shape | None):
            kinds = ", ".join(f"{kind.__name__}(…)" for kind in get_args(Shape))
            raise UsageError(f"Load(shape={shape!r}): that is no shape. Those of harness.model.shapes are {kinds}.")
        if self.arrivals not in ("constant", "poisson"):
            raise UsageError(f"Load(arrivals={self.arrivals!r}): no such arrival process. Use 'constant' or 'poisson'.")
