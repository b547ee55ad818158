"""Judging the SLOs of a training script's run."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from harness.model.slo import SLO
from results.analysis.goodput import TrainMetrics
from results.analysis.recovery import Recovery
from results.record.train_result import judged

_NO_STEPS = np.zeros(0)
_NOTHING = TrainMetrics(
    steps=0, clean_steps=0, clean_step_ms=None, step_p50_ms=None, step_p99_ms=None, step_max_ms=None, goodput=None, ettr=None,
    lost_steps=0, replayed_steps=0, replayed_equal=0, bytes_per_step=None, longest_stall_s=None,
)  # fmt: skip


@pytest.mark.parametrize(
    ("recoveries", "ok"),
    [
        ([], None),
        ([(3.0, False)], True),
        ([(3.0, False), (7.0, False)], False),
        ([(2.0, True)], None),  # the training ended 2 s after the fault: whether it would have recovered is not known
        ([(2.0, True), (7.0, False)], False),
        ([(9.0, True)], False),
    ],
)
def test_a_recovery_that_was_not_seen_to_end_counts_as_long_as_it_was_watched(
    recoveries: list[tuple[float, bool]], ok: bool | None
) -> None:
    found = tuple(
        Recovery(window=f"kill-{number}", seconds=seconds, censored=censored)
        for number, (seconds, censored) in enumerate(recoveries)
    )
    assert judged(SLO.parse_training("recovery < 5s"), _NOTHING, found, _NO_STEPS).ok is ok


@pytest.mark.parametrize(
    ("text", "found", "ok", "why"),
    [
        ("goodput >= 90%", {"goodput": 0.8996}, False, "observed 89.96 %"),  # not 90 %, which would have met it
        ("ettr >= 80%", {"ettr": 0.8}, True, "observed 80 %"),
        ("lost_steps <= 50", {"lost_steps": 1051}, False, "observed 1,051"),
        ("stall < 2s", {"longest_stall_s": 1.5}, True, "observed 1.5 s"),
        ("max < 100ms", {"step_max_ms": 99.97}, True, "observed 99.97 ms"),
        ("p99 < 100ms", {}, None, "no step stands"),
        ("max < 100ms", {}, None, "not known"),
        ("goodput >= 90%", {"clean_steps": 3}, None, "too few clean steps (3) before the first fault"),
        ("goodput >= 90%", {"clean_steps": 30, "clean_step_ms": 5.0}, None, "not known"),
        ("bytes_per_step < 1MB", {}, None, "the bytes between the ranks were not counted"),
    ],
)
def test_values_are_told_as_those_of_drills_are(text: str, found: dict[str, float], ok: bool | None, why: str) -> None:
    result = judged(SLO.parse_training(text), msgspec.structs.replace(_NOTHING, **found), (), _NO_STEPS)
    assert (result.ok, result.why) == (ok, why)


@pytest.mark.parametrize(
    ("text", "steps", "slow", "ok", "why"),
    [
        ("p50 < 100ms", 700, 0, True, "observed 20 ms"),
        ("p99 < 100ms", 700, 6, True, "observed 20 ms"),
        ("p99 < 100ms", 700, 8, False, "observed 500 ms"),
        ("p99 < 100ms", 60, 0, None, "too few: 60 steps, p99 needs 662; observed 20 ms"),
        ("p99 < 100ms", 60, 30, False, "observed 500 ms; 30 of only 60 steps over the threshold already rule it out"),
        ("p90 < 100ms", 200, 0, True, "observed 20 ms"),
    ],
)
def test_a_percentile_of_step_times_needs_as_many_samples_as_one_of_calls(
    text: str, steps: int, slow: int, ok: bool | None, why: str
) -> None:
    steps_ms = np.array([20.0] * (steps - slow) + [500.0] * slow)
    result = judged(SLO.parse_training(text), _NOTHING, (), steps_ms)
    assert (result.ok, result.why) == (ok, why)
