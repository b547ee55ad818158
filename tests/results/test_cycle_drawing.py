"""The drawing of transactions that contradict each other, alone and on a run's page."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import msgspec

from harness.checkers.serializable import serializable
from harness.model.history import History
from harness.run.judging import check
from results.record.result import CheckResult
from results.report.cycle_drawing import cycle_drawing
from results.report.page import render
from tests.helpers.synthetic import concluded, crash
from tests.helpers.transactions import recorded, told

WRITE_SKEW = recorded(told("c1 rx[] ay1 0..9 ok\nc2 ry[] ax1 0..9 ok\nc3 rx1 ry1 20..30 ok"))


def judged(history: History) -> CheckResult:
    return check(history, [serializable])[0]


def test_each_transaction_is_a_box_and_each_dependency_an_arrow() -> None:
    shown = cycle_drawing(judged(WRITE_SKEW), WRITE_SKEW.ops)
    assert shown is not None
    assert [box.name for box in shown.boxes] == ["op 0, client 1", "op 1, client 2"]
    assert [arrow.label for arrow in shown.arrows] == ["rw: read before it was written by"] * 2
    assert shown.steps == (
        "op 0 found nothing in x, to which op 1 appended 1",
        "op 1 found nothing in y, to which op 0 appended 1",
    )
    assert len({arrow.path for arrow in shown.arrows}) == 2


def test_boxes_of_a_long_cycle_do_not_overlap_and_stay_inside() -> None:
    ring = "".join(f"c{n} r{chr(97 + n)}[] a{chr(97 + (n + 1) % 12)}1 0..9 ok\n" for n in range(12))
    history = recorded(told(ring + "c50 ra1 0..9 ok"))
    shown = cycle_drawing(judged(history), history.ops)
    assert shown is not None
    assert len(shown.boxes) == 12
    for one, other in pairwise([*shown.boxes, shown.boxes[0]]):
        assert abs(one.x - other.x) >= shown.box_width or abs(one.y - other.y) >= shown.box_height
    assert all(shown.box_width / 2 <= box.x <= shown.width - shown.box_width / 2 for box in shown.boxes)
    assert all(shown.box_height / 2 <= box.y <= shown.height - shown.box_height / 2 for box in shown.boxes)


def test_a_check_without_a_cycle_has_no_drawing() -> None:
    found = judged(WRITE_SKEW)
    assert cycle_drawing(msgspec.structs.replace(found, cycle=()), WRITE_SKEW.ops) is None
    assert cycle_drawing(found, WRITE_SKEW.ops.iloc[:0]) is None


def test_it_stands_on_the_page_of_a_run() -> None:
    history = replace(crash(), ops=WRITE_SKEW.ops)
    result = msgspec.structs.replace(concluded(crash()), checks=(judged(WRITE_SKEW),))
    page = render([(Path("nowhere"), result, history)])
    assert "op 1 found nothing in y, to which op 0 appended 1" in page
    assert page.count("<marker") == 1
