"""How far the judgement of nights on this machine can be trusted, in words: how often it is wrong, what change it finds."""

from __future__ import annotations

from collections.abc import Iterator

from results.report.nightly_phrasing import reach_sentence, two_digits
from results.report.phrasing import count
from results.trends.aa_nights import AANights
from results.trends.calibration import Calibration
from results.trends.nightly import Nightly


def trust(nightly: Nightly) -> str:
    """What every report says about how far to trust it; empty if that was not measured."""
    return " ".join(_sentences(nightly))


def aa_sentence(aa: AANights) -> str:
    """The result of nights with the same code."""
    return (
        f"Measured by {count(aa.nights, 'night')} in a row with the same code, the last on {aa.last_utc:%Y-%m-%d}:"
        f" {_false_alarms(aa.calibration)}. {reach_sentence(aa.judged)}"
    )


def _sentences(nightly: Nightly) -> Iterator[str]:
    own = nightly.calibration
    if own is not None and own.nights:
        shuffled = "Measured on this history, its nights put into random orders, in which nothing can have changed"
        yield f"{shuffled}: {_false_alarms(own)}."
    if nightly.aa is not None:
        yield aa_sentence(nightly.aa)
    elif own is not None and not own.nights:
        yield (
            "How often a comparison raises a false alarm on this machine is not known: there are too few nights."
            " `harness nightly --calibrate` measures it at once."
        )


def _false_alarms(calibration: Calibration) -> str:
    """How many false alarms there were in nights in which nothing can have changed."""
    low, high = (f"{two_digits(bound * 100)} %" for bound in calibration.interval)
    return (
        f"{count(calibration.alarmed, 'false alarm')} in {count(calibration.nights, 'night')} of"
        f" {count(calibration.series, 'figure')} together, {low} to {high} of the nights with a confidence of 95 %"
    )
