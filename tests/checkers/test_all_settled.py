"""What a node reports as unsettled at the end: nothing, something stuck, or work that decreases."""

from __future__ import annotations

import json

import pytest

from harness.checkers.all_settled import all_settled, applies
from harness.model.history import History

Row = dict[str, object]


def look(moment: str, unsettled: dict[str, int] | None, node: str = "n1", pid: int = 7) -> Row:
    text = None if unsettled is None else json.dumps(unsettled)
    return {"at_ns": 0, "node": node, "pid": pid, "moment": moment, "unsettled": text}


def judged(*rows: Row) -> tuple[bool | None, str]:
    verdict = all_settled(History.of([], usage=list(rows)))
    return verdict.valid, verdict.why


def test_nodes_that_came_to_rest_are_told() -> None:
    valid, why = judged(look("start", {"operations": 9}), look("end", {}), look("end", {}, "n2", 8), look("end", None, "n3", 9))
    assert (valid, why) == (True, "2 nodes had nothing pending and nothing out of service at the end")


def test_what_is_left_is_told_by_node() -> None:
    valid, why = judged(look("end", {}), look("end", {"requests outstanding": 1200, "breakers not closed": 1}, "n2", 8))
    assert (valid, why) == (False, "n2 ended with 1,200 requests outstanding, 1 breakers not closed")


@pytest.mark.parametrize(
    ("over", "end", "valid"),
    [
        ({"queue": 50}, {"queue": 50}, False),
        ({"queue": 50}, {"queue": 51}, False),
        ({"queue": 50}, {"queue": 49}, True),
        ({"queue": 50}, {"queue": 49, "probes": 1}, False),
        ({"queue": 50}, {}, True),
        ({"queue": 50}, {"queue": -1}, False),
    ],
)
def test_what_becomes_less_is_worked_off_and_the_rest_is_stuck(over: dict[str, int], end: dict[str, int], valid: bool) -> None:
    found, why = judged(look("over", over), look("end", end))
    assert found is valid
    if end == {"queue": 49}:
        assert why == "nothing is stuck, and some work is not done yet: n1 with 49 queue"


def test_another_start_of_the_node_has_nothing_to_do_with_it() -> None:
    assert judged(look("over", {"queue": 50}, pid=6), look("end", {"queue": 49}, pid=7))[0] is False


@pytest.mark.parametrize("rows", [[], [look("start", {"queue": 1})], [look("end", None)]])
def test_unknown_if_no_node_says_anything(rows: list[Row]) -> None:
    assert judged(*rows)[0] is None
    assert not applies(History.of([], usage=rows))
