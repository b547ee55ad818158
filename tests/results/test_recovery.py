"""Recovery: from a fault's start to sustained good service, or at least as long as the run was watched."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.history import History
from results.analysis.recovery import Recovery, recoveries
from tests.helpers.synthetic import spoil, steady, window

LOAD_NS = 10_000_000_000


def recovered(ops: pd.DataFrame, *windows: dict[str, object]) -> list[tuple[str, object, bool]]:
    history = History.of(ops, list(windows))
    return [(r.window, pytest.approx(r.seconds), r.censored) for r in recoveries(history, (), LOAD_NS)]


def test_nothing_bad_is_nothing_to_recover_from() -> None:
    assert recovered(steady(), window(4, 6)) == [("w0", 0.0, False)]


def test_no_windows() -> None:
    assert recovered(spoil(steady(), 2, 3)) == []


def test_a_fault_that_was_never_injected_has_no_recovery() -> None:
    assert recovered(spoil(steady(), 4, 5), window(4, 6, injected=False)) == []


def test_a_fault_after_the_load_has_no_recovery() -> None:
    assert recovered(steady(), window(11, 12)) == []


def test_bad_slots_before_the_fault_do_not_count() -> None:
    assert recovered(spoil(steady(), 2, 3.9), window(4, 6)) == [("w0", 0.0, False)]


def test_trouble_that_starts_late_counts_from_the_faults_start() -> None:
    assert recovered(spoil(steady(), 5, 5.3), window(4, 6)) == [("w0", 1.3, False)]


def test_a_respite_shorter_than_a_second_is_not_recovery() -> None:
    ops = spoil(spoil(steady(), 4, 4.5), 5.4, 5.6)
    assert recovered(ops, window(4, 6)) == [("w0", 1.6, False)]


def test_a_respite_of_a_second_is() -> None:
    ops = spoil(spoil(steady(), 4, 4.5), 5.5, 5.6)
    assert recovered(ops, window(4, 6)) == [("w0", 0.5, False)]


def test_bad_until_the_end_is_censored() -> None:
    assert recovered(spoil(steady(), 4, 10), window(4, 6)) == [("w0", 6.0, True)]


def test_good_for_less_than_a_second_at_the_end_is_censored() -> None:
    assert recovered(spoil(steady(), 4, 9.2), window(4, 6)) == [("w0", 6.0, True)]


def test_the_next_window_ends_the_watching() -> None:
    found = recovered(spoil(steady(), 4, 6.5), window(4, 5), window(6, 7, label="w1"))
    assert found == [("w0", 2.0, True), ("w1", 0.5, False)]


def test_windows_injected_at_the_same_moment_share_what_follows() -> None:
    found = recovered(spoil(steady(), 4, 4.4), window(4, 5), window(4, 6, label="w1"))
    assert found == [("w0", 0.4, False), ("w1", 0.4, False)]


def test_a_few_bad_calls_do_not_make_a_slot_bad() -> None:
    ops = steady(rate=1000)
    one_in_25 = spoil(ops, 4, 6)["outcome"].where(ops.index % 25 == 0, "ok")
    one_in_10 = spoil(ops, 4, 6)["outcome"].where(ops.index % 10 == 0, "ok")
    assert recovered(ops.assign(outcome=one_in_25), window(4, 6)) == [("w0", 0.0, False)]
    assert recovered(ops.assign(outcome=one_in_10), window(4, 6)) == [("w0", 2.0, False)]


def test_slots_widen_where_calls_are_few() -> None:
    ops = steady(rate=20, seconds=10)  # 20 calls a second: slots of one second
    assert recovered(spoil(ops, 4, 4.1), window(4, 6)) == [("w0", 1.0, False)]
    assert recovered(spoil(ops, 4, 4.05), window(4, 6)) == [("w0", 0.0, False)]


def test_empty_slots_are_skipped() -> None:
    ops = spoil(steady(), 4, 4.3)
    ops = ops[(ops["due_ns"] < 4.5e9) | (ops["due_ns"] >= 4.8e9)]
    assert recovered(ops, window(4, 6)) == [("w0", 0.3, False)]


@given(st.integers(0, 70), st.integers(1, 50))
@pytest.mark.slow
def test_one_outage_is_measured_to_the_slot(after: int, length: int) -> None:
    start_s, end_s = 2 + after / 10, min(2 + (after + length) / 10, 10)
    (found,) = recoveries(History.of(spoil(steady(rate=300), start_s, end_s), [window(2, 3)]), (), LOAD_NS)
    assert found.censored == (end_s > 9.05)
    if start_s < 9.99:
        assert found == Recovery(window="w0", seconds=8.0 if found.censored else found.seconds, censored=found.censored)
        assert found.seconds == pytest.approx(8.0 if found.censored else end_s - 2, abs=0.11)


def test_what_the_next_fault_met_under_way_is_not_held_against_the_one_before() -> None:
    ops = steady()
    under_way = (ops["due_ns"] >= 5_800_000_000) & (ops["due_ns"] < 6_300_000_000)
    ops.loc[under_way, "outcome"] = "unknown"
    ops.loc[under_way, "done_ns"] = 6_400_000_000
    assert recovered(ops, window(4, 5), window(6, 7, "w1")) == [("w0", 0.0, False), ("w1", 0.3, False)]


def test_what_had_been_waiting_for_long_when_the_next_fault_came_is() -> None:
    ops = steady()
    stuck = (ops["due_ns"] >= 4_500_000_000) & (ops["due_ns"] < 6_000_000_000)
    ops.loc[stuck, "outcome"] = "unknown"
    ops.loc[stuck, "done_ns"] = 9_000_000_000
    assert recovered(ops, window(4, 5), window(6, 7, "w1"))[0] == ("w0", 2.0, True)
