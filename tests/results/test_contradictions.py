"""The timeline of operations that contradict a check: which appear, in what order, and which are left out."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from harness.model.history import History
from results.record.result import CheckResult
from results.report.contradictions import Bar, timeline
from tests.helpers.synthetic import steady
from tests.helpers.transcript import history

STALE = history(
    """
    c1 write x 1       0..10   ok
    c2 write y 9       2..4    ok
    c1 write x 2   5000..5010  ok
    c2 read  x 1   5020..5030  ok node=n3
    c3 read  x 2   5005..5006  ok
    c3 read  y 9   9000..9001  ok
    """
)


def wrong(*ops: int) -> CheckResult:
    return CheckResult(name="linearizable", valid=False, why="stale", ops=ops)


def bars(found: History, *ops: int) -> dict[str, tuple[Bar, ...]]:
    shown = timeline(wrong(*ops), found.ops)
    assert shown is not None
    return dict(shown.lanes)


def test_each_client_has_a_lane_with_its_calls_in_order_and_the_suspects_come_first() -> None:
    lanes = bars(STALE, 3)
    assert list(lanes) == ["client 2", "client 1", "client 3"]
    assert [bar.text for bar in lanes["client 1"]] == ["write x = 1", "write x = 2"]
    assert [(bar.text, bar.suspect) for bar in lanes["client 2"]] == [("write y = 9", False), ("read x = 1", True)]
    assert "operation 3: read x = 1, ok, sent at 5.020000 s, 10 ms, answered by n3" in [bar.tip for bar in lanes["client 2"]]


def test_what_came_before_is_drawn_before_and_what_overlaps_overlaps() -> None:
    lanes = bars(STALE, 3)
    _, later_write = lanes["client 1"]
    _, stale_read = lanes["client 2"]
    fresh_read = lanes["client 3"][0]
    assert later_write.left < fresh_read.left < fresh_read.left + fresh_read.width < later_write.left + later_write.width
    assert later_write.left + later_write.width < stale_read.left
    assert all(
        bar.width > 1 and bar.room >= bar.width for lane in lanes.values() for bar in lane
    )  # 9 s of nothing take no room


def test_a_crowd_is_cut_to_the_nearest_calls() -> None:
    found = History.of(steady())
    shown = timeline(wrong(*range(2000, 2100)), found.ops)
    assert shown is not None
    drawn = [bar for _, lane in shown.lanes for bar in lane]
    assert (len(drawn), sum(bar.suspect for bar in drawn)) == (16, 12)
    assert shown.note == "88 more operations are in the run's result."
    assert 3.0 < shown.from_s < 4.0 < shown.to_s < 5.0


def test_operations_that_were_not_recorded_have_no_timeline() -> None:
    assert timeline(wrong(10**9), STALE.ops) is None
    assert timeline(wrong(), STALE.ops) is None


def test_how_far_there_is_an_order_is_drawn() -> None:
    found = replace(wrong(3), explained_until_ns=5_030_000_000)
    shown = timeline(found, STALE.ops)
    assert shown is not None
    assert "left of the dashed line has an order" in shown.note
    lanes = dict(shown.lanes)
    stale_read = lanes["client 2"][1]
    assert shown.explained_until == pytest.approx(stale_read.left + stale_read.width, abs=0.01)
    assert [bar.explained for bar in lanes["client 1"]] == [True, True]
    assert not stale_read.explained
    drawn_without = timeline(wrong(3), STALE.ops)
    assert drawn_without is not None
    assert drawn_without.explained_until is None
