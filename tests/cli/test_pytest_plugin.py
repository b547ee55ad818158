"""Drills under pytest: each file one test, the verdict instead of a traceback, figures for pytest-benchmark."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from harness.run.imports.files import found_in
from results.record.nights.database import HistoryDatabase
from results.record.nights.importing import take_in
from tests.helpers.effort import left_to_ci
from tests.helpers.engine import environment, write_drill

pytest_plugins = "pytester"

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module", autouse=True)
def parquet_stays_imported() -> None:
    """Pytester forgets the modules that a run in this process imports; pandas can import its part of parquet only once."""
    pd.DataFrame({"a": [1]}).to_parquet(io.BytesIO())


GOOD = """
drill = Drill(
    system=Echo(), workload=Numbers(), load=Load(rate=200, seconds=0.8), faults=[Pause("n1").between(0.2, 0.3)],
    slos=["availability >= 1%"],
)
"""
CRASH = GOOD.replace("Echo()", "Echo(misbehave='crash', after_s=0.4)")
DEAD = GOOD.replace("Echo()", "Echo(misbehave='not start')")


def pytest_in(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "pytest", "-p", "no:locust", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(**{"CI": "", **more}), capture_output=True, text=True, check=False, timeout=120
    )  # fmt: skip


def fill(folder: Path) -> None:
    """Two drills of one name in different folders, and an ordinary test."""
    write_drill(folder, "a/same", GOOD)
    write_drill(folder, "b/same", GOOD)
    (folder / "drills" / "conftest.py").write_text("")
    (folder / "drills" / "_shared.py").write_text("1 / 0")
    (folder / "test_ordinary.py").write_text(
        "def test_sum(): assert 1 + 1 == 2\ndef test_quick(benchmark): benchmark(sum, [1])\n"
    )


SAME = ["drills/a/same.py::same", "drills/b/same.py::same"]
ASKED = {
    "the folder": (["drills"], SAME),
    "the files": (["drills/a/same.py", "drills/b/same.py"], SAME),
    "one file": (["drills/b/same.py"], SAME[1:]),
    "one test": (["drills/b/same.py::same"], SAME[1:]),
    "by name": (["-k", "same"], SAME),
    "everything": ([], [*SAME, "test_ordinary.py::test_sum", "test_ordinary.py::test_quick"]),
    "where all files are tests or hold doctests": (["-o", "python_files=*.py", "--doctest-modules", "drills/a"], SAME[:1]),
}


@pytest.mark.parametrize("how", ASKED)
def test_every_drill_file_is_one_test_however_it_is_asked_for(pytester: pytest.Pytester, how: str) -> None:
    fill(pytester.path)
    arguments, expected = ASKED[how]
    assert collected(pytester, *arguments) == expected


def test_it_is_a_drill_also_where_pytest_takes_its_folder_for_the_root(pytester: pytest.Pytester) -> None:
    fill(pytester.path)
    assert collected(pytester, "--rootdir", "drills/a", "drills/a/same.py") == ["same.py::same"]


def collected(pytester: pytest.Pytester, *arguments: str) -> list[str]:
    done = pytester.runpytest_inprocess("--collect-only", "-q", "-p", "no:locust", "-p", "no:cacheprovider", *arguments)
    return [line for line in done.outlines if "::" in line]


@pytest.mark.slow
def test_drills_and_ordinary_tests_run_together_and_leave_their_figures(tmp_path: Path) -> None:
    fill(folder := tmp_path)
    done = pytest_in(folder, "--drill-seed", "3", "--benchmark-json", "out.json", "--benchmark-autosave")
    assert "4 passed" in done.stdout, done.stdout + done.stderr
    benchmarks = {bench["fullname"]: bench for bench in json.loads((folder / "out.json").read_text())["benchmarks"]}
    assert set(benchmarks) == {*SAME, "test_ordinary.py::test_quick"}
    drill = benchmarks[SAME[0]]
    assert {"rate_per_s", "p50_ms", "p99_ms", "recovery_s", "availability"} <= set(drill["extra_info"])
    assert (drill["extra_info"]["seed"], drill["extra_info"]["rerun"]) == (3, "harness drill a/same --seed 3")
    assert drill["stats"]["rounds"] <= drill["extra_info"]["requests"]
    assert drill["stats"]["median"] * 1000 == pytest.approx(drill["extra_info"]["p50_ms"], rel=0.5)
    assert drill["stats"]["max"] * 1000 == pytest.approx(drill["extra_info"]["max_ms"], rel=0.01)
    again = pytest_in(folder, "drills/a", "--benchmark-compare", "--drill-runs", "elsewhere")
    assert "1 passed" in again.stdout, again.stdout + again.stderr
    assert "(NOW)" in again.stdout
    assert (folder / "elsewhere" / "a" / "same").is_dir()


def test_the_summary_has_the_verdict(pytester: pytest.Pytester) -> None:
    write_drill(pytester.path, "wrong", CRASH)
    write_drill(pytester.path, "dead", DEAD)
    done = pytester.runpytest_inprocess("-p", "no:locust", "-p", "no:cacheprovider", "drills")
    done.stdout.re_match_lines_random(
        [r"^FAILED .*wrong.py::wrong - ✘ Fail\. wrong broke a promise", r"^FAILED .*dead.py::dead - n1 did not start"]
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        left_to_ci(CRASH, ["nodes_stayed_up", "n1 died at", "harness drill wrong --seed 3"]),
        (DEAD, ["n1 did not start", "there is no flux capacitor"]),
        ("drill = Drill(", ["drills/wrong.py, line 8: SyntaxError"]),
        ("x = 1", ["defines no drill"]),
    ],
    ids=["fails", "does not start", "syntax", "no drill"],
)
def test_what_fails_shows_the_verdict_and_no_traceback(pytester: pytest.Pytester, body: str, said: list[str]) -> None:
    write_drill(pytester.path, "wrong", body)
    done = pytester.runpytest_inprocess("-p", "no:locust", "-p", "no:cacheprovider", "--drill-seed", "3", "drills")
    assert done.ret in (1, 2)
    for words in said:
        assert words in done.stdout.str()
    assert "Traceback" not in done.stdout.str() + done.stderr.str()
    assert "runner.py" not in done.stdout.str()


@pytest.mark.slow
@pytest.mark.parametrize(("body", "code"), [pytest.param(GOOD, 0, id="good"), pytest.param(CRASH, 1, id="crash")])
def test_drills_run_without_pytest_benchmark_too(pytester: pytest.Pytester, body: str, code: int) -> None:
    write_drill(pytester.path, "one", body)
    plugins = ["-p", "no:locust", "-p", "no:cacheprovider", "-p", "no:benchmark"]
    done = pytester.runpytest_inprocess(*plugins, "--strict-markers", "drills")
    assert done.ret == code, done.stdout.str()
    assert ("✘ Fail. one broke a promise" in done.stdout.str()) == bool(code)


OURS = ("results", "systems", "workloads", "faults", "drills", "harness")


def test_the_plugin_is_a_module_by_itself() -> None:
    """Whatever pytest loads for the entry point is loaded in every project."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["pytest11"] == {"pytest_drills": "pytest_drills"}
    code = f"import sys, pytest_drills; print(sorted({{*{OURS}}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_another_project_may_have_packages_of_our_names(tmp_path: Path) -> None:
    for name in OURS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"mine = {name!r}\n")
    (tmp_path / "drills" / "test_hole.py").write_text("from drills import mine\ndef test_hole(): assert mine == 'drills'\n")
    imports = "".join(f"import {name}\ndef test_{name}(): assert {name}.mine == '{name}'\n" for name in OURS)
    (tmp_path / "test_theirs.py").write_text(imports)
    done = pytest_in(tmp_path, "-p", "pytest_drills", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert "7 passed" in done.stdout, done.stdout + done.stderr


def test_a_project_with_drills_and_a_package_of_our_names_is_told_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "results.py").write_text("")
    (tmp_path / "conftest.py").write_text("import results\n")
    write_drill(tmp_path, "a", GOOD)
    done = pytest_in(tmp_path, "-p", "pytest_drills", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert done.returncode == 2
    assert re.search(r"^\S+/drills/a.py: the harness needs its own package 'results'; another one", done.stdout, re.MULTILINE)
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_drills_own_figures_are_in_pytest_benchmarks_tables_json_and_gates(tmp_path: Path) -> None:
    write_drill(tmp_path, "a/same", GOOD)
    (tmp_path / "test_ordinary.py").write_text("def test_quick(benchmark): benchmark(sum, [1])\n")
    saved = pytest_in(tmp_path, "--drill-seed", "3", "--benchmark-autosave", "drills", "test_ordinary.py")
    for figure in ("p50", "p99", "p99.9", "recovery"):
        assert f" benchmark 'a, {figure}': 1 tests " in saved.stdout, saved.stdout + saved.stderr
    [file] = (tmp_path / ".benchmarks").rglob("0001_*.json")
    whole = json.loads(file.read_text())
    drill = next(bench for bench in whole["benchmarks"] if bench["name"] == "same")
    assert drill["stats"]["p99"] == pytest.approx(drill["extra_info"]["p99_ms"] / 1e3)
    assert "p99" not in next(bench for bench in whole["benchmarks"] if bench["name"] == "test_quick")["stats"]

    gates = ["drills", "test_ordinary.py", "--drill-seed", "3", "--benchmark-compare", "--benchmark-compare-fail"]
    passed = pytest_in(tmp_path, *gates, "p99:9", "mean:9")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    drill["stats"]["p99"] /= 1000  # as if it had been that quick then
    del drill["stats"]["p99.9"]
    file.write_text(json.dumps(whole))
    failed = pytest_in(tmp_path, *gates, "p99:10%", "p99.9:1")
    assert failed.returncode == 1, failed.stdout + failed.stderr
    said = failed.stdout + failed.stderr
    assert re.search(r"same.* - p99 grew by \S+%, from \S+ s to \S+ s; the limit is 10%", said)
    assert re.search(r"same.* - p99.9 cannot be compared: it was not measured in the saved run", said)
    wrong = pytest_in(tmp_path, "--benchmark-compare-fail=p99:soon")
    assert wrong.returncode == 4
    assert "expected p99:10%, or recovery:0.05 in seconds" in wrong.stderr

    database = HistoryDatabase.open(tmp_path / "history.sqlite", create=True)
    take_in(database, found_in([tmp_path / ".benchmarks"]))
    names = {run.drill: run for run in database.runs()}
    assert set(names) == {"a/same", "test_ordinary.py::test_quick"}
    assert set(database.figures_of(names["a/same"].id)) >= {"p50", "p99", "p99.9", "availability", "recovery"}
    assert names["a/same"].definition
