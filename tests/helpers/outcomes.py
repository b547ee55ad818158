"""Made-up nights, as a history holds them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from harness.model.verdict import RunVerdict
from results.analysis.judge import SLOResult
from results.trends.judging import judge
from results.trends.nightly import Nightly
from results.trends.nights import Night, RunOutcome
from results.trends.series import Better, Metric, Point, Series

DRILL = "quorum/healthy"
SLO = "p99 < 50ms"
HOSTILE = "<script>alert(1)</script> & 'quotes'"
"""A text that is to be shown as a text."""
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
    not_counted: str = "",
) -> RunOutcome:
    """A run with one SLO, which it met by default."""
    return RunOutcome(
        drill=drill,
        definition=definition,
        seed=seed,
        verdict=verdict,
        as_expected=verdict == "pass" if as_expected is None else as_expected,
        why=why,
        not_counted=not_counted,
        slos=(SLOResult(text=SLO, value=20.0 if slo else 60.0, ok=slo, why="observed"),),
        run_dir=run_dir,
    )


def missed(*, seed: int = 1, why: str = f"{SLO}: observed 60ms", run_dir: str = "") -> RunOutcome:
    """A run that missed its SLO."""
    return run("slo", seed=seed, slo=False, why=why, run_dir=run_dir)


def night(
    number: int, *runs: RunOutcome, commit: str = "abc123", facts: dict[str, str] | None = None, broke_off: str = ""
) -> Night:
    """The night this many days after the first."""
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


def figures(values: Iterable[float], *, name: str = "p50", unit: str = "ms", drill: str = DRILL, first: int = 0) -> Series:
    """A metric of one run in each of several nights, which begin with night number `first`."""
    points = []
    for number, value in enumerate(values, start=first):
        of = night(number)
        points.append(Point(night=of.name, began_utc=of.began_utc, commit=of.commit, values=(value,)))
    better: Better = "higher" if unit in ("", "1/s") else "lower"
    return Series(drill=drill, metric=Metric(name=name, unit=unit, better=better), baseline=f"b{first}", points=tuple(points))


def steady(count: int, level: float = 3.0) -> list[float]:
    """Values around a level, the same each time."""
    return [level * (1 + (number * 7 % 5 - 2) / 200) for number in range(count)]


def moved() -> Nightly:
    """Thirteen nights; in the last one a figure moved, and the run could not be judged."""
    history = nights([[run()]] * 12 + [[run("unknown", why=f"generator_kept_up: late {HOSTILE}")]])
    series = [figures([*steady(12), 13.0]), figures(steady(13, 0.99), name="availability", unit="")]
    return Nightly(nights=history, findings=judge(series))
