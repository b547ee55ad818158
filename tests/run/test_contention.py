"""What other processes took of the processors while a run went on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.run.contention import CpuReading, read_cpu, share_of_others

BURN = "import time\nwhile time.process_time() < 0.3: pass"


def reading(at_s: float, busy_s: float, own_s: float, processors: int = 2) -> CpuReading:
    return CpuReading(at_s=at_s, busy_s=busy_s, own_s=own_s, processors=processors)


@pytest.mark.parametrize(
    ("busy_s", "own_s", "share"),
    [(0, 0, 0), (20, 0, 1), (10, 10, 0), (10, 5, 0.25), (5, 6, 0), (40, 0, 1)],
)
def test_what_is_not_ones_own_is_others(busy_s: float, own_s: float, share: float) -> None:
    before, after = reading(100, 1000, 50), reading(110, 1000 + busy_s, 50 + own_s)
    assert share_of_others(before, after) == pytest.approx(share)


def test_two_readings_at_once_say_nothing() -> None:
    assert share_of_others(reading(1, 1, 1), reading(1, 1, 1)) == 0


def test_ended_children_count_as_ones_own() -> None:
    before = read_cpu()
    subprocess.run([sys.executable, "-c", BURN], check=True)
    after = read_cpu()
    assert after.own_s - before.own_s >= 0.29  # the kernel counts ticks
    assert after.at_s > before.at_s
    assert after.processors >= 1
