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
