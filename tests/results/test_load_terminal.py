"""The result of a load on terminals of any width."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console

from results.analysis.histogram import Histogram
from results.analysis.metrics import Metrics
from results.record.load_result import LoadResult
from results.record.result import Machine
from results.report.load_terminal import print_load


def result() -> LoadResult:
    latency = Histogram()
    latency.record(np.full(1000, 1_234_000_000))
    encoded = latency.encode()
    return LoadResult(
        url="http://127.0.0.1:1/", verdict="pass", why="no SLO was asked for", asked_per_s=100, arrivals="poisson", seconds=10,
        connections=1, depth=1, processes=1, seed=1, slos=(), service_p50_ms=1234, service_p99_ms=1234, send_lag_p99_ms=0.1,
        metrics=Metrics(
            requests=1000, rate_per_s=100, p50_ms=1234, p99_ms=1234, p999_ms=None, max_ms=1234, availability=1, recovery_s=None
        ),
        read_lag_p99_ms=0.1, failed=0, wrong=0, unknown=0, failures=(), cpu_s=0.1, busy_share=0.1, blocked_share=0,
        latency_histogram=encoded, service_histogram=encoded, series=(), rerun="harness load", started_utc="", commit="",
        machine=Machine(cpu="", cores=1, memory_gib=1, kernel="", python=""), versions={},
    )  # fmt: skip


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_figure_loses_its_unit(width: int) -> None:
    out = io.StringIO()
    print_load(result(), Console(file=out, width=width), Path("report.html"))
    shown = out.getvalue()
    assert "…" not in shown
    assert shown.count("1,234 ms") == 8  # p50, p90, p99 and max, twice
    assert shown.count("too few") == 4


def test_an_hour_and_less_than_a_call_a_second_are_written_out() -> None:
    out = io.StringIO()
    slow = msgspec.structs.replace(result(), seconds=3600, asked_per_s=0.5)
    slow = msgspec.structs.replace(slow, metrics=replace(slow.metrics, rate_per_s=0.48))
    print_load(slow, Console(file=out, width=200), Path("report.html"))
    assert "1,000 calls in 3,600 s, 0.48/s done of 0.5/s asked" in out.getvalue()
