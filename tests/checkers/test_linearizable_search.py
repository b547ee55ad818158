"""`linearizable` against a search through every order, on random histories, and what an invalid verdict promises."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pandas as pd
import pytest

from harness.checkers.linearizable import linearizable
from harness.model.history import History
from harness.model.verdict import Verdict
from tests.helpers.effort import cases, left_to_ci
from tests.helpers.random_registers import any_history, right
from tests.helpers.search import Op, has_order, until

LONG_AGO = -1000


def recorded(histories: list[list[Op]]) -> History:
    """Several histories as one, each with its own key."""
    rows = [(f"k{number}", client, op) for number, ops in enumerate(histories) for client, op in enumerate(ops)]
    return History.of(
        pd.DataFrame(
            {
                "client": [client for _, client, _ in rows],
                "kind": [op.kind for _, _, op in rows],
                "key": [key for key, _, _ in rows],
                "value": [op.value for _, _, op in rows],
                "outcome": [op.outcome for _, _, op in rows],
                "sent_ns": [op.sent for _, _, op in rows],
                "done_ns": [op.done for _, _, op in rows],
            }
        )
    )


def answered_reads(ops: list[Op]) -> list[Op]:
    return [op for op in ops if op.kind == "read" and op.outcome == "ok"]


def agrees(ops: list[Op]) -> Verdict:
    """The verdict on one history, after checking it, and every promise it makes, against the search."""
    verdict = linearizable(recorded([ops]))
    expected = has_order(ops) if answered_reads(ops) else None
    assert verdict.valid is expected, (verdict, ops)
    if verdict.valid is False:
        the_calls_told_suffice_and_are_all_needed(ops, verdict)
        nothing_was_wrong_before(ops, verdict)
    return verdict


def the_calls_told_suffice_and_are_all_needed(ops: list[Op], verdict: Verdict) -> None:
    told = [ops[row] for row in verdict.ops]
    assert 1 <= len(told) <= 4
    assert not has_order(explained(told, ops)), (verdict, ops)
    for left_out in told:
        if left_out.outcome != "failed":  # a failed write is told to explain, and constrains nothing
            assert has_order(explained([op for op in told if op is not left_out], ops)), (verdict, ops, left_out)


def explained(told: list[Op], ops: list[Op]) -> list[Op]:
    """Some calls, and for values whose write is not among them a write that may have been at any time."""
    listed = {op.value for op in told if op.kind == "write" and op.outcome != "failed"}
    written = {op.value for op in ops if op.kind == "write" and op.outcome != "failed"}
    wanted = {op.value for op in told} & written - listed
    return told + [Op("write", value, LONG_AGO, LONG_AGO, "unknown") for value in wanted]


def nothing_was_wrong_before(ops: list[Op], verdict: Verdict) -> None:
    moment = max(op.done for op in answered_reads([ops[row] for row in verdict.ops]))
    assert has_order(until(ops, moment, inclusive=False)), (verdict, ops)
    assert not has_order(until(ops, moment, inclusive=True)), (verdict, ops)


@pytest.mark.parametrize("seed", range(200))
def test_agrees_with_the_search(seed: int) -> None:
    agrees(any_history(Random(seed)))


@pytest.mark.nightly
def test_agrees_with_the_search_for_long() -> None:
    for seed in range(20_000):
        agrees(any_history(Random(seed)))


def test_both_verdicts_are_common_among_the_random_histories() -> None:
    """Otherwise agreement would prove little."""
    verdicts = [has_order(any_history(Random(seed))) for seed in range(cases(2000))]
    assert cases(400) < sum(verdicts) < cases(1600)


def test_values_written_twice_are_not_called_wrong() -> None:
    """An atomic register's history stays right when different values are given one name."""
    histories = [
        [replace(op, value=op.value and str(int(op.value) % 2)) for op in right(Random(seed))] for seed in range(cases(1000))
    ]
    verdict = linearizable(recorded(histories))
    assert verdict.valid is True, verdict.why


def test_accepts_whatever_an_atomic_register_did() -> None:
    histories = [right(Random(seed)) for seed in range(cases(5000))]
    assert all(has_order(ops) for ops in histories)
    verdict = linearizable(recorded(histories))
    assert verdict.valid is True, verdict.why


@pytest.mark.parametrize("seed", [*range(5), *map(left_to_ci, range(5, 20))])
def test_keys_together_are_judged_as_each_alone(seed: int) -> None:
    random = Random(seed)
    histories = [any_history(random) for _ in range(200)]
    contradictory = sum(not has_order(ops) for ops in histories)
    assert contradictory > 1
    verdict = linearizable(recorded(histories))
    assert verdict.valid is False
    assert verdict.why.endswith(f"({contradictory} keys contradict themselves)")


@pytest.mark.parametrize("at_once", [left_to_ci(1), 7, 100])
def test_calls_are_judged_in_parts_as_all_at_once(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = []
    for calls in (at_once, 10**6):
        monkeypatch.setattr("harness.checkers.linearizable._CALLS_AT_ONCE", calls)
        random = Random(at_once)
        wrong = recorded([any_history(random) for _ in range(40)])
        twice = recorded(
            [[replace(op, value=op.value and str(int(op.value) % 2)) for op in any_history(random)] for _ in range(40)]
        )
        verdicts.append([linearizable(wrong), linearizable(twice), linearizable(recorded([right(random) for _ in range(40)]))])
    told, whole = ([(each.valid, each.explained_until_ns, each.why.rpartition(" (")[2]) for each in some] for some in verdicts)
    assert told == whole  # of contradictions that are there at once, another may be told
    assert [valid for valid, _, _ in told] == [False, False, True]


@pytest.mark.parametrize("seed", [*range(2), *map(left_to_ci, range(2, 10))])
def test_of_all_keys_the_first_contradiction_is_told(seed: int) -> None:
    random = Random(seed)
    histories = [any_history(random) for _ in range(20)]
    flat = [op for ops in histories for op in ops]

    def moment(history: History, ops: list[Op]) -> float:
        verdict = linearizable(history)
        return max(op.done for op in answered_reads([ops[row] for row in verdict.ops])) if verdict.ops else float("inf")

    assert moment(recorded(histories), flat) == min(moment(recorded([ops]), ops) for ops in histories)
