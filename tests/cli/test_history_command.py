"""`harness history` as it is used."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from msgspec.structs import replace
from rich.console import Console

from harness.cli.main import run
from results.record.nights.database import HistoryDatabase
from results.report.history_terminal import print_nights
from results.trends.recorded import judged, series_of
from tests.helpers.nights import FIRST, measured, plan, record


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with a history of two nights, the working directory."""
    monkeypatch.chdir(tmp_path)
    database = HistoryDatabase.open("runs/history.sqlite", create=True)
    kept = tmp_path / "runs" / "quorum" / "healthy" / "1"
    kept.mkdir(parents=True)
    (kept / "result.json").write_text("{}")
    record(database, plan(day=0), [measured(rate_per_s=250.0)])
    record(database, plan(day=1, suite="", commit="def"), [measured("serving/healthy", not_counted="the machine was busy")])
    return tmp_path


def test_list_and_its_filters(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["history", "list"]) == 0
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["night", "began", "(UTC)", "what", "commit", "state", "runs", "count", "ended"]
    assert first.split() == ["20260301T020000Z", "2026-03-01", "02:00", "quorum", "abc", "complete", "1", "1", "1", "pass"]
    assert second.split()[3:] == ["all", "drills", "def", "complete", "1", "0", "1", "pass"]
    for filtered in (["--drill", "quorum/healthy"], ["--suite", "quorum"]):
        run(["history", "list", *filtered])
        assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == ["20260301T020000Z"]
    both = replace(plan(day=2), planned=2)
    record(HistoryDatabase.open("runs/history.sqlite"), both, [measured(), measured("quorum/isolated")])
    run(["history", "list", "--drill", "quorum/isolated"])
    [line] = capsys.readouterr().out.splitlines()[1:]
    assert line.split()[5:] == ["complete", "2", "2", "2", "pass"], "the whole night, of which no run is missing"


def test_a_narrow_terminal_keeps_the_names_of_nights_whole(folder: Path) -> None:
    database = HistoryDatabase.open("runs/history.sqlite")
    written = StringIO()
    print_nights(database.nights(), database.runs(), Console(file=written, width=60, force_terminal=True))
    for name in ("20260301T020000Z", "20260302T020000Z"):
        assert name in written.getvalue()
    assert "…" not in written.getvalue()


def test_list_since_a_day(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["history", "list", "--since", "2026-03-02"])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == ["20260302T020000Z"]
    run(["history", "list", "--since", "0d"])
    assert capsys.readouterr().out == "No matching night in runs/history.sqlite.\n"


def test_show(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["history", "show", "last"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("20260302T020000Z  harness nightly\n")
    assert "does not count: the machine was busy" in shown
    assert run(["history", "show", "20260301"]) == 2
    assert capsys.readouterr().err == "error: No night called '20260301'. Did you mean '20260301T020000Z'?\n"


def test_export(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("out.parquet", "out.csv", "out.json"):
        assert run(["history", "export", name]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "Wrote 2 runs to out.parquet."
    parquet, csv = pd.read_parquet("out.parquet"), pd.read_csv("out.csv")
    rows = json.loads(Path("out.json").read_text())
    assert list(parquet.columns) == list(csv.columns) == list(rows[0])
    assert parquet["p99_ms"].tolist() == csv["p99_ms"].tolist() == [row["p99_ms"] for row in rows] == [5.0, 5.0]
    assert (csv["rate_per_s"][0], rows[1]["rate_per_s"]) == (250.0, None)
    assert parquet["night_began_utc"][0] == FIRST
    assert json.loads(parquet["slos"][0]) == rows[0]["slos"]
    assert rows[0]["slos"][0]["text"] == "p99 < 50ms"
    assert run(["history", "export", "out.xlsx"]) == 2
    assert "give it a name that ends in .parquet, .csv, .json" in capsys.readouterr().err
    for name in ("no/out.parquet", "no/out.csv", "no/out.json"):
        assert run(["history", "export", name]) == 2
        assert capsys.readouterr().err == f"error: Cannot write {name}: No such file or directory. Choose another place.\n"


def test_prune_by_age(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = folder / "runs" / "quorum" / "healthy" / "1"
    assert run(["history", "prune", "--older-than", "1d", "--run-folders"]) == 0
    assert capsys.readouterr().out == "1 run folder removed; their figures are still in runs/history.sqlite.\n"
    assert not kept.exists()
    database = HistoryDatabase.open("runs/history.sqlite")
    assert [recorded.run_folder for recorded in database.runs(drill="quorum/healthy")] == [""]
    assert len(database.nights()) == 2
    record(database, plan(day=10_000), [measured()])
    assert run(["history", "prune", "--older-than", "1d"]) == 0
    assert capsys.readouterr().out == "2 nights removed from runs/history.sqlite.\n"
    assert [night.began_utc.year for night in database.nights()] == [2053]
    assert len(database.runs()) == 1
    assert [series.metric.name for series in series_of(database)] == ["p99"]


def test_there_is_no_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["history", "list"]) == 2
    said = "error: There is no history runs/history.sqlite. Record a night with `harness nightly`, or import one.\n"
    assert capsys.readouterr().err == said
    assert not (tmp_path / "runs").exists()


def test_report_judges_what_is_recorded(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = HistoryDatabase.open("runs/history.sqlite")
    for day in range(2, 20):
        record(database, plan(day=day, commit=f"c{day}"), [measured(p99_ms=(5.0 if day < 14 else 9.0) + day % 3 / 50)])
    assert run(["history", "report", "--page", "page.html"]) == 0
    assert "quorum/healthy" in Path("page.html").read_text()
    assert capsys.readouterr().out.endswith("Report  page.html\n")
    earlier = judged(database, last=database.nights()[-2].name)
    assert earlier.last.name == database.nights()[-2].name
    assert earlier.findings.newest == earlier.last.name
    assert [(change.night, change.worse) for change in judged(database).findings.changes] == [("20260315T020000Z", True)]
