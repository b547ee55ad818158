"""The rule of a replica of known capacity: it begins no request whose answer would come after the deadline.

Such work is for nothing, and those who wait behind it come too late in their turn. The client gets 504 either way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_ROUNDING_S: Final = 1e-3
"""The least that a deadline can express."""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """What a replica shows of the requests that it has begun to work on."""

    least_left_s: float
    """The least time that was left until the deadline of one of them; infinite if none had a deadline."""
    service_s: float
    """How long each takes."""


def begun_too_late(shown: Begun) -> str | None:
    """What is wrong, if anything."""
    if shown.least_left_s >= shown.service_s - _ROUNDING_S:
        return None
    return f"it began a request {shown.least_left_s:.4f} s before its deadline, and each takes {shown.service_s:g} s"
