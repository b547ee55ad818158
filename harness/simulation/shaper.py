"""A rate limit at one end of a simulated host's cable: a token bucket with a queue, as tc-tbf(8) is."""

from __future__ import annotations

from typing import Final, Literal

CableEnd = Literal["out", "in"]
ENDS: Final[tuple[CableEnd, CableEnd]] = ("out", "in")

_BURST_S: Final = 0.01
"""What it sends within this time goes at once."""

_QUEUE_S: Final = 0.2
"""What would wait for longer in the queue is lost."""

_AGAIN_S: Final = 0.2
"""What was lost is sent again after so long: TCP's least retransmission timeout on Linux."""


class Shaper:
    """See the module. Times are seconds of the world's clock."""

    def __init__(self) -> None:
        self.bytes_per_s = 0.0
        self.bytes = 0
        self.overlimits = 0
        """How often something had to wait."""
        self.drops = 0
        self._free_s = 0.0
        """When all that was sent so far has gone."""

    def passed_s(self, at_s: float, size: int) -> float:
        """When so many bytes have gone that come to it at a time."""
        while self._free_s - at_s > _QUEUE_S:
            self.drops += 1
            at_s += _AGAIN_S
        self.overlimits += self._free_s - at_s > _BURST_S
        self.bytes += size
        self._free_s = max(self._free_s, at_s) + size / self.bytes_per_s
        return max(at_s, self._free_s - _BURST_S)
