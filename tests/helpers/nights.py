"""Made-up nights for tests of the history."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from results.analysis.judge import SLOResult
from results.record.nights.database import HistoryDatabase
from results.record.nights.recording import Measured, NightPlan, Recording
from results.record.nights.rows import Measure

P50 = Measure(name="p50", unit="ms", better="lower")
P99 = Measure(name="p99", unit="ms", better="lower")
RATE = Measure(name="rate", unit="1/s", better="higher")
FACTS = {"CPU": "test", "Python": "3.11.7"}
FIRST = datetime(2026, 3, 1, 2, tzinfo=UTC)


def plan(*, day: int = 0, suite: str = "quorum", commit: str = "abc", facts: dict[str, str] | None = None) -> NightPlan:
    return NightPlan(
        suite=suite,
        began_utc=FIRST + timedelta(days=day),
        commit=commit,
        seed=1,
        repeats=1,
        planned=1,
        facts=FACTS if facts is None else facts,
        environment={"rich": "15.0.0"},
    )


def measured(
    drill: str = "quorum/healthy",
    p99_ms: float = 5.0,
    *,
    definition: str = "as it is",
    not_counted: str = "",
    slos: Sequence[SLOResult] = (SLOResult(text="p99 < 50ms", value=5.0, ok=True, why="observed 5 ms"),),
    rate_per_s: float | None = None,
    p50_ms: float | None = None,
    identity: str | None = None,
) -> Measured:
    return Measured(
        drill=drill,
        repeat=1,
        seed=1,
        began_utc=FIRST,
        duration_s=3.0,
        verdict="pass",
        as_expected=True,
        why="",
        not_counted=not_counted,
        slos=tuple(slos),
        figures=(
            (P99, p99_ms),
            *([] if rate_per_s is None else [(RATE, rate_per_s)]),
            *([] if p50_ms is None else [(P50, p50_ms)]),
        ),
        definition=definition,
        rerun=f"harness drill {drill} --seed 1",
        run_folder=f"runs/{drill}/1",
        identity=identity or secrets.token_hex(),
    )


def begin(recording: Recording, drill: str = "quorum/healthy", *, place: int = 0) -> int:
    return recording.begin_run(place=place, drill=drill, repeat=1, seed=1, rerun=f"harness drill {drill} --seed 1", limit_s=60)


def record(database: HistoryDatabase, night: NightPlan, runs: Sequence[Measured]) -> Recording:
    """A whole night."""
    recording = Recording(database, night)
    for place, run in enumerate(runs):
        number = begin(recording, run.drill, place=place)
        recording.end_run(number, run)
    recording.complete()
    return recording
