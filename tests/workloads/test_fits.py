"""Loads that exceed a machine's capacity are refused with the estimate."""

from __future__ import annotations

import pytest

from harness.model.errors import UsageError
from harness.model.load import Load
from workloads.load.engine import EngineTask, Exchange
from workloads.load.fits import check_drill, check_engine


def task(load: Load, request: bytes = b"GET / HTTP/1.1\r\n\r\n") -> EngineTask:
    return EngineTask(address=("127.0.0.1", 9), exchanges=[Exchange(request)], load=load, seed=1)


def test_an_ordinary_load_fits() -> None:
    check_engine(task(Load(rate=10_000, seconds=60)), processes=2)
    check_drill(Load(rate=1000, seconds=60))


@pytest.mark.parametrize(
    ("load", "processes", "message"),
    [
        (Load(rate=1e9, seconds=10), 1, "This load may take 100.1 GB, and .* GB are free: 10,000,000,000 calls"),
        (Load(rate=1, seconds=1, clients=100_000), 100_000, "100,000 processes of 60 MB"),
        (Load(rate=1, seconds=1, clients=60_000), 60, "60,000 connections to one server need as many local ports"),
    ],
)
def test_what_does_not_fit_is_refused(load: Load, processes: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_engine(task(load), processes)


def test_a_drill_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="20,000,000,000 calls, each of them recorded"):
        check_drill(Load(rate=1e9, seconds=20))
