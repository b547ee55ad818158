"""The highest rate that holds: doubled until it does not, then halved between. Pure: whoever calls makes the load."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from results.record.load_result import Counted

Outcome = Literal["held", "missed", "unsteady", "generator", "unclear"]
"""It held; an SLO was missed; the queue grew all the while; the generator was the limit; it cannot be told."""

_PRECISION: Final = 1.05
_LEAST_PER_S: Final = 1.0
_GROWTH: Final = 1.5
_SLACK_NS: Final = 1e6
_MOST_STEPS: Final = 40


@dataclass(frozen=True, kw_only=True)
class Step:
    rate_per_s: float
    outcome: Outcome


def steps(probe: Callable[[float], Outcome], start_per_s: float) -> Iterator[Step]:
    """Try rates, each as soon as the last one's outcome is known, until the bounds are within 5%."""
    held, missed, rate = 0.0, 0.0, start_per_s
    for _ in range(_MOST_STEPS):
        outcome = probe(rate)
        yield Step(rate_per_s=rate, outcome=outcome)
        if outcome == "held":
            held = rate
        else:
            missed = rate
        if (held and missed and missed <= held * _PRECISION) or (not held and rate <= _LEAST_PER_S):
            return
        if not missed:
            rate = held * 2
        elif not held:
            rate = max(missed / 2, _LEAST_PER_S)
        else:
            rate = (held + missed) / 2


def steady(first: Counted, second: Counted) -> bool:
    """Whether a step's second half was like its first: a rate above what a server carries shows as a queue that grows.

    The medians are compared, since a tail differs by chance: growth by half, and by over a millisecond, is a queue.
    """
    before, after = first.latency.percentile_ns(50), second.latency.percentile_ns(50)
    return before is None or after is None or after <= before * _GROWTH + _SLACK_NS
