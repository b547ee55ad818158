"""Whether a run met an SLO: yes, no, or unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.model.slo import SLO
from results.analysis.convergence import Convergence
from results.analysis.metrics import Measurements
from results.analysis.recovery import Recovery, within
from results.analysis.sample_sizes import CONFIDENCE, at_least, nearest_rank, samples_needed
from results.analysis.step_measures import StepMeasures

_UNITS: Final = {
    "availability": (100, " %"),
    "goodput": (100, " %"),
    "ettr": (100, " %"),
    "recovery": (1, " s"),
    "convergence": (1, " s"),
    "stall": (1, " s"),
    "rate": (1, "/s"),
    "bytes_per_step": (1, " B"),
}
"""By metric, the factor and the unit with which its values are shown; all others are in milliseconds."""


class SLOResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one SLO: `value` is in the metric's base unit, `ok` is None if it cannot be judged."""

    text: str
    value: float | None
    ok: bool | None
    why: str


def judge(slo: SLO, measured: Measurements) -> SLOResult:
    """Judge one SLO. The rules are in `docs/metrics.md`, under "Judging an SLO"."""
    if slo.metric == "recovery":
        return _judge_recovery(slo, measured.recoveries)
    if slo.metric == "convergence":
        return _judge_convergence(slo, measured.convergences)
    if slo.of_each is not None:
        return _judge_each(slo, *slo.of_each, measured)
    if slo.of_steps:
        return _judge_steps(slo, measured.steps)
    percentile = 100 if slo.metric == "max" else slo.percentile
    if percentile is not None:
        return _judge_latency(slo, percentile, measured)
    value = _value(slo, measured)
    return undecided(slo, "no calls to judge it by") if value is None else observed(slo, value)


def observed(slo: SLO, value: float) -> SLOResult:
    """The result if all that the SLO is about was seen to come to this value."""
    return SLOResult(text=slo.text, value=value, ok=slo.holds(value), why=f"observed {show(slo, value)}")


def undecided(slo: SLO, why: str) -> SLOResult:
    """The result if there is no value."""
    return SLOResult(text=slo.text, value=None, ok=None, why=why)


def undecidable(slos: Sequence[SLO], calls: float, seconds: float, *, faults: bool) -> list[str]:
    """The SLOs that a load of some `calls` calls in `seconds` seconds can hardly meet, whatever the system does: a line each.

    It is worth saying before a run: such an SLO ends unknown or missed.
    """
    lines = []
    for slo in slos:
        at_most = calls + 3 * math.sqrt(calls)  # Poisson arrivals may be as many
        percentile = slo.of_each[1] if slo.of_reads and slo.of_each else slo.percentile
        if percentile is not None and percentile < 100 and (needed := samples_needed(percentile)) > calls:
            times = math.ceil(10 * needed / max(calls, 1)) / 10
            result = "it cannot be held, only missed" if needed > at_most else "it will probably be unknown"
            lines.append(
                f"{slo.text} needs {needed:,} calls and about {calls:,.0f} are planned: {result}."
                f" Raise the rate or the seconds {times:g} times."
            )
        elif slo.metric in ("recovery", "convergence") and not faults:
            lines.append(f"{slo.text} needs a fault to recover from, and none is planned.")
        elif slo.metric in ("rate", "requests") and slo.threshold > at_most / (seconds if slo.metric == "rate" else 1):
            planned = f"{calls / seconds:,.0f}/s" if slo.metric == "rate" else f"{calls:,.0f}"
            lines.append(f"{slo.text} cannot be held: about {planned} are planned.")
    return lines


def show(slo: SLO, value: float) -> str:
    """A value with its unit, for people: "3.14 ms", "99.8 %". Shows more digits if rounding would cross the threshold."""
    if slo.metric in ("requests", "lost_steps") or slo.metric.startswith("versions_behind"):
        return f"{value:,.0f}"
    factor, unit = _UNITS.get(slo.metric, (1, " ms"))
    for digits in range(3, 12):
        text = _digits(value * factor, digits)
        rounded = round(float(text.replace(",", "")) / factor, 12)
        if slo.holds(rounded) == slo.holds(value) and (rounded == 1) == (value == 1):
            return text + unit
    return f"{value * factor}{unit}"


def _digits(number: float, digits: int) -> str:
    short = abs(number) < 1000 - 0.5 * 10 ** (3 - digits)  # what rounds to 1,000 would be a power of ten
    return f"{number:,.{digits}g}" if short else f"{number:,.{digits - 3}f}"


def _value(slo: SLO, measured: Measurements) -> float | None:
    match slo.metric:
        case "availability":
            return measured.availability
        case "rate":
            return measured.rate_per_s if measured.requests else None
        case "requests":
            return float(measured.requests)
    raise ValueError(slo.metric)


def _judge_each(slo: SLO, name: str, percentile: float, measured: Measurements) -> SLOResult:
    reads, steps = measured.staleness, measured.steps
    if name == "step":
        found, noun = np.zeros(0) if steps is None else steps.intervals_ms, "steps"
    else:
        found, noun = np.zeros(0) if reads is None else reads.ms if name == "staleness" else reads.versions, "reads"
    if not len(found):
        why = "no step after another" if noun == "steps" else "no read of which it is known which write it saw"
        return undecided(slo, why)
    return judge_percentile(slo, percentile, found, noun)


def _judge_steps(slo: SLO, steps: StepMeasures | None) -> SLOResult:
    if steps is None or not steps.steps:
        return undecided(slo, "no step was done")
    value = {
        "goodput": steps.goodput,
        "stall": steps.stall_s,
        "lost_steps": float(steps.lost_steps),
        "bytes_per_step": steps.bytes_per_step,
    }[slo.metric]
    if value is None:
        why = {
            "goodput": f"too few clean steps ({steps.clean_intervals}) before the first fault",
            "bytes_per_step": "no bytes were counted on links between the nodes that train",
        }.get(slo.metric, "no step after another")
        return undecided(slo, why)
    return observed(slo, value)


def judge_percentile(slo: SLO, percentile: float, found: NDArray[np.float64], noun: str = "calls") -> SLOResult:
    """The result of a percentile of all samples `found`, which ascend; at least one. That of the maximum needs no more."""
    value, samples = nearest_rank(found, percentile), len(found)
    seen = observed(slo, value)
    if percentile == 100 or samples >= (needed := samples_needed(percentile)):
        return seen
    too_few = f"too few: {samples:,} {noun}, {slo.metric} needs {needed:,}"
    over = samples - int(np.count_nonzero(within(found, slo)))
    if at_least(over, samples, 1 - percentile / 100) < 1 - CONFIDENCE:
        why = f"{seen.why}; {over:,} of only {samples:,} {noun} over the threshold already rule it out"
        return SLOResult(text=slo.text, value=value, ok=False, why=why)
    return SLOResult(text=slo.text, value=value, ok=None, why=f"{too_few}; {seen.why}")


def _judge_latency(slo: SLO, percentile: float, measured: Measurements) -> SLOResult:
    """The result of a latency SLO, from the calls of which it is known whether they took longer than the threshold.

    A call that was cut off sooner says as little of it as a refused one, and is left out. One that timed out or was never
    sent would have taken longer than it was waited for, so too many of these within the threshold leave it unknown.
    """
    if not measured.done:
        return undecided(slo, "no call was done" if measured.requests else "no calls to judge it by")
    outlasted = measured.cut_off_ms[~within(measured.cut_off_ms, slo)]
    known = np.sort(np.concatenate([measured.done_ms, measured.given_up_ms, outlasted]))
    found = judge_percentile(slo, percentile, known)
    open_ended = int(np.count_nonzero(within(measured.given_up_ms, slo)))
    over = len(known) - int(np.count_nonzero(within(known, slo)))
    if found.ok and over + open_ended > round(len(known) * (1 - percentile / 100), 6):
        why = f"{found.why}, but {open_ended:,} calls were given up sooner than that, unanswered"
        found = SLOResult(text=found.text, value=found.value, ok=None, why=why)
    if left_out := len(measured.cut_off_ms) - len(outlasted):
        found = msgspec.structs.replace(found, why=f"{found.why}; without {left_out:,} calls that were cut off sooner")
    return found


def _judge_recovery(slo: SLO, recoveries: tuple[Recovery, ...]) -> SLOResult:
    if not recoveries:
        return undecided(slo, "no fault began while calls were due: nothing to recover from")
    return judge_windows(slo, recoveries, "recovered")


def _judge_convergence(slo: SLO, convergences: tuple[Convergence, ...]) -> SLOResult:
    if not convergences:
        why = "no read after a fault was healed of which it is known which write it saw"
        return undecided(slo, why)
    return judge_windows(slo, convergences, "converged")


def judge_windows(slo: SLO, found: Sequence[Recovery | Convergence], done: str) -> SLOResult:
    """The longest of the windows' times counts; one that was not seen to end took at least as long as it was watched."""
    late = [one for one in found if not slo.holds(one.seconds)]
    censored = [one for one in found if one.censored]
    worst = max(late or censored or found, key=lambda one: one.seconds)
    ok = False if late else None if censored else True
    seconds = show(slo, worst.seconds)
    why = f"not {done} {seconds} after {worst.window}, when watching ended" if worst.censored else f"observed {seconds}"
    if not worst.censored and len(found) > 1:
        why += f", after {worst.window}"
    return SLOResult(text=slo.text, value=max(one.seconds for one in found), ok=ok, why=why)
