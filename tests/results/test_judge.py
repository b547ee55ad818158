"""Verdicts on SLOs: held, missed, or unknown because of too little data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import binom

from harness.model.history import History
from harness.model.slo import SLO
from results.analysis.judge import SLOResult, judge, show, undecidable
from results.analysis.metrics import Measurements, measure
from results.analysis.recovery import Recovery
from results.analysis.sample_sizes import at_least, samples_needed
from tests.helpers.synthetic import crash, spoil, steady


def measured(
    latencies_ms: list[float] | None = None,
    requests: int | None = None,
    seconds: float = 10,
    recoveries: tuple[Recovery, ...] = (),
    given_up_ms: Sequence[float] = (),
    cut_off_ms: Sequence[float] = (),
) -> Measurements:
    done_ms = latencies_ms or []
    return Measurements(
        done_ms=np.sort(np.array(done_ms, dtype=float)),
        given_up_ms=np.sort(np.array(given_up_ms, dtype=float)),
        cut_off_ms=np.sort(np.array(cut_off_ms, dtype=float)),
        requests=len(done_ms) + len(given_up_ms) + len(cut_off_ms) if requests is None else requests,
        seconds=seconds,
        recoveries=recoveries,
    )


def verdict(text: str, measurements: Measurements) -> SLOResult:
    return judge(SLO.parse(text), measurements)


@pytest.mark.parametrize(("percentile", "needed"), [(50, 11), (90, 64), (95, 130), (99, 662), (99.9, 6636), (99.99, 66381)])
def test_samples_needed(percentile: float, needed: int) -> None:
    assert samples_needed(percentile) == needed
    chance = 1 - percentile / 100
    assert binom.cdf(1, needed, chance) <= 0.01 < binom.cdf(1, needed - 1, chance)


@pytest.mark.parametrize(
    ("successes", "samples", "chance"), [(9, 300, 0.01), (0, 5, 0.1), (6, 5, 0.1), (5, 5, 0.5), (40, 60_000, 1e-4)]
)
def test_the_binomial_tail_is_exact(successes: int, samples: int, chance: float) -> None:
    assert at_least(successes, samples, chance) == pytest.approx(binom.sf(successes - 1, samples, chance), rel=1e-9)


def test_enough_samples_decide_a_percentile() -> None:
    assert verdict("p99 < 10ms", measured([1.0] * 662)).ok is True
    assert verdict("p99 < 1ms", measured([1.0] * 662)).ok is False
    assert verdict("p99 <= 1ms", measured([1.0] * 662)).ok is True


@pytest.mark.parametrize(
    ("text", "unanswered", "ok"),
    [
        ("p99 < 2s", 6, True),  # even if these took for ever, 99 of 100 calls were quick
        ("p99 < 2s", 7, None),
        ("p99 < 500ms", 7, False),
        ("max < 2s", 1, None),
        ("max < 1s", 1, False),
        ("max < 2s", 0, True),
    ],
)
def test_a_call_that_was_given_up_before_the_threshold_proves_nothing(text: str, unanswered: int, ok: bool | None) -> None:
    found = verdict(text, measured([1.0] * (662 - unanswered), given_up_ms=(1000.0,) * unanswered))
    assert found.ok is ok
    assert ("were given up sooner" in found.why) == (ok is None)


@pytest.mark.parametrize(
    ("text", "cut_off_ms", "ok"),
    [
        ("p99 < 10ms", [2.0] * 9_999, None),  # 661 calls that were done, however many were reset at once
        ("p99 < 10ms", [2.0], None),
        ("p90 < 10ms", [2.0] * 9_999, True),
        ("p90 < 10ms", [10.0] * 66, True),
        ("p90 < 10ms", [10.0] * 80, False),  # they had taken too long when they were cut off
        ("max < 10ms", [2.0], True),
        ("max < 10ms", [2.0, 10.0], False),
    ],
)
def test_a_call_that_was_cut_off_before_the_threshold_is_no_fast_one(
    text: str, cut_off_ms: list[float], ok: bool | None
) -> None:
    found = verdict(text, measured([1.0] * 661, cut_off_ms=cut_off_ms))
    assert found.ok is ok
    assert ("that were cut off sooner" in found.why) == (min(cut_off_ms) < 10)


def test_as_many_calls_as_a_percentile_leaves_out_may_be_without_an_answer() -> None:
    found = measured([1.0] * 63, given_up_ms=(1000.0,) * 7)
    assert verdict("p90 < 2s", found).ok is True


def test_too_few_samples_leave_it_open() -> None:
    found = verdict("p99 < 10ms", measured([1.0] * 300))
    assert found.ok is None
    assert found.value == 1
    assert found.why.startswith("too few: 300 calls, p99 needs 662")


def test_few_samples_over_the_threshold_already_disprove_it() -> None:
    found = verdict("p99 < 10ms", measured([1.0] * 291 + [20.0] * 9))
    assert found.ok is False
    assert "9 of only 300 calls over the threshold" in found.why


def test_one_sample_over_the_threshold_proves_nothing() -> None:
    assert verdict("p99 < 10ms", measured([1.0] * 299 + [20.0])).ok is None


def test_samples_at_the_threshold_are_over_it_as_the_comparison_says() -> None:
    assert verdict("p99 < 20ms", measured([1.0] * 291 + [20.0] * 9)).ok is False
    assert verdict("p99 <= 20ms", measured([1.0] * 291 + [20.0] * 9)).ok is None


@pytest.mark.parametrize("text", ["p99 < 1s", "max < 1s", "availability > 0%", "rate > 0/s", "recovery < 1s"])
def test_nothing_to_judge_by_is_unknown(text: str) -> None:
    found = verdict(text, measured())
    assert found.ok is None
    assert found.value is None
    assert found.why


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        ("max < 6ms", True),
        ("max < 5ms", False),
        ("availability >= 99%", True),
        ("availability >= 99.5%", False),
        ("rate >= 19/s", True),
        ("rate >= 20/s", False),
        ("requests >= 200", True),
        ("requests > 200", False),
    ],
)
def test_figures_are_compared_as_they_are(text: str, ok: bool) -> None:
    assert verdict(text, measured([5.0] * 198, requests=200)).ok is ok


def test_no_requests_at_all_miss_a_number_of_requests() -> None:
    assert verdict("requests >= 1", measured()).ok is False


def recovery(seconds: float, censored: bool = False, window: str = "w0") -> Recovery:
    return Recovery(window=window, seconds=seconds, censored=censored)


@pytest.mark.parametrize(
    ("recoveries", "ok"),
    [
        ((recovery(0.0),), True),
        ((recovery(1.0),), True),
        ((recovery(2.0),), False),
        ((recovery(1.0, censored=True),), None),
        ((recovery(2.5, censored=True),), False),
        ((recovery(0.1, censored=True), recovery(1.0, window="w1")), None),
        ((recovery(0.1, censored=True), recovery(3.0, window="w1")), False),
    ],
)
def test_recovery(recoveries: tuple[Recovery, ...], ok: bool | None) -> None:
    assert verdict("recovery < 2s", measured([1.0], recoveries=recoveries)).ok is ok


def test_a_censored_recovery_says_which_window_and_how_long_was_watched() -> None:
    found = verdict("recovery < 2s", measured([1.0], recoveries=(recovery(1.5, censored=True, window="w3"),)))
    assert "1.5 s after w3" in found.why


def test_a_whole_run() -> None:
    slos = [
        SLO.parse(text) for text in ("p50 < 10ms", "p99 < 50ms", "availability >= 99%", "recovery < 2s", "requests >= 1000")
    ]
    found = measure(crash(outage_s=0.6), slos, load_s=10)
    assert [judge(slo, found).ok for slo in slos] == [True, False, False, True, True]


def test_recovery_that_never_came_is_missed() -> None:
    history = History.of(spoil(steady(), 4, 10), crash().windows)
    assert judge(SLO.parse("recovery < 2s"), measure(history, load_s=10)).ok is False
    assert judge(SLO.parse("recovery < 7s"), measure(history, load_s=10)).ok is None


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("p99 < 10ms", 3.14159, "3.14 ms"),
        ("p99 < 10ms", 9.99999, "9.99999 ms"),
        ("p99 < 10ms", 10.0, "10 ms"),
        ("max < 10s", 1234.5, "1,234 ms"),
        ("max < 10s", 999.6, "1,000 ms"),
        ("max < 1s", 999.97, "999.97 ms"),
        ("availability >= 99%", 0.998, "99.8 %"),
        ("availability >= 99%", 0.99998, "99.998 %"),
        ("availability >= 99.99%", 1.0, "100 %"),
        ("availability >= 99.99%", 0.99989, "99.989 %"),
        ("rate >= 100/s", 123456.7, "123,457/s"),
        ("recovery < 2s", 0.0, "0 s"),
        ("requests >= 100", 12345.0, "12,345"),
    ],
)
def test_values_are_never_rounded_across_their_threshold(text: str, value: float, shown: str) -> None:
    assert show(SLO.parse(text), value) == shown


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("p99 < 50ms", ""),
        ("p99.34 < 50ms", "p99.34 < 50ms needs 1,003 calls and about 1,000 are planned: it will probably be unknown."),
        ("p99.9 < 50ms", "p99.9 < 50ms needs 6,636 calls and about 1,000 are planned: it cannot be held, only missed."),
        ("recovery < 2s", "recovery < 2s needs a fault to recover from, and none is planned."),
        ("rate >= 90/s", ""),
        ("rate >= 200/s", "rate >= 200/s cannot be held: about 100/s are planned."),
        ("requests >= 2k", "requests >= 2k cannot be held: about 1,000 are planned."),
        ("availability >= 99.99%", ""),
    ],
)
def test_what_a_load_cannot_decide_is_known_before(text: str, told: str) -> None:
    lines = undecidable([SLO.parse(text)], calls=1000, seconds=10, faults=False)
    assert [line for line in lines if line.startswith(told)] == ([lines[0]] if told else [])
    assert bool(lines) is bool(told)
