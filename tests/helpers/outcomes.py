"""Nights as a history holds them, made up."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from harness.model.verdict import RunVerdict
from results.analysis.judge import SLOResult
from results.trends.nights import Night, RunOutcome

DRILL = "quorum/healthy"
SLO = "p99 < 50ms"
FIRST_UTC = datetime(2026, 1, 1, 2, 0, tzinfo=UTC)


def run(
    verdict: RunVerdict = "pass",
    *,
    drill: str = DRILL,
    definition: str = "d1",
    seed: int = 1,
    slo: bool | None = True,
    why: str = "",
    as_expected: bool | None = None,
    run_dir: str = "",
) -> RunOutcome:
    """A run with one SLO, which was met unless said otherwise."""
    return RunOutcome(
        drill=drill,
        definition=definition,
        seed=seed,
        verdict=verdict,
        as_expected=verdict == "pass" if as_expected is None else as_expected,
        why=why,
        slos=(SLOResult(text=SLO, value=20.0 if slo else 60.0, ok=slo, why="observed"),),
        run_dir=run_dir,
    )


def missed(*, seed: int = 1, why: str = f"{SLO}: observed 60ms", run_dir: str = "") -> RunOutcome:
    """A run that missed its SLO."""
    return run("slo", seed=seed, slo=False, why=why, run_dir=run_dir)


def night(
    number: int, *runs: RunOutcome, commit: str = "abc123", facts: dict[str, str] | None = None, broke_off: str = ""
) -> Night:
    """The night so many days after the first."""
    began = FIRST_UTC + timedelta(days=number)
    return Night(
        name=f"{began:%Y-%m-%d}",
        began_utc=began,
        commit=commit,
        state="broke off" if broke_off else "complete",
        why=broke_off,
        facts=tuple((facts or {"CPU": "an abacus", "Python": "3.11.2"}).items()),
        runs=runs,
    )


def nights(runs: Iterable[Iterable[RunOutcome]]) -> list[Night]:
    """One night after the other, each with these runs."""
    return [night(number, *of_night) for number, of_night in enumerate(runs)]
