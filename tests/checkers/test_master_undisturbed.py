"""What `master_undisturbed` accepts, and what it finds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.checkers.master_undisturbed import applies, master_undisturbed
from harness.model.history import EVENTS, USAGE, WINDOWS, History, frame
from harness.model.verdict import Verdict
from tests.helpers.trained import NS_PER_S, history

STEPS = """
    master  g1 step 0 aa 0:1,0:2  at 1.0
    worker1 g1 step 0 aa ,        at 0.9
"""
BEGAN = ((-0.1, "master", 1), (3.0, "standby", 2))


def ns(at_s: float) -> int:
    return round(at_s * NS_PER_S)


def told(*windows: tuple[str, str, float, float | None], began: tuple[tuple[float, str, int], ...] = BEGAN) -> History:
    """The history of terms that began, and of faults: their kind, their targets, and when they were in effect."""
    rows = [
        {"at_ns": ns(at_s), "node": node, "kind": "resumed", "detail": f'{{"generation":{term},"step":0}}'}
        for at_s, node, term in began
    ]
    hits: list[dict[str, object]] = [
        {
            "label": f"w{number}", "fault": fault, "selector": targets, "targets": targets, "from_s": begin,
            "to_s": end or 99.0, "injected_ns": ns(begin), "healed_ns": None if end is None else ns(end),
        }
        for number, (fault, targets, begin, end) in enumerate(windows)
    ]  # fmt: skip
    return replace(history(STEPS), events=frame(EVENTS, rows), windows=frame(WINDOWS, hits))


def waited(found: History, node: str, seconds: float) -> Verdict:
    """The verdict if a process waited so long for a CPU in the second before the second term."""
    looks = [
        {"at_ns": ns(at_s), "node": node, "pid": 7, "ran_ns": 0, "waited_ns": ns(waited_s), "rss_bytes": 0}
        for at_s, waited_s in ((0.0, 0.0), (2.0, 0.0), (3.0, seconds), (10.0, seconds))
    ]
    return master_undisturbed(replace(found, usage=frame(USAGE, looks)))


@pytest.mark.parametrize(
    "windows",
    [
        [("Kill", "master", 1.9, 2.0)],
        [("Kill", "master standby", 1.9, 2.0)],
        [("Pause", "master", 1.5, 5.0)],
        [("Pause", "master", 1.5, None)],
        [("Isolate", "master>standby", 1.0, 2.5)],
        [("Pause", "master", 1.0, 1.6), ("Pause", "master", 1.5, 2.1)],
    ],
)
def test_a_master_that_was_silent_for_a_second_may_be_replaced(windows: list[tuple[str, str, float, float | None]]) -> None:
    verdict = master_undisturbed(told(*windows))
    assert verdict.valid is True
    assert verdict.why == "1 new term, each after the master before was silent"


@pytest.mark.parametrize(
    ("windows", "hit"),
    [
        ([], "0.00"),
        ([("Kill", "worker1", 1.0, 2.0), ("Pause", "standby", 1.0, 2.0)], "0.00"),
        ([("Pause", "master", 1.0, 1.6)], "0.60"),
        ([("Pause", "master", 1.0, 1.6), ("Pause", "master", 2.0, 2.6)], "0.60"),
        ([("Pause", "master", 2.5, 5.0)], "0.50"),
        ([("Kill", "master", 3.5, 4.0)], "0.00"),
    ],
)
def test_a_master_that_is_replaced_without_need_is_found(windows: list[tuple[str, str, float, float | None]], hit: str) -> None:
    verdict = master_undisturbed(told(*windows))
    assert verdict.valid is False
    assert verdict.why == (f"standby began term 2 at 3.00 s, though master had led term 1 and was hit for {hit} s at most")


def test_a_master_that_is_elected_again_without_need_is_found() -> None:
    assert master_undisturbed(told(began=((-0.1, "master", 1), (3.0, "master", 2)))).valid is False


def test_what_happened_before_the_load_is_not_judged() -> None:
    assert master_undisturbed(told(began=((-0.5, "master", 1), (-0.1, "standby", 2)))).valid is True


def test_a_server_that_could_not_run_may_have_been_silent() -> None:
    found = told(("Pause", "master", 1.0, 1.6))
    verdict = waited(found, "master", 0.5)
    assert verdict.valid is None
    assert verdict.why.endswith("0.60 s at most; but master waited 0.50 s for a CPU")
    assert waited(found, "master", 0.2).valid is False
    again = told(("Pause", "master", 1.0, 1.6), began=(*BEGAN, (8.0, "master", 3)))
    assert "began term 3" in waited(again, "master", 0.5).why, "what is certain counts, although another one is not"
    assert waited(found, "worker1", 0.9).valid is False


def test_what_cannot_be_told_is_unknown() -> None:
    assert master_undisturbed(told(began=())).valid is None
    assert master_undisturbed(replace(told(), steps=history("rank0 g1 step 0 aa 0:1 at 1.0").steps)).valid is None
    broken = frame(EVENTS, [{"at_ns": 1, "node": "master", "kind": "resumed", "detail": "x"}])
    assert master_undisturbed(replace(told(), events=broken)).valid is None


def test_it_applies_where_a_master_trains_with_workers() -> None:
    assert applies(told())
    assert not applies(history("rank0 g1 step 0 aa 0:1 at 1.0"))
    assert not applies(history(""))
