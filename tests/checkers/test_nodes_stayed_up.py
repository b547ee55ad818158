"""Nodes that end by themselves, nodes that faults end, and histories that do not tell."""

from __future__ import annotations

from harness.checkers.nodes_stayed_up import nodes_stayed_up
from harness.model.history import History


def history(*kinds: str) -> History:
    events = [
        {"at_ns": 10**9 * turn, "node": "n1", "kind": kind, "detail": "exit code 3"} for turn, kind in enumerate(kinds, start=1)
    ]
    return History.of([], events=events)


def test_a_node_that_a_fault_ended_and_that_came_back_stayed_up() -> None:
    assert nodes_stayed_up(history("started", "killed", "started")).valid is True


def test_a_node_that_ended_by_itself_or_did_not_come_back_is_told() -> None:
    verdict = nodes_stayed_up(history("started", "died", "died"))
    assert verdict.valid is False
    assert verdict.why == "n1 died at 2.00 s: exit code 3 (1 more)"
    assert nodes_stayed_up(history("did not start")).valid is False


def test_a_history_that_does_not_tell_of_nodes_shows_nothing() -> None:
    assert nodes_stayed_up(history()).valid is None
    assert nodes_stayed_up(history("nemesis kill")).valid is None


def seen(moment: str, at_s: float, tasks: int | None, *, pid: int = 7, waited_s: float = 0.0) -> dict[str, object]:
    """A look at node n1."""
    return {
        "at_ns": round(at_s * 1e9), "node": "n1", "pid": pid, "moment": moment, "tasks": tasks, "descriptors": 12,
        "waited_ns": round(waited_s * 1e9),
    }  # fmt: skip


def looked_at(*looks: dict[str, object]) -> History:
    return History.of([], events=[{"at_ns": 0, "node": "n1", "kind": "started", "detail": ""}], usage=list(looks))


def test_a_node_that_does_not_answer_in_the_end_hangs() -> None:
    verdict = nodes_stayed_up(looked_at(seen("start", 0.2, 3), seen("over", 5, None), seen("end", 10.5, None)))
    assert verdict.valid is False
    assert verdict.why == "n1 ran, but did not answer for 5.5 s when everything was over"


def test_a_node_that_answers_late_or_never_did_or_is_a_new_one_does_not_hang() -> None:
    for looks in (
        (seen("start", 0.2, 3), seen("over", 5, None), seen("end", 8, 3)),
        (seen("start", 0.2, 3), seen("end", 8, None)),  # looked at once
        (seen("start", 0.2, None), seen("over", 5, None), seen("end", 10, None)),  # a foreign program
        (seen("start", 0.2, 3), seen("over", 5, None), seen("end", 10, None, pid=8)),
    ):
        assert nodes_stayed_up(looked_at(*looks)).valid is True


def test_a_node_that_got_no_cpu_is_not_said_to_hang() -> None:
    looks = seen("start", 0.2, 3), seen("over", 5, None), seen("end", 10, None, waited_s=4.0)
    verdict = nodes_stayed_up(looked_at(*looks))
    assert verdict.valid is None
    assert "the machine was too busy" in verdict.why
