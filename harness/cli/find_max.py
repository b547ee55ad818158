"""Finds the highest sustainable rate: doubles until a rate fails, then bisects. Pure: the caller makes the load."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from results.analysis.load_judge import Counted
from results.record.load_result import LoadStep, StepOutcome

_PRECISION: Final = 1.05
_LEAST_PER_S: Final = 1.0
_GROWTH: Final = 1.5
_SLACK_NS: Final = 1e6
_MOST_RATES: Final = 40
_TRIES: Final = 3
"""A rate is retried until a majority of tries decides: one bad moment of the machine is not the server's limit."""


def steps(probe: Callable[[float], LoadStep], start_per_s: float) -> Iterator[LoadStep]:
    """Try rates, each once the previous outcome is known, until the bounds are within 5%.

    A rate that holds is not retried; one that does not is, and counts as held if two of three tries held.
    """
    held, missed, rate = 0.0, 0.0, start_per_s
    for _ in range(_MOST_RATES):
        tries: list[LoadStep] = []
        while not _decided(tries):
            tries.append(probe(rate))
            yield tries[-1]
        if _holds(tries):
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


def _decided(tries: Sequence[LoadStep]) -> bool:
    held = sum(step.outcome == "held" for step in tries)
    return (held, len(tries)) == (1, 1) or held >= 2 or len(tries) - held >= 2 or len(tries) >= _TRIES


def _holds(tries: Sequence[LoadStep]) -> bool:
    return 2 * sum(step.outcome == "held" for step in tries) > len(tries)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A search's result: the highest rate that held, None if none did, and what limited it."""

    rate_per_s: float | None
    limit: Literal["server", "generator"] | None
    why: str


def found(tried: Sequence[LoadStep]) -> Found:
    """The result of the tries."""
    by_rate: dict[float, list[LoadStep]] = {}
    for step in tried:
        by_rate.setdefault(step.rate_per_s, []).append(step)
    held = max((rate for rate, tries in by_rate.items() if _holds(tries)), default=None)
    above = min((rate for rate, tries in by_rate.items() if not _holds(tries) and rate > (held or 0.0)), default=None)
    words = "no rate held" if held is None else f"{held:,.0f}/s held"
    if above is None:
        return Found(rate_per_s=held, limit=None, why=f"{words}; the search ended before a higher one was tried")
    tries = by_rate[above]
    outcomes: list[StepOutcome] = [step.outcome for step in tries if step.outcome != "held"]
    last = next(step for step in reversed(tries) if step.outcome != "held")
    if outcomes.count("generator") * 2 >= len(outcomes):
        advice = "the limit was the generator, not the server; add --processes if there are free cores"
        return Found(rate_per_s=held, limit="generator", why=f"{words}; at {above:,.0f}/s {advice}")
    if "unclear" in outcomes and not {"missed", "unsteady"} & set(outcomes):
        return Found(rate_per_s=held, limit=None, why=f"{words}; {above:,.0f}/s is undecided: {last.why}")
    return Found(rate_per_s=held, limit="server", why=f"{words}; at {above:,.0f}/s the limit was the server: {last.why}")


def steady(first: Counted, second: Counted) -> bool:
    """Whether a step's second half was like its first: above a server's capacity, its queue grows.

    This compares medians, since tails differ by chance: growth by half, and by over a millisecond, is a queue.
    """
    before, after = first.latency.percentile_ns(50), second.latency.percentile_ns(50)
    return before is None or after is None or after <= before * _GROWTH + _SLACK_NS
