"""Drills as pytest tests: every drill file is one test, and its figures land in pytest-benchmark's.

    pytest drills/                                    all of them
    pytest drills/serving/replica_crash.py            one
    pytest drills/ --benchmark-json=FILE              throughput, p50, p99, recovery under "extra_info"
    pytest drills/ --benchmark-autosave --benchmark-compare

The "rounds" that pytest-benchmark shows are the run's calls: the latencies that were recorded are replayed to it through a
timer that reads them, so that its statistics and comparisons are of latency, not of how long a drill was told to last.

pytest loads this plugin in every test run of its environment, and most have nothing to do with drills. So it is a module by
itself, and imports none of our packages, whose names (`results`, `systems`, …) a project may use for its own, before it has
found a drill.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("drills")
    group.addoption("--drill-seed", type=int, metavar="N", help="the seed of every drill (default: a new one each)")
    group.addoption("--drill-runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs are kept (default: runs)")
    group.addoption("--fault-plane", choices=("embedded", "toxiproxy"), default="embedded", help="what the links go through")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "nightly: takes minutes; left out with -m 'not nightly'")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Drill files in a folder called "drills" are drills, and nothing else that other plugins take them for."""
    collected = yield
    config = parent.config
    # Without a configuration file pytest guesses the root from what it is asked to run, which may lie below "drills".
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
    """Whether a file is Python, in a folder "drills", and uses the harness at all; other projects have such folders too."""
    return inside.suffix == ".py" and "drills" in inside.parts[:-1] and b"harness" in file.read_bytes()
