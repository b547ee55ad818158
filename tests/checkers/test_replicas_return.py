"""Nodes that come back after a fault, nodes that do not, and times too short to tell."""

from __future__ import annotations

import pytest

from harness.checkers.replicas_return import applies, replicas_return
from harness.model.history import History

NS_PER_S = 1_000_000_000


def history(
    *answers: tuple[str, float, float],
    windows: list[dict[str, object]],
    every_s: float = 0.01,
    late_s: tuple[float, float] = (99, 99),
) -> History:
    """`answers`: who answered calls ("": they failed), from when to when (s), a call every `every_s`. Between the two
    `late_s` one of 50 left 60 ms late."""
    ops: list[dict[str, object]] = [
        {
            "client": 1,
            "kind": "predict",
            "key": "0",
            "outcome": "ok" if node else "failed",
            "node": node,
            "ready_ns": int((at_s - 0.06 * (number % 50 == 0 and late_s[0] <= at_s < late_s[1])) * NS_PER_S),
            "sent_ns": int(at_s * NS_PER_S),
            "done_ns": int((at_s + 0.001) * NS_PER_S),
        }
        for node, from_s, to_s in answers
        for number in range(round((to_s - from_s) / every_s))
        for at_s in [from_s + every_s * number]
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


def test_a_node_that_is_asked_again() -> None:
    told = history(("r1", 0, 2), ("r2", 0, 8), ("r1", 4, 8), windows=[window("r1", 2, 3)])
    verdict = replicas_return(told)
    assert (verdict.valid, verdict.why) == (True, "in service again when all faults were healed: r1, r2")


def test_a_node_that_is_never_asked_again() -> None:
    told = history(("r1", 0, 2), ("r2", 0, 8), windows=[window("balancer>r1", 2, 3)])
    verdict = replicas_return(told)
    assert verdict.valid is False
    assert verdict.why == (
        "out of service for good: r1; no answer to 400 calls since 4.00 s, one second after the last fault was healed"
    )


def test_a_load_that_ends_too_soon_shows_nobodys_absence() -> None:
    told = history(("r1", 0, 2), ("r2", 0, 4.9), windows=[window("r1", 2, 3)])
    verdict = replicas_return(told)
    assert verdict.valid is None
    assert "the load ended 1.9 s after that fault: let it go on for 2 s or more" in verdict.why
    assert replicas_return(history(("r1", 0, 2), ("r2", 0, 5.1), windows=[window("r1", 2, 3)])).valid is False


def test_a_node_that_is_never_asked_again_while_the_machine_is_too_busy() -> None:
    told = history(("r1", 0, 2), ("r2", 0, 8), windows=[window("r1", 2, 3)], late_s=(4, 8))
    verdict = replicas_return(told)
    assert verdict.valid is None
    assert verdict.why.startswith("no answer from r1 since 4.00 s, one second after the last fault was healed, but the machine")


def test_a_machine_that_was_too_busy_earlier_is_no_excuse() -> None:
    told = history(("r1", 0, 2), ("r2", 0, 8), windows=[window("r1", 2, 3)], late_s=(0, 3))
    assert replicas_return(told).valid is False


def test_every_node_that_stays_away_is_named() -> None:
    told = history(("r1", 0, 2), ("r2", 0, 2), ("r3", 0, 8), ("r4", 0, 8), windows=[window("r1 r2", 2, 3)])
    verdict = replicas_return(told)
    assert verdict.valid is False
    assert "out of service for good: r1, r2;" in verdict.why


def test_a_service_that_refuses_everything_afterwards_is_out_of_service() -> None:
    told = history(("r1", 0, 2), ("r2", 0, 2), ("", 4, 8), windows=[window("r1", 2, 3)])
    verdict = replicas_return(told)
    assert verdict.valid is False
    assert "out of service for good: r1, r2;" in verdict.why


def test_what_happens_between_two_faults_does_not_count() -> None:
    """It was asked in between only because the other one was hit: only the end counts."""
    windows = [window("r1", 2, 3), window("r2", 5, 6, "w1")]
    stays_away = history(("r1", 0, 2), ("r2", 0, 5), ("r1", 5, 6), ("r2", 6, 9), windows=windows)
    assert replicas_return(stays_away).valid is False
    returns_late = history(("r1", 0, 2), ("r2", 0, 5), ("r1", 6.5, 9), ("r2", 6.5, 9), windows=windows)
    assert replicas_return(returns_late).valid is True


def test_answers_within_the_second_after_healing_are_not_enough() -> None:
    told = history(("r1", 0, 2), ("r2", 0, 8), ("r1", 3.2, 3.8), windows=[window("r1", 2, 3)])
    assert replicas_return(told).valid is False


def test_one_answer_of_thousands_is_no_return() -> None:
    told = history(("r1", 0, 2), ("r2", 0, 8), ("r3", 0, 8), ("r1", 5, 5.01), windows=[window("r1", 2, 3)])
    verdict = replicas_return(told)
    assert verdict.valid is False
    assert verdict.why == (
        "out of service for good: r1 (1 answer, and 33% of all before the first fault); hardly an answer to 801 calls since"
        " 4.00 s, one second after the last fault was healed"
    )


def test_a_node_may_get_less_than_before() -> None:
    told = history(("r1", 0, 2), ("r2", 0, 8), ("r1", 4, 4.6), windows=[window("r1", 2, 3)])
    assert replicas_return(told).valid is True


def test_another_node_may_lead_afterwards() -> None:
    told = history(("n1", 0, 2), ("n2", 2.5, 8), windows=[window("n1", 2, 3)])
    verdict = replicas_return(told)
    assert verdict.valid is True
    assert verdict.why.startswith("one node answered, n1 before the first fault and n2 since 4.00 s")


def test_a_leader_without_a_successor_is_out_of_service() -> None:
    told = history(("n1", 0, 2), ("", 2, 8), windows=[window("n1", 2, 3)])
    assert replicas_return(told).valid is False


def test_a_few_answers_do_not_show_that_one_node_leads() -> None:
    told = history(("r1", 0, 0.1), ("r2", 2, 8), windows=[window("r1", 0.2, 3)])
    assert replicas_return(told).valid is False


def test_a_node_that_was_hardly_ever_asked_may_not_be_asked_again_by_chance() -> None:
    told = history(("r1", 0, 2), ("r2", 1, 1.03), ("r1", 4, 8), windows=[window("r1", 2, 3)])
    verdict = replicas_return(told)
    assert verdict.valid is None
    assert verdict.why.startswith("too seldom asked to tell whether they are in service since 4.00 s")
    assert verdict.why.endswith(": r2 (3 answers before the first fault)")
    seldom = history(("r1", 0, 2), ("r2", 1, 1.06), ("r1", 4, 5.5), ("r1", 4, 6.5), windows=[window("r1", 2, 3)])
    assert replicas_return(seldom).valid is False
    assert replicas_return(history(("r1", 0, 2), ("r2", 1, 1.03), ("", 4, 8), windows=[window("r1", 2, 3)])).valid is False


def test_a_node_that_was_hardly_ever_asked_excuses_no_other() -> None:
    told = history(("r1", 0, 2), ("r2", 0, 8), ("r3", 1, 1.03), windows=[window("r1", 2, 3)])
    verdict = replicas_return(told)
    assert verdict.valid is False
    assert "out of service for good: r1;" in verdict.why


def test_a_node_that_appears_only_later_is_not_waited_for() -> None:
    told = history(("r1", 0, 8), ("r3", 0, 8), ("r2", 2.5, 2.8), windows=[window("r1", 2, 3)])
    assert replicas_return(told).valid is True


@pytest.mark.parametrize(
    ("told", "why"),
    [
        pytest.param(history(("r1", 0, 2), ("r2", 0, 4.2), windows=[window("r1", 2, 3)]), "too few", id="ends too early"),
        pytest.param(history(("r1", 0, 8), windows=[window("r1", 2, None)]), "a fault was never healed", id="never healed"),
        pytest.param(history(("r1", 0, 8), windows=[window("r1", 0, 3)]), "no node answered before", id="hit at once"),
        pytest.param(history(("r1", 0, 8), windows=[]), "no fault was healed", id="no faults"),
        pytest.param(history(windows=[window("r1", 2, 3)]), "no node answered", id="no answers"),
    ],
)
def test_says_nothing_where_nothing_can_be_told(told: History, why: str) -> None:
    verdict = replicas_return(told)
    assert verdict.valid is None
    assert why in verdict.why


def test_applies_where_answers_tell_who_gave_them() -> None:
    assert applies(history(("r1", 0, 2), windows=[window("r1", 0, 1)]))
    assert not applies(history(("", 0, 2), windows=[window("r1", 0, 1)]))
    assert not applies(history(("r1", 0, 2), windows=[]))
