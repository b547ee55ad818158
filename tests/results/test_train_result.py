"""Judging the SLOs of a training script's run."""

from __future__ import annotations

import msgspec
import pytest

from harness.model.slo import SLO
from results.analysis.goodput import TrainMetrics
from results.analysis.recovery import Recovery
from results.record.train_result import judged

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
    assert judged(SLO.parse_training("recovery < 5s"), _NOTHING, found).ok is ok


@pytest.mark.parametrize(
    ("text", "found", "ok", "why"),
    [
        ("goodput >= 90%", {"goodput": 0.8996}, False, "observed 89.96 %"),  # not 90 %, which would have met it
        ("ettr >= 80%", {"ettr": 0.8}, True, "observed 80 %"),
        ("lost_steps <= 50", {"lost_steps": 1051}, False, "observed 1,051"),
        ("stall < 2s", {"longest_stall_s": 1.5}, True, "observed 1.5 s"),
        ("p99 < 100ms", {"step_p99_ms": 99.97}, True, "observed 99.97 ms"),
        ("max < 100ms", {}, None, "not known"),
        ("goodput >= 90%", {"clean_steps": 3}, None, "too few clean steps (3) before the first fault"),
    ],
)
def test_values_are_told_as_those_of_drills_are(text: str, found: dict[str, float], ok: bool | None, why: str) -> None:
    result = judged(SLO.parse_training(text), msgspec.structs.replace(_NOTHING, **found), ())
    assert (result.ok, result.why) == (ok, why)
