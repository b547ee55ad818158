"""Drill files as pytest items; see `pytest_drills`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, Final

import pytest
from _pytest._code.code import ReprFileLocation, TerminalRepr
from _pytest._io import TerminalWriter
from pytest_benchmark.fixture import BenchmarkFixture

from harness.cluster.requirements import missing_for
from harness.model.errors import HarnessError, UsageError
from harness.pytest_plugin.figures import add_figures
from harness.run.catalog import NamedDrill, load_drill
from harness.run.night import measured_of
from harness.run.runner import CompletedRun, run
from harness.run.spec import SEED_BITS, run_spec_of
from results.analysis.metrics import has_latency
from results.report.page import REPORT, write_run_report
from results.report.terminal import summary

_PYTEST_BENCHMARK: Final = ("benchmark", "pytest_benchmark.plugin")
"""Its names as a plugin: the entry point's, and the one that `-p` gives it. It may be missing: `-p no:benchmark`."""


class VerdictError(Exception):
    """A drill that did not end as expected; its text is the report for the terminal."""


class DrillFile(pytest.File):
    """A drill file."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        try:
            named = load_drill(self.path)
        except HarnessError as error:
            raise self.CollectError(str(error)) from error
        replay = _Replay()

        def drill(benchmark: BenchmarkFixture, request: pytest.FixtureRequest) -> None:
            done = _run(named, request.config)
            _record(done, benchmark, replay)
            _judge(done)

        def unmeasured(request: pytest.FixtureRequest) -> None:
            _judge(_run(named, request.config))

        measured = any(map(self.config.pluginmanager.hasplugin, _PYTEST_BENCHMARK))
        item = DrillItem.from_parent(self, name=self.path.stem, callobj=drill if measured else unmeasured)
        if measured:
            item.add_marker(pytest.mark.benchmark(timer=replay, group=named.name.split("/")[0]))
        if named.drill.nightly and not self.session.isinitpath(self.path):  # a drill named on the command line runs
            item.add_marker(pytest.mark.nightly)
        yield item


class DrillItem(pytest.Function):
    """One drill as a test."""

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        """Show the verdict, not a traceback."""
        if isinstance(excinfo.value, VerdictError | HarnessError):
            return _Shown(str(excinfo.value), str(self.path))
        return super().repr_failure(excinfo, *args, **kwargs)


class _Shown(TerminalRepr):
    """A text for the report; its first line is for the summary."""

    def __init__(self, text: str, path: str) -> None:
        self._text = text
        self.reprcrash = ReprFileLocation(path, 1, text.partition("\n")[0])

    def toterminal(self, tw: TerminalWriter) -> None:
        tw.line(self._text)


def _run(named: NamedDrill, config: pytest.Config) -> CompletedRun:
    missing = missing_for(named.drill.system, namespaces=named.drill.namespaces)
    if missing and os.environ.get("CI"):
        raise UsageError(missing)
    if missing:
        pytest.skip(missing)
    seed = config.getoption("--drill-seed")
    order = run_spec_of(named, secrets.randbits(SEED_BITS) if seed is None else seed, (), config.getoption("--fault-plane"))
    done = run(order, runs=config.getoption("--drill-runs"))
    write_run_report(done.run_dir, done.result, done.history, done.run_dir / REPORT)
    return done


def _judge(done: CompletedRun) -> None:
    if not done.result.as_expected:
        raise VerdictError(summary(done.result, done.run_dir, done.run_dir / REPORT))


def _record(done: CompletedRun, benchmark: BenchmarkFixture, replay: _Replay) -> None:
    """Pass the run's figures to pytest-benchmark."""
    result, kept = done.result, measured_of(done.result, done.history, done.run_dir, repeat=1)
    benchmark.extra_info.update(asdict(result.metrics))
    benchmark.extra_info.update(seed=result.seed, verdict=result.verdict, rerun=result.rerun)
    benchmark.extra_info.update(  # for `harness history import`
        drill=result.drill,
        definition=kept.definition,
        as_expected=kept.as_expected,
        why=kept.why,
        not_counted=kept.not_counted,
        run_folder=str(done.run_dir.resolve()),
    )
    load = done.history.load
    counted = load[has_latency(load)]
    replay.durations_s = ((counted["done_ns"] - counted["due_ns"]) / 1e9).tolist()
    if replay.durations_s:
        benchmark.pedantic(lambda: None, rounds=len(replay.durations_s), iterations=1)  # type: ignore[no-untyped-call]
        if benchmark.stats is not None:  # None with --benchmark-disable
            add_figures(benchmark.stats.stats, result.metrics)


class _Replay:
    """A timer whose readings, taken in pairs, are one recorded duration apart."""

    __name__ = "recorded latencies"

    def __init__(self) -> None:
        self.durations_s: list[float] = []
        self._readings = self._read()

    def __call__(self) -> float:
        return next(self._readings)

    def _read(self) -> Iterator[float]:
        now_s = 0.0
        for duration_s in self.durations_s:
            yield now_s
            now_s += duration_s
            yield now_s
