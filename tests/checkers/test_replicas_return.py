"""Nodes that come back after a fault, nodes that do not, and times too short to tell."""

from __future__ import annotations

import pytest

from harness.checkers.replicas_return import applies, replicas_return
from harness.history import History

NS_PER_S = 1_000_000_000


def history(*answers: tuple[str, float, float], windows: list[dict[str, object]], every_s: float = 0.01) -> History:
    """`answers`: who answered calls, from when to when (s), a call every `every_s`."""
    ops = [
        {
            "client": 1,
            "kind": "predict",
            "key": "0",
            "outcome": "ok",
            "node": node,
            "sent_ns": int((from_s + every_s * number) * NS_PER_S),
            "done_ns": int((from_s + every_s * number + 0.001) * NS_PER_S),
        }
        for node, from_s, to_s in answers
        for number in range(round((to_s - from_s) / every_s))
    ]
    return History.of(ops, windows=windows)


def window(targets: str, from_s: float, to_s: float | None, label: str = "w0") -> dict[str, object]:
    return {
        "label": label,
        "fault": "Kill",
        "selector": "one",
        "targets": targets,
        "from_s": from_s,
        "to_s": to_s or 9,
        "injected_ns": int(from_s * NS_PER_S),
        "healed_ns": None if to_s is None else int(to_s * NS_PER_S),
    }


@pytest.mark.parametrize("targets", ["r1", "balancer>r1"])
def test_a_node_that_is_asked_again(targets: str) -> None:
    told = history(("r1", 0, 2), ("r2", 0, 8), ("r1", 4, 8), windows=[window(targets, 2, 3)])
    verdict = replicas_return(told)
    assert (verdict.valid, verdict.why) == (True, "in service again after each fault: r1")


@pytest.mark.parametrize("targets", ["r1", "balancer>r1"])
def test_a_node_that_is_never_asked_again(targets: str) -> None:
    told = history(("r1", 0, 2), ("r2", 0, 8), windows=[window(targets, 2, 3)])
    verdict = replicas_return(told)
    assert verdict.valid is False
    assert verdict.why == "never asked again: r1 after w0 was healed at 3.00 s (others: 400 answers)"


def test_one_of_several_that_stays_away() -> None:
    told = history(("r1", 0, 2), ("r2", 0, 2), ("r3", 0, 8), ("r1", 4, 8), windows=[window("r1 r2", 2, 3)])
    verdict = replicas_return(told)
    assert verdict.valid is False
    assert "r2 after w0" in verdict.why
    assert "r1" not in verdict.why


def test_a_node_that_is_hit_again_before_it_could_return() -> None:
    told = history(("r1", 0, 2), ("r2", 0, 8), ("r1", 6, 8), windows=[window("r1", 2, 3), window("r1", 3.5, 4.5, "w1")])
    verdict = replicas_return(told)
    assert (verdict.valid, verdict.why) == (True, "in service again after each fault: r1")


def test_a_node_that_comes_back_once_and_not_the_second_time() -> None:
    told = history(("r1", 0, 2), ("r2", 0, 9), ("r1", 3, 5), windows=[window("r1", 2, 3), window("r1", 5, 6, "w1")])
    verdict = replicas_return(told)
    assert verdict.valid is False
    assert "r1 after w1" in verdict.why


def test_answers_during_the_grace_are_not_asked_for_and_not_enough() -> None:
    told = history(("r1", 0, 2), ("r2", 0, 8), ("r1", 3.2, 3.8), windows=[window("r1", 2, 3)])
    assert replicas_return(told).valid is False


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(history(("r1", 0, 2), ("r2", 0, 4.2), windows=[window("r1", 2, 3)]), id="the load ends too early"),
        pytest.param(history(("r1", 0, 2), ("r2", 0, 8), windows=[window("r1", 2, None)]), id="never healed"),
        pytest.param(history(("r2", 0, 8), windows=[window("r1", 2, 3)]), id="never answered before"),
        pytest.param(history(("r1", 0, 8), windows=[]), id="no faults"),
        pytest.param(history(windows=[window("r1", 2, 3)]), id="no answers"),
    ],
)
def test_says_nothing_where_nothing_can_be_told(told: History) -> None:
    assert replicas_return(told).valid is None


def test_applies_where_answers_tell_who_gave_them() -> None:
    assert applies(history(("r1", 0, 2), windows=[window("r1", 0, 1)]))
    assert not applies(history(("", 0, 2), windows=[window("r1", 0, 1)]))
    assert not applies(history(("r1", 0, 2), windows=[]))
