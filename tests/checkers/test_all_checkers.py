"""Tests that every checker in the folder has to pass."""

from __future__ import annotations

import pytest

from harness.model.history import History
from harness.model.verdict import Checker
from harness.run import catalog
from tests.helpers.transcript import history

REGISTERS = """
    c1 write x 1     0..10 ok
    c2 read  x 1   20..30 ok
    c2 read  x 1   90..95 ok final
"""
PREDICTIONS = 'c1 predict digit-1 {"label":7,"score":0.5} 0..10 ok expected={"label":7,"score":0.5}'
WINDOW: dict[str, object] = {
    "label": "w0", "fault": "Kill", "selector": "one", "targets": "n1", "from_s": 1.0, "to_s": 2.0, "acted": True,
}  # fmt: skip


def applying(transcript: str, windows: list[dict[str, object]] | None = None) -> set[str]:
    return {checker.__name__ for checker in catalog.checkers_for(history(transcript, windows))}


@pytest.mark.parametrize("checker", catalog.checkers().values(), ids=catalog.checkers().keys())
def test_an_empty_history_is_never_invalid(checker: Checker) -> None:
    """An empty record shows no wrong behaviour; the checker then says so in one line."""
    verdict = checker(history(""))
    assert verdict.valid is not False
    assert verdict.why
    assert "\n" not in verdict.why
    assert verdict.ops == ()


def test_checkers_apply_where_they_have_something_to_judge() -> None:
    assert applying("") == set()
    assert applying("", [WINDOW]) == {"faults_acted"}
    nemesis = History.of([], events=[{"at_ns": 1, "node": "nemesis", "kind": "nemesis start", "detail": ""}])
    assert catalog.checkers_for(nemesis) == []
    assert applying(REGISTERS) == {"calls_done", "linearizable", "nothing_lost"}
    assert applying(REGISTERS.replace("final", "")) == {"calls_done", "linearizable"}
    assert applying(REGISTERS.replace("0..10 ok", "0..10 ok ready=-5")) == applying(REGISTERS) | {"generator_kept_up"}
    assert applying(PREDICTIONS) == {"calls_done", "predictions_correct"}
