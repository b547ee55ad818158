"""The size of a database of 1,000 nights with 100 drills of 10 figures each, and the size of its page and how long that takes.

    python benchmarks/nightly_page.py [--nights 1000] [--drills 100]

The nights are made up (seed 1) and recorded the way an import is. Checks, SLOs and histograms have the usual size. The wall
time is how long a user waits; whatever it exceeds the CPU time by went to other programs on the machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from results.analysis.histogram import Histogram
from results.analysis.judge import SLOResult
from results.analysis.recovery import Recovery
from results.record.nights.database import HistoryDatabase
from results.record.nights.importing import Found, take_in
from results.record.nights.recording import Measured
from results.record.nights.rows import Measure
from results.record.result import CheckResult
from results.report.nightly_page import write_nightly_page
from results.trends.judging import judge
from results.trends.nightly import Nightly
from results.trends.recorded import nights_of, series_of

BEGAN = datetime(2024, 1, 1, 2, tzinfo=UTC)
FACTS = {"CPU": "made up", "cores": "2", "memory": "8 GiB", "kernel": "6.1", "Python": "3.11.7", "fault plane": "embedded"}
FIGURES = (
    (Measure(name="p50", unit="ms", better="lower"), 3.0),
    (Measure(name="p99", unit="ms", better="lower"), 12.0),
    (Measure(name="p99.9", unit="ms", better="lower"), 25.0),
    (Measure(name="max", unit="ms", better="lower"), 40.0),
    (Measure(name="rate", unit="1/s", better="higher"), 250.0),
    (Measure(name="availability", unit="", better="higher"), 0.9995),
    (Measure(name="recovery", unit="s", better="lower"), 0.6),
    (Measure(name="cpu", unit="s", better="lower"), 4.2),
    (Measure(name="memory", unit="MiB", better="lower"), 120.0),
    (Measure(name="starts", unit="s", better="lower"), 0.4),
)
CHECKS = tuple(
    CheckResult(name=name, valid=True, why=f"2,345 operations on 10 keys were looked at, and {name} holds of each of them")
    for name in ("linearizable", "nothing_lost", "calls_done", "faults_acted", "generator_kept_up", "nodes_stayed_up")
)
RECOVERIES = (Recovery(window="1", seconds=0.6, censored=False),)


@dataclass(frozen=True)
class Step:
    """What one step took, in seconds."""

    wall: float
    cpu: float


@contextmanager
def timed(name: str, limit: str = "") -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    took = Step(time.perf_counter() - wall, time.process_time() - cpu)
    print(f"{name:<46} {took.wall:8.1f} s   CPU {took.cpu:6.1f} s   {limit}", flush=True)


def found(nights: int, drills: int) -> Iterator[Found]:
    """Each night with a run of each drill; one run in fifty is unknown, and one in two hundred misses an SLO."""
    random = np.random.default_rng(1)
    histograms = [histogram_of(np.rint(random.lognormal(15, 0.5, 1400)).astype(np.int64)) for _ in range(20)]
    levels = np.array([level for _, level in FIGURES])
    for night in range(nights):
        began = BEGAN + timedelta(days=night)
        noise = random.normal(0, 0.015, (drills, len(FIGURES)))
        values = levels * np.exp(noise)
        values[:, 5] = 1 - (1 - levels[5]) * np.exp(10 * noise[:, 5])
        lots = random.random(drills)
        runs = tuple(
            measured(night, drill, values[drill], lots[drill], histograms[drill % 20], began) for drill in range(drills)
        )
        yield Found(source="benchmark", began_utc=began, commit=f"{night:012x}", facts=FACTS, runs=runs)


def histogram_of(latencies_ns: NDArray[np.int64]) -> str:
    histogram = Histogram()
    histogram.record(latencies_ns)
    return histogram.encode()


def measured(night: int, drill: int, values: NDArray[np.float64], lot: float, histogram: str, began: datetime) -> Measured:
    unknown, missed = lot < 0.02, 0.02 <= lot < 0.025
    why = f"generator_kept_up: {night} of 2,345 calls left late" if unknown else "p99 < 50ms: observed 61 ms" if missed else ""
    slos = ("p50 < 50ms", "p99 < 50ms", "availability >= 99%")
    return Measured(
        drill=f"suite{drill // 10}/drill{drill % 10}",
        repeat=1,
        seed=1,
        began_utc=began,
        duration_s=7.5,
        verdict="unknown" if unknown else "slo" if missed else "pass",
        as_expected=not (unknown or missed),
        why=why,
        not_counted=why if unknown else "",
        checks=CHECKS,
        slos=tuple(SLOResult(text=text, value=12.0, ok=not (missed and "p99" in text), why="observed 12 ms") for text in slos),
        recoveries=RECOVERIES,
        figures=tuple((measure, float(value)) for (measure, _), value in zip(FIGURES, values, strict=True)),
        histogram=histogram,
        definition=f"{drill:016x}",
        rerun=f"harness drill suite{drill // 10}/drill{drill % 10} --seed 1",
        run_folder=f"runs/suite{drill // 10}/drill{drill % 10}/{began:%Y%m%dT%H%M%SZ}-1",
        identity=f"{night:032x}{drill:032x}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=1000)
    parser.add_argument("--drills", type=int, default=100)
    parser.add_argument("--page", type=Path, help="keep the page there")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        database = HistoryDatabase.open(folder / "history.sqlite", create=True)
        with timed("recorded"):
            take_in(database, found(asked.nights, asked.drills))
        size = sum(file.stat().st_size for file in folder.iterdir())
        print(f"{'database':<46} {size / 1e6:8.1f} MB  (at most 500)", flush=True)
        with timed("nights and series read"):
            nights, series = nights_of(database), series_of(database)
        with timed(f"{len(series):,} series judged"):
            findings = judge(series)
        page = asked.page or folder / "page.html"
        with timed("page written", "(at most 10 s)"):
            write_nightly_page(Nightly(nights=nights, findings=findings), page)
        print(f"{'page':<46} {page.stat().st_size / 1e6:8.2f} MB  (at most 3)")


if __name__ == "__main__":
    main()
