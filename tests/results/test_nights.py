"""The history of nights, in SQLite and in PostgreSQL."""

from __future__ import annotations

import multiprocessing
import os
import signal
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

import pytest

from harness.model.errors import UsageError
from results.record.nights.database import BROKE_OFF, HistoryDatabase
from results.record.nights.pruning import prune_nights
from results.record.nights.recording import Recording
from results.record.nights.rows import RecordedRun
from results.record.nights.series import RecordedSeries, recorded_series
from results.trends import recorded
from results.trends.recorded import judged, nights_of, series_of
from tests.helpers.commands import FORKS
from tests.helpers.nights import FIRST, begin, measured, plan, record


def test_what_is_recorded_is_read_back(where: str) -> None:
    with_slo = measured(p99_ms=7.25, rate_per_s=250.0)
    record(HistoryDatabase.open(where, create=True), plan(), [with_slo])
    database = HistoryDatabase.open(where)
    (night,) = database.nights()
    (run,) = database.runs()
    assert (night.name, night.state, night.began_utc, night.commit) == ("20260301T020000Z", "complete", FIRST, "abc")
    assert (run.night, run.drill, run.state, run.verdict, run.counted) == (night.name, "quorum/healthy", "ended", "pass", True)
    assert run.slos == with_slo.slos
    assert database.figures_of(run.id) == {"p99": 7.25, "rate": 250.0}


def test_a_night_that_is_not_over_is_not_judged(where: str) -> None:
    database = HistoryDatabase.open(where, create=True)
    record(database, plan(), [measured()])
    under_way = Recording(database, plan(day=1))
    told = f"Night {under_way.name} of .* cannot be judged: it is begun. Name one that is over."
    with pytest.raises(UsageError, match=told):
        judged(database, last=under_way.name)
    with pytest.raises(UsageError, match="No night called 'x'"):
        judged(database, last="x")
    assert [night.name for night in judged(database).nights] == ["20260301T020000Z"]


def test_a_night_that_ends_while_it_is_read_is_not_judged_by_some_of_its_runs(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = HistoryDatabase.open(where, create=True)
    record(database, plan(), [measured()])
    under_way = Recording(database, plan(day=1))
    under_way.end_run(begin(under_way), measured())
    last, read = begin(under_way, place=1), HistoryDatabase.runs

    def runs(self: HistoryDatabase, *, since: datetime | None = None) -> list[RecordedRun]:
        found = read(self, since=since)
        under_way.end_run(last, measured())
        under_way.complete()
        return found

    monkeypatch.setattr(HistoryDatabase, "runs", runs)
    assert [len(night.runs) for night in nights_of(database)] == [1]
    monkeypatch.undo()
    assert [len(night.runs) for night in nights_of(database)] == [1, 2]


def test_nights_that_are_removed_while_they_are_read_do_no_harm(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = HistoryDatabase.open(where, create=True)
    record(database, plan(), [measured()])

    def removed_after(database: HistoryDatabase, **asked: Any) -> list[RecordedSeries]:
        found = list(recorded_series(database, **asked))
        prune_nights(database, FIRST + timedelta(days=1))
        return found

    monkeypatch.setattr(recorded, "recorded_series", removed_after)
    assert len(series_of(database)) == 1
    assert series_of(database) == []


def test_nights_become_series(where: str) -> None:
    database = HistoryDatabase.open(where, create=True)
    for day in range(3):
        record(database, plan(day=day, commit=f"c{day}"), [measured(p99_ms=10.0 + day), measured(p99_ms=20.0 + day)])
    (series,) = series_of(database)
    assert (series.drill, series.metric.name, series.metric.unit, series.metric.better) == (
        "quorum/healthy",
        "p99",
        "ms",
        "lower",
    )
    assert [point.values for point in series.points] == [(10.0, 20.0), (11.0, 21.0), (12.0, 22.0)]
    assert [point.commit for point in series.points] == ["c0", "c1", "c2"]


def test_another_machine_and_an_edited_drill_are_other_series(where: str) -> None:
    database = HistoryDatabase.open(where, create=True)
    record(database, plan(day=0), [measured()])
    record(database, plan(day=1), [measured(definition="edited")])
    record(database, plan(day=2, facts={"CPU": "another"}), [measured()])
    record(database, plan(day=3), [measured()])
    assert [[point.began_utc.day for point in series.points] for series in series_of(database)] == [[1, 4], [2], [3]]


def test_a_run_that_does_not_count_and_a_night_that_goes_on_are_in_no_series(where: str) -> None:
    database = HistoryDatabase.open(where, create=True)
    record(database, plan(day=0), [measured(not_counted="the generator fell behind"), measured(p99_ms=3.0)])
    going_on = Recording(database, plan(day=1))
    going_on.end_run(begin(going_on), measured(p99_ms=99.0))
    beside = Recording(database, plan(day=2))
    assert beside.warnings == [f"The night {going_on.name} is being recorded on this machine too: each disturbs the other."]
    beside.break_off("interrupted")
    assert [point.values for series in series_of(database) for point in series.points] == [(3.0,)]
    assert [night.state for night in database.nights()] == ["complete", "begun", "broke off"]


def _record_until_killed(where: str, told: Connection) -> None:
    recording = Recording(HistoryDatabase.open(where), plan(day=1))
    recording.end_run(begin(recording, place=0), measured())
    begin(recording, "quorum/isolated", place=1)
    told.send(True)
    signal.pause()


def test_a_night_whose_process_was_killed_broke_off(where: str) -> None:
    database = HistoryDatabase.open(where, create=True)
    record(database, plan(day=0), [measured()])
    hear, tell = multiprocessing.Pipe(duplex=False)
    process = FORKS.Process(target=_record_until_killed, args=(where, tell))
    process.start()
    assert hear.poll(60) and hear.recv()
    assert database.nights()[1].state == "begun"
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    night = database.nights()[1]
    assert (night.state, night.why) == ("broke off", BROKE_OFF)
    assert [(run.drill, run.state, run.why) for run in database.runs(night=night.name)] == [
        ("quorum/healthy", "ended", ""),
        ("quorum/isolated", "broke off", BROKE_OFF),
    ]
    assert [len(series.points) for series in series_of(database)] == [1]
    record(database, plan(day=2), [measured()])  # the next night writes down what became of it
    assert [night.state for night in database.nights()] == ["complete", "broke off", "complete"]


def _record_nights(where: str, writer: int, nights: int) -> None:
    database = HistoryDatabase.open(where, create=True)
    for number in range(nights):
        record(database, plan(commit=f"{writer}/{number}"), [measured(), measured()])


@pytest.mark.slow
def test_two_writers_at_once_lose_nothing(where: str) -> None:
    writers = [FORKS.Process(target=_record_nights, args=(where, writer, 4)) for writer in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    database = HistoryDatabase.open(where)
    nights = database.nights()
    assert {night.commit for night in nights} == {f"{writer}/{number}" for writer in range(2) for number in range(4)}
    assert len({night.name for night in nights}) == 8
    assert {night.state for night in nights} == {"complete"}
    (series,) = series_of(database)
    assert [len(point.values) for point in series.points] == [2] * 8


def test_a_night_after_the_clock_went_back_comes_last_and_says_so(where: str) -> None:
    database = HistoryDatabase.open(where, create=True)
    record(database, plan(day=5, commit="before"), [measured()])
    back = record(database, plan(day=1, commit="back"), [measured()])
    again = record(database, plan(day=2, commit="again"), [measured()])
    assert len(back.warnings) == len(again.warnings) == 1
    assert back.warnings[0].startswith("The clock of this machine went back: an earlier night began at")
    assert [night.commit for night in database.nights()] == ["before", "back", "again"]
    assert [night.began_utc for night in database.nights()] == [FIRST + timedelta(days=day) for day in (5, 1, 2)]


def test_there_is_no_history_yet(where: str) -> None:
    with pytest.raises(UsageError, match=r"no history.*Record a night with `harness nightly`"):
        HistoryDatabase.open(where)
