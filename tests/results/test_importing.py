"""What the history of nights imports: old runs, loads, pytest-benchmark, locust."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from harness.model.errors import UsageError
from harness.run.imports.files import found_in
from results.record.nights.database import HistoryDatabase
from results.record.nights.importing import Imported, take_in
from results.record.result import SIMULATED
from results.record.store import save
from results.trends.recorded import series_of
from tests.helpers.synthetic import concluded, crash

VERSION_1 = Path(__file__).parents[1] / "data" / "run-version-1"


def benchmark_file(folder: Path, number: int, when: str, mean_s: float, commit: str = "c" * 40) -> Path:
    """A file like those of pytest-benchmark 5, without the fields that it does not need for comparing."""
    file = folder / "Linux-CPython-3.11-64bit" / f"{number:04}_x.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    stats = {
        "min": mean_s * 0.9, "max": mean_s * 1.2, "mean": mean_s, "stddev": 0.0, "rounds": 5, "median": mean_s, "iqr": 0.0,
        "q1": mean_s, "q3": mean_s, "iqr_outliers": 0, "stddev_outliers": 0, "outliers": "0;0", "ld15iqr": mean_s,
        "hd15iqr": mean_s, "ops": 1 / mean_s, "total": 5 * mean_s, "iterations": 1,
    }  # fmt: skip
    machine = {
        "node": "runner-17", "processor": "x86_64", "machine": "x86_64", "python_implementation": "CPython",
        "python_implementation_version": "3.11.7", "python_version": "3.11.7", "python_build": ["main", "Jan"],
        "release": "6.1", "system": "Linux", "cpu": {"brand_raw": "Some CPU", "count": 2, "hz_actual": [2_000_000_000, number]},
    }  # fmt: skip
    benchmark = {
        "group": None, "name": "test_it", "fullname": "tests/test_it.py::test_it", "params": None, "param": None,
        "extra_info": {}, "options": {"timer": "perf_counter", "min_rounds": 5}, "stats": stats,
    }  # fmt: skip
    whole = {
        "machine_info": machine, "commit_info": {"id": commit, "dirty": False, "time": "2026-01-01T00:00:00+09:00"},
        "benchmarks": [benchmark], "datetime": when, "version": "5.3.1",
    }  # fmt: skip
    file.write_text(json.dumps(whole))
    return file


def test_old_runs_are_taken_in_once(where: str, tmp_path: Path) -> None:
    history = crash()
    for number in (1, 2):
        result = concluded(history, seed=number, started_utc=f"2026-03-0{number}T23:30:00+00:00", commit=f"c{number}")
        save(tmp_path / "runs" / "drill" / f"{number}", result, history)
    database = HistoryDatabase.open(where, create=True)
    assert take_in(database, found_in([tmp_path / "runs"])) == Imported(runs=2, nights=2, known=0)
    assert take_in(database, found_in([tmp_path / "runs" / "drill" / "2", VERSION_1])) == Imported(runs=1, nights=1, known=1)
    nights = database.nights()
    assert [(night.source, night.state) for night in nights] == [("harness run", "complete")] * 3
    assert [night.began_utc.day for night in nights if night.commit in ("c1", "c2")] == [1, 2]
    run = next(run for run in database.runs() if run.seed == 2)
    assert run.run_folder == str(tmp_path / "runs" / "drill" / "2")
    assert database.figures_of(run.id)["p99"] == pytest.approx(result.metrics.p99_ms)
    latencies = database.histogram(run.id)
    assert latencies is not None
    assert latencies.count == len(history.load[history.load["outcome"] != "failed"])


def test_a_simulated_run_is_not_compared_with_real_ones(where: str, tmp_path: Path) -> None:
    history = crash()
    result = msgspec.structs.replace(concluded(history), fault_plane=SIMULATED)
    save(tmp_path / "runs" / "drill" / "1", result, history)
    database = HistoryDatabase.open(where, create=True)
    take_in(database, found_in([tmp_path]))
    (run,) = database.runs()
    assert (run.drill, run.verdict, run.not_counted) == (f"{result.drill} (simulated)", result.verdict, "it was simulated")
    assert (run.slos, series_of(database)) == ((), [])


def test_files_of_pytest_benchmark_become_nights_in_the_order_of_their_times(where: str, tmp_path: Path) -> None:
    benchmark_file(tmp_path, 1, "2026-03-03T01:00:00+09:00", 0.3)  # still March 2 in UTC
    benchmark_file(tmp_path, 2, "2026-03-01T12:00:00+00:00", 0.1)
    benchmark_file(tmp_path, 3, "2026-03-02T17:00:00", 0.4)  # without a zone: UTC
    database = HistoryDatabase.open(where, create=True)
    found = list(found_in([tmp_path]))
    assert [remark for part in found for remark in part.remarks] == [
        "some times have no time zone and are read as UTC, as pytest-benchmark writes them"
    ]
    assert take_in(database, found) == Imported(runs=3, nights=2, known=0)
    assert take_in(database, found) == Imported(runs=0, nights=0, known=3)
    mean = next(series for series in series_of(database) if series.metric.name == "mean")
    assert (mean.drill, mean.metric.unit) == ("tests/test_it.py::test_it", "s")
    assert [(point.began_utc, point.values) for point in mean.points] == [
        (datetime(2026, 3, 1, 12, tzinfo=UTC), (0.1,)),
        (datetime(2026, 3, 2, 16, tzinfo=UTC), (0.3, 0.4)),
    ]
    assert mean.points[0].commit == "c" * 12


def test_a_metric_that_two_tools_tell_in_different_units_has_one_in_the_history(where: str, tmp_path: Path) -> None:
    (tmp_path / "load_stats_history.csv").write_text(HISTORY)
    benchmark_file(tmp_path / "a", 1, "2026-03-01T12:00:00+00:00", 0.3)
    database = HistoryDatabase.open(where, create=True)
    take_in(database, found_in([tmp_path / "load_stats_history.csv"]))
    take_in(database, found_in([tmp_path / "a"]))
    (run,) = (run for run in database.runs() if run.drill.startswith("tests/"))
    assert database.figures_of(run.id) == pytest.approx({"min": 0.27, "median": 0.3, "mean": 300, "max": 360})
    assert {name: measure.unit for name, measure in database.measures().items()} == {
        "p50": "ms", "mean": "ms", "max": "ms", "rate": "1/s", "availability": "", "min": "s", "median": "s",
    }  # fmt: skip


def test_a_metric_of_drills_is_kept_in_the_unit_of_their_slos_whoever_tells_it_first(where: str, tmp_path: Path) -> None:
    benchmark_file(tmp_path, 1, "2026-03-01T12:00:00+00:00", 0.3)
    database = HistoryDatabase.open(where, create=True)
    take_in(database, found_in([tmp_path]))
    (run,) = database.runs()
    assert database.measures()["max"].unit == "ms"
    assert database.figures_of(run.id)["max"] == pytest.approx(360)


STATS = """\
Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,\
Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%
GET,/,200,4,12,13.5,3,90,100,20.0,0.4,12,13,14,15,20,30,40,50,90,90,90
,Aggregated,200,4,12,13.5,3,90,100,20.0,0.4,12,13,14,15,20,30,40,50,90,90,90
"""
HISTORY = """\
Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,Total Request Count,\
Total Failure Count,Total Median Response Time,Total Average Response Time,Total Min Response Time,Total Max Response Time,\
Total Average Content Size
1767225600,10,,Aggregated,0.000000,0.000000,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,0,0,0,0.0,0,0,0
1767225610,10,,Aggregated,20.000000,0.4,12,13,14,15,20,30,40,50,90,90,90,200,4,12,13.5,3,90,100
"""


def test_csv_files_of_locust(where: str, tmp_path: Path) -> None:
    history = tmp_path / "load_stats_history.csv"
    history.write_text(HISTORY)
    database = HistoryDatabase.open(where, create=True)
    assert take_in(database, found_in([history])) == Imported(runs=1, nights=1, known=0)
    (run,) = database.runs()
    assert (run.drill, run.began_utc) == ("locust Aggregated", datetime(2026, 1, 1, tzinfo=UTC))
    assert database.figures_of(run.id) == {"p50": 12, "mean": 13.5, "max": 90, "rate": 20.0, "availability": 0.98}


def test_both_csv_files_of_locust_are_one_test(where: str, tmp_path: Path) -> None:
    (tmp_path / "load_stats_history.csv").write_text(HISTORY)
    (tmp_path / "load_stats.csv").write_text(STATS)
    database = HistoryDatabase.open(where, create=True)
    assert take_in(database, found_in([tmp_path])) == Imported(runs=2, nights=1, known=2)
    get = next(run for run in database.runs() if run.drill == "locust GET /")
    assert get.began_utc == datetime(2026, 1, 1, tzinfo=UTC)
    assert database.figures_of(get.id)["p99"] == 50


def test_statistics_without_a_time_say_whose_time_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "load_stats.csv"
    file.write_text(STATS)
    os.utime(file, (1767225600, 1767225600))
    (found,) = found_in([file])
    assert found.remarks == ("load_stats.csv does not say when the test ran; the file's date is used: 2026-01-01 00:00:00 UTC",)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.json", "{}", "There is nothing to import in"),
        ("x.json", '{"machine_info": {}, "benchmarks": [{}]}', "is not a file of pytest-benchmark that can be read here"),
        ("x_stats.csv", STATS.replace("200,4", "many,4"), "is not a CSV of locust that can be read here"),
        ("result.json", "{", "is not a run's result"),
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_is_taken_in(tmp_path: Path, name: str, content: str, said: str) -> None:
    file = tmp_path / name
    file.write_text(content)
    benchmark_file(tmp_path / "a", 1, "2026-03-01T12:00:00+00:00", 0.1)
    database = HistoryDatabase.open(tmp_path / "history.sqlite", create=True)
    with pytest.raises(UsageError, match=said):
        take_in(database, found_in([tmp_path / "a", file]))
    assert database.nights() == []
