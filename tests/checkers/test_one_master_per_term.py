"""What `one_master_per_term` accepts, and what it finds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.checkers.one_master_per_term import applies, one_master_per_term
from harness.model.history import EVENTS, History, frame
from tests.helpers.trained import NS_PER_S, history

STEPS = """
    master  g1 step 0 aa 0:1,0:2  at 1.0
    worker1 g1 step 0 aa ,        at 0.9
    standby g2 step 0 aa 0:1,0:2  at 3.0
    worker1 g2 step 0 aa ,        at 2.9
"""
BEGAN = ((0.5, "master", 1), (2.5, "standby", 2))


def told(transcript: str, *began: tuple[float, str, int]) -> History:
    rows = [
        {"at_ns": round(at_s * NS_PER_S), "node": node, "kind": "resumed", "detail": f'{{"generation":{term},"step":0}}'}
        for at_s, node, term in began
    ]
    return replace(history(transcript), events=frame(EVENTS, rows))


def test_a_master_for_each_term_is_right() -> None:
    verdict = one_master_per_term(told(STEPS, *BEGAN))
    assert verdict.valid is True
    assert verdict.why == "2 terms, each with one master"


@pytest.mark.parametrize(
    ("again", "why"),
    [
        ((2.6, "master", 2), "term 2 began twice: standby at 2.50 s, and master at 2.60 s"),
        ((2.6, "standby", 2), "term 2 began twice: standby at 2.50 s, and standby at 2.60 s"),
    ],
)
def test_a_term_that_begins_twice_is_found(again: tuple[float, str, int], why: str) -> None:
    verdict = one_master_per_term(told(STEPS, *BEGAN, again))
    assert verdict.valid is False
    assert verdict.why == why


def test_a_step_of_another_ones_term_is_found() -> None:
    verdict = one_master_per_term(told(f"{STEPS}\n master g2 step 0 aa 0:1,0:2 at 3.1", *BEGAN))
    assert verdict.valid is False
    assert verdict.why == "master did step 0 of term 2, which standby at 2.50 s had begun"


def test_what_cannot_be_told_is_unknown() -> None:
    assert one_master_per_term(told(STEPS)).valid is None
    assert one_master_per_term(told("rank0 g1 step 0 aa 0:1 at 1.0", *BEGAN)).valid is None
    broken = frame(EVENTS, [{"at_ns": 1, "node": "master", "kind": "resumed", "detail": "x"}])
    assert one_master_per_term(replace(told(STEPS), events=broken)).valid is None


def test_it_applies_where_a_master_trains_with_workers() -> None:
    assert applies(told(STEPS))
    assert not applies(told("rank0 g1 step 0 aa 0:1 at 1.0"))
    assert not applies(told(""))
