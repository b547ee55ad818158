"""A rate limit at one end of a simulated host's cable: a token bucket with a queue, like tc-tbf(8)."""

from __future__ import annotations

from typing import Final, Literal

CableEnd = Literal["out", "in"]
ENDS: Final[tuple[CableEnd, CableEnd]] = ("out", "in")

_BURST_S: Final = 0.01
"""The burst, as the time that it takes at the limited rate; it passes at once …"""
_LEAST_BURST_BYTES: Final = 4096
"""… and the least that it is: see `harness.cluster.network_namespaces`."""

_QUEUE_S: Final = 0.2
"""The queue holds what passes in this time, and one burst more, as tc reckons it. Other packets are lost."""

_AGAIN_S: Final = 0.2
"""Lost packets are sent again after this: TCP's least retransmission timeout on Linux."""


class Shaper:
    """See the module. Times are seconds of the world's clock."""

    def __init__(self) -> None:
        self.bytes_per_s = 0.0
        self.bytes = 0
        self.overlimits = 0
        """The number of packets that had to wait."""
        self.drops = 0
        self._free_s = 0.0
        """The time when everything sent so far has passed."""

    def passed_s(self, at_s: float, size: int) -> float:
        """The time when `size` bytes have passed that arrive at `at_s`."""
        burst_s = max(_BURST_S, _LEAST_BURST_BYTES / self.bytes_per_s)
        while self._free_s - burst_s - at_s > _QUEUE_S + burst_s:
            self.drops += 1
            at_s += _AGAIN_S
        self.bytes += size
        self._free_s = max(self._free_s, at_s) + size / self.bytes_per_s
        waits_s = self._free_s - burst_s - at_s
        self.overlimits += waits_s > 0
        return at_s + max(0.0, waits_s)
