"""Drills as pytest tests: every drill file is one test, and its figures go to pytest-benchmark.

    pytest drills/                                    all of them
    pytest drills/serving/replica_crash.py            one
    pytest drills/ --benchmark-json=FILE              p50, p99, p99.9 and recovery under "stats", all figures under "extra_info"
    pytest drills/ --benchmark-autosave --benchmark-compare --benchmark-compare-fail=p99:10%

The "rounds" that pytest-benchmark shows are the run's calls: a timer replays the recorded latencies to it, so that its
statistics and comparisons are about latency, not about the configured length of a drill.

pytest loads this plugin in every test run of its environment, and most have nothing to do with drills. So it is a stand-alone
module, and until it has found a drill it imports none of our packages, whose names (`results`, `systems`, …) a project may use
for its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

FIGURES = ("p50", "p99", "p99.9", "recovery")
"""The figures that `harness.pytest_plugin.figures` adds to pytest-benchmark's statistics."""


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    group = parser.getgroup("drills")
    group.addoption("--drill-seed", type=int, metavar="N", help="seed of every drill (default: a new one for each)")
    group.addoption("--drill-runs", type=Path, default=Path("runs"), metavar="DIR", help="where to keep runs (default: runs)")
    group.addoption("--fault-plane", choices=("embedded", "toxiproxy"), default="embedded", help="server for the links")
    pluginmanager.register(_Gates(parser), "drill_gates")


class _Gates:
    """Makes `--benchmark-compare-fail` accept the drills' figures too, once pytest-benchmark has added that option."""

    def __init__(self, parser: pytest.Parser) -> None:
        self._group = parser.getgroup("benchmark")
        self._done = False

    def pytest_plugin_registered(self) -> None:
        """Called once for every plugin, including earlier ones; pytest-benchmark may be loaded before or after us."""
        for option in self._group.options:
            if "--benchmark-compare-fail" in option.names() and not self._done:
                self._done = True
                option.attrs()["type"] = _gate_parser(option.attrs()["type"])


def _gate_parser(theirs: Callable[[str], object]) -> Callable[[str], object]:
    """A parser of pytest-benchmark's gates that handles those on a drill's figures itself."""

    def parse_compare_fail(text: str) -> object:
        if text.partition(":")[0] not in FIGURES:
            return theirs(text)
        from harness.pytest_plugin.figures import gate_of

        return gate_of(text)

    return parse_compare_fail


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_benchmark_group_stats() -> Generator[None, list[tuple[str | None, list[dict[str, Any]]]], Any]:
    """Add a table for each of the drills' figures after pytest-benchmark's own."""
    groups = yield
    if not any(figure in row for _, rows in groups for row in rows for figure in FIGURES):
        return groups
    from harness.pytest_plugin.figures import tables

    return [*groups, *tables(groups)]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "nightly: takes minutes; excluded with -m 'not nightly'")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Collect drill files in a folder called "drills" as drills, and as nothing else."""
    collected = yield
    config = parent.config
    # Without a configuration file pytest guesses the root from its arguments, which may be below "drills".
    inside = (
        file_path.relative_to(config.rootpath) if config.inipath and file_path.is_relative_to(config.rootpath) else file_path
    )
    if not _may_be_drill(file_path, inside):
        return collected
    try:
        from harness import roots

        if not roots.is_drill(inside):
            return collected
        from harness.pytest_plugin.drill_items import DrillFile
    except ImportError as error:
        raise pytest.Collector.CollectError(f"{file_path}: {error}") from error

    return [DrillFile.from_parent(parent, path=file_path)]


def _may_be_drill(file: Path, inside: Path) -> bool:
    """Whether a file is Python, in a folder "drills", and mentions the harness; other projects have such folders too."""
    return inside.suffix == ".py" and "drills" in inside.parts[:-1] and b"harness" in file.read_bytes()
