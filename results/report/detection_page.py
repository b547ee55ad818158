"""A detection matrix as one HTML page that needs nothing else: no network, no server, no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from results.record.detection import Detection, MatrixRow, Trial
from results.report.assets import render_template, write_page
from results.report.detection_phrasing import (
    interval,
    outcome,
    row_mark,
    share_of,
    simulated,
    surprises,
    trial_mark,
    verdict,
    who,
)
from results.report.phrasing import Mark, conjoined


@dataclass(frozen=True, kw_only=True)
class _Seed:
    """One run in a row's strip; it has no mark if it was not made."""

    mark: Mark | None
    title: str


@dataclass(frozen=True, kw_only=True)
class _Row:
    mark: Mark
    bug: str | None
    what: str
    caught_by: str | None
    share: str
    interval: str
    low: float
    high: float
    at: float | None
    """The observed share in percent; None if no run could be judged."""
    seeds: list[_Seed]
    simulated: str


@dataclass(frozen=True, kw_only=True)
class _Drill:
    name: str
    lacks: str | None
    rows: list[_Row]


@dataclass(frozen=True, kw_only=True)
class _System:
    name: str
    drills: list[_Drill]


@dataclass(frozen=True, kw_only=True)
class _Surprise:
    mark: Mark
    outcome: str
    who: str
    why: str
    rerun: str
    run_dir: str | None


@dataclass(frozen=True, kw_only=True)
class _Page:
    """Everything that the template lays out."""

    title: str
    subtitle: str
    mark: Mark
    verdict: str
    again: str
    systems: list[_System]
    surprises: list[_Surprise]
    facts: list[tuple[str, str]]


def write_detection_page(detection: Detection, out: Path) -> None:
    """Write the page. Raises `HarnessError` if it cannot be written."""
    write_page(render_template("detection.html", page=_page(detection)), out)


def _page(detection: Detection) -> _Page:
    systems = [
        _System(
            name=system,
            drills=[_drill(name, list(rows), detection.seeds) for name, rows in groupby(rows_of, lambda row: row.drill)],
        )
        for system, rows_of in groupby(detection.rows, lambda row: row.system)
    ]
    marks: dict[int, Mark] = {0: "good", 1: "bad"}
    machine = detection.conditions.machine
    return _Page(
        title=f"Which known bugs of {conjoined([system.name for system in systems])} are caught",
        subtitle=f"{detection.finished_utc} · seeds {_range(detection.seeds)} · commit {detection.commit or 'unknown'}",
        mark=marks.get(detection.exit_code, "open"),
        verdict=verdict(detection),
        again=detection.again,
        systems=systems,
        surprises=[_surprise(trial) for trials in surprises(detection) for trial in trials],
        facts=[
            ("machine", f"{machine.cpu}, {machine.cores} cores, {machine.memory_gib:g} GiB, Linux {machine.kernel}"),
            ("Python", machine.python),
            ("packages", ", ".join(f"{name} {version}" for name, version in detection.conditions.versions.items())),
            ("fault plane", detection.conditions.fault_plane),
            ("code", detection.conditions.code),
        ],
    )


def _drill(name: str, rows: Sequence[MatrixRow], seeds: Sequence[int]) -> _Drill:
    return _Drill(name=name, lacks=rows[0].lacks, rows=[_row(row, seeds) for row in rows])


def _row(row: MatrixRow, seeds: Sequence[int]) -> _Row:
    by_seed = {trial.seed: trial for trial in row.trials}
    return _Row(
        mark=row_mark(row),
        bug=row.bug,
        what=row.what,
        caught_by=row.caught_by,
        share=share_of(row),
        interval=interval(row),
        low=round(row.low * 100, 1),
        high=round(row.high * 100, 1),
        at=round(row.alarms / row.decided * 100, 1) if row.decided else None,
        seeds=[_seed(seed, by_seed.get(seed)) for seed in seeds],
        simulated=simulated(row),
    )


def _seed(seed: int, trial: Trial | None) -> _Seed:
    if trial is None:
        return _Seed(mark=None, title=f"seed {seed}: not run")
    return _Seed(mark=trial_mark(trial), title=f"seed {seed}: {outcome(trial)}")


def _surprise(trial: Trial) -> _Surprise:
    return _Surprise(
        mark=trial_mark(trial),
        outcome=outcome(trial),
        who=who(trial),
        why=trial.why,
        rerun=trial.rerun,
        run_dir=trial.run_dir,
    )


def _range(seeds: Sequence[int]) -> str:
    if not seeds:
        return "none"
    return str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
