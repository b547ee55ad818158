"""The judged nights as JSON for programs: what `--json` writes."""

from __future__ import annotations

from typing import Final

import msgspec

from results.report.nightly_phrasing import change_sentence, summary, title
from results.trends.aa_nights import AANights
from results.trends.calibration import Calibration
from results.trends.findings import Finding, Judged, Kind
from results.trends.nightly import Nightly
from results.trends.nights import RunOutcome
from results.trends.slo_budget import Budget

VERSION: Final = 1
"""The version of this format."""


class ChangeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that moved, in its unit. `effect` and `interval` are relative: 0.05 is 5 % more; null if it was 0 before."""

    drill: str
    metric: str
    unit: str
    kind: Kind
    worse: bool
    before: float
    after: float
    effect: float
    interval: tuple[float, float]
    since_night: str
    certain_night: str
    new: bool
    """Whether the last night made it certain."""
    sentence: str


class FigureRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of the last night, with the smallest relative changes that would be found; None if not known, or if it is 0."""

    drill: str
    metric: str
    unit: str
    nights: int
    smallest_in_five_nights: float | None
    smallest_in_one_night: float | None
    notes: tuple[str, ...]


class FlakyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A drill that passed and failed at one commit."""

    drill: str
    runs: int
    failed: int
    rate: float
    interval: tuple[float, float]
    commits: tuple[str, ...]
    last_night: str


class FalseAlarms(msgspec.Struct, frozen=True, kw_only=True):
    """False alarms in nights in random orders, in which nothing can have changed."""

    alarmed_nights: int
    nights: int
    figures: int
    interval: tuple[float, float]
    """The 95 % interval of the share of nights with a false alarm."""


class AARecord(msgspec.Struct, frozen=True, kw_only=True):
    """What `harness nightly --calibrate` measured, with the last night's baselines."""

    nights: int
    last_utc: str
    false_alarms: FalseAlarms
    figures: tuple[FigureRecord, ...]


class NightlyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the last night, compared with the nights before it."""

    version: int = VERSION
    exit_code: int
    title: str
    summary: str
    night: str
    began_utc: str
    commit: str
    nights: int
    state: str
    why: str
    """Why it broke off; empty if it did not, or if that is not known."""
    not_as_expected: tuple[RunOutcome, ...]
    """Runs of the last night."""
    not_compared: tuple[RunOutcome, ...]
    """A run of each drill of the last night that was judged, but has no figures that count."""
    changes: tuple[ChangeRecord, ...]
    """All changes in the history, the latest first."""
    figures: tuple[FigureRecord, ...]
    budgets: tuple[Budget, ...]
    flaky: tuple[FlakyRecord, ...]
    correction: str
    false_alarms: FalseAlarms | None
    """In the nights of this history; None if they were not measured."""
    aa: AARecord | None = None
    """None if there is none."""


def record_of(nightly: Nightly) -> NightlyRecord:
    new = {id(change) for change in nightly.new}
    return NightlyRecord(
        exit_code=nightly.exit_code,
        title=title(nightly),
        summary=summary(nightly),
        night=nightly.last.name,
        began_utc=nightly.last.began_utc.isoformat(),
        commit=nightly.last.commit,
        nights=len(nightly.nights),
        state=nightly.last.state,
        why=nightly.last.why,
        not_as_expected=tuple(run for run in nightly.last.runs if not run.as_expected),
        not_compared=tuple(nightly.not_counted),
        changes=tuple(_change(change, new=id(change) in new) for change in nightly.findings.changes),
        figures=tuple(map(_figure, nightly.measured)),
        budgets=nightly.budgets,
        flaky=tuple(
            FlakyRecord(
                drill=one.drill,
                runs=one.runs,
                failed=one.failed,
                rate=one.rate,
                interval=one.interval,
                commits=one.commits,
                last_night=one.last_night,
            )
            for one in nightly.flaky
        ),
        correction=nightly.findings.correction,
        false_alarms=None if nightly.calibration is None else _false_alarms(nightly.calibration),
        aa=None if nightly.aa is None else _aa(nightly.aa),
    )


def encode(record: NightlyRecord) -> bytes:
    """As indented JSON."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def _figure(judged: Judged) -> FigureRecord:
    return FigureRecord(
        drill=judged.series.drill,
        metric=judged.series.metric.name,
        unit=judged.series.metric.unit,
        nights=len(judged.series.points),
        smallest_in_five_nights=judged.smallest,
        smallest_in_one_night=judged.smallest_at_once,
        notes=judged.notes,
    )


def _aa(aa: AANights) -> AARecord:
    return AARecord(
        nights=aa.nights,
        last_utc=aa.last_utc.isoformat(),
        false_alarms=_false_alarms(aa.calibration),
        figures=tuple(map(_figure, aa.judged)),
    )


def _false_alarms(calibration: Calibration) -> FalseAlarms:
    return FalseAlarms(
        alarmed_nights=calibration.alarmed,
        nights=calibration.nights,
        figures=calibration.series,
        interval=calibration.interval,
    )


def _change(change: Finding, *, new: bool) -> ChangeRecord:
    return ChangeRecord(
        drill=change.series.drill,
        metric=change.series.metric.name,
        unit=change.series.metric.unit,
        kind=change.kind,
        worse=change.worse,
        before=change.before,
        after=change.after,
        effect=change.effect,
        interval=change.interval,
        since_night=change.night,
        certain_night=change.seen,
        new=new,
        sentence=change_sentence(change),
    )
