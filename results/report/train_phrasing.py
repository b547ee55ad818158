"""A training script's run in words: the same on the terminal and on its page."""

from __future__ import annotations

from typing import Final

from harness.model.verdict import RunVerdict
from results.analysis.goodput import Phases
from results.record.train_result import TrainResult
from results.report.phrasing import Mark, share

WORDS: Final[dict[RunVerdict, tuple[Mark, str]]] = {
    "pass": ("good", "Pass"),
    "fail": ("bad", "Fail"),
    "slo": ("bad", "SLO missed"),
    "unknown": ("open", "Unknown"),
}

_COLOURS: Final = ("ok", "failed", "unknown", "p50")


def colour_of(rank: int) -> str:
    """The colour token of a rank's steps; ranks beyond the fourth share colours."""
    return _COLOURS[rank % len(_COLOURS)]


def figures(result: TrainResult) -> list[tuple[str, str]]:
    """The key figures, each with its name."""
    metrics = result.metrics
    found = [
        ("steps", f"{metrics.steps:,}"),
        ("goodput", share(None if metrics.goodput is None else round(metrics.goodput, 4))),
        ("ETTR", share(None if metrics.ettr is None else round(metrics.ettr, 4))),
        ("lost steps", f"{metrics.lost_steps:,}"),
        ("replayed", f"{metrics.replayed_steps:,}"),
    ]
    if metrics.replayed_steps:
        found.append(("of those equal", f"{metrics.replayed_equal:,}"))
    if metrics.bytes_per_step is not None:
        found.append(("bytes a step", f"{metrics.bytes_per_step:,.0f}"))
    return found


def phase_names() -> tuple[str, ...]:
    """The columns of a table of recoveries."""
    return ("fault", "noticed", "restarted", "joined", "first step", "caught up")


def phase_cells(one: Phases) -> tuple[str, ...]:
    """A recovery as a row of the table with the columns `phase_names`."""
    times = (one.noticed_s, one.restarted_s, one.joined_s, one.first_step_s, one.caught_up_s)
    return (one.window, *("–" if seconds is None else f"{seconds:.3f} s" for seconds in times))
