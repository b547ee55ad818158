"""`linearizable` of objects of every kind against a search through every order; its compiled search against the plain one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import compress, product
from random import Random

import numpy as np
import pandas as pd
import pytest

from harness.checkers._search import rounds
from harness.checkers._search.problem import Problem
from harness.checkers._search.search import EXPLAINED, GIVEN_UP, NO_ORDER, Effort, search
from harness.checkers._search.smallest import Calls, observing
from harness.checkers.linearizable import linearizable_as
from harness.model import objects
from harness.model.history import History
from harness.model.object_model import REFUSED, Call, Model, Refused, State
from tests.helpers.effort import cases, left_to_ci
from tests.helpers.object_search import has_order
from tests.helpers.random_objects import Op, any_history, right

EXHAUSTIVE = Effort(width=10**6, limit=10**6, spent_weight=1, owed_weight=2)
NARROW = Effort(width=2, limit=10**6, spent_weight=2, owed_weight=1)
SHORT = Effort(width=3, limit=30, spent_weight=1, owed_weight=2)


def recorded(histories: Sequence[Sequence[Op]]) -> History:
    """Several histories as one, each with its own key."""
    rows = [(f"k{number}", op) for number, ops in enumerate(histories) for op in ops]
    return History.of(
        pd.DataFrame(
            {
                "client": [op.call.client for _, op in rows],
                "kind": [op.call.kind for _, op in rows],
                "key": [key for key, _ in rows],
                "value": [op.call.value for _, op in rows],
                "outcome": [op.outcome for _, op in rows],
                "sent_ns": [op.sent for _, op in rows],
                "done_ns": [op.done for _, op in rows],
            }
        )
    )


def problem(ops: Sequence[Op], model: Model) -> Problem:
    counted = [op for op in ops if op.outcome != "failed"]
    return Calls(
        kinds=[op.call for op in counted],
        kind=np.arange(len(counted), dtype=np.int32),
        sent_ns=np.array([op.sent for op in counted], dtype=np.int64),
        done_ns=np.array([op.done for op in counted], dtype=np.int64),
    ).problem(model)


def the_search_is_right(name: str, seed: int) -> None:
    model, ops = objects.named(name), any_history(name, Random(seed))
    expected = EXPLAINED if has_order(ops, model) else NO_ORDER
    assert search(problem(ops, model), EXHAUSTIVE).outcome == expected, (seed, ops)
    if rounds.COMPILED:
        for effort in (EXHAUSTIVE, NARROW, SHORT):
            found = rounds.compiled(problem(ops, model), effort)
            assert found == search(problem(ops, model), effort), (seed, effort, ops)
            assert found.outcome in (expected, GIVEN_UP), (seed, effort, ops)


@pytest.mark.parametrize("name", objects.names())
def test_both_searches_agree_with_one_through_every_order(name: str) -> None:
    for seed in range(cases(150)):
        the_search_is_right(name, seed)


@pytest.mark.nightly
@pytest.mark.parametrize("name", objects.names())
def test_both_searches_agree_for_long(name: str) -> None:
    for seed in range(25_000):
        the_search_is_right(name, seed)


@pytest.mark.parametrize("name", objects.names())
def test_keys_together_are_judged_as_each_alone(name: str) -> None:
    model, histories = objects.named(name), [any_history(name, Random(seed)) for seed in range(60)]
    contradictory = sum(not has_order(ops, model) for ops in histories)
    assert 5 < contradictory < 55
    verdict = linearizable_as(model)(recorded(histories))
    assert verdict.valid is False
    assert verdict.why.endswith(f"({contradictory} keys contradict themselves)")


@pytest.mark.parametrize("name", objects.names())
def test_accepts_whatever_an_object_did_that_does_one_thing_at_a_time(name: str) -> None:
    verdict = linearizable_as(objects.named(name))(recorded([right(name, Random(seed)) for seed in range(cases(200))]))
    assert verdict.valid is True, verdict.why


@pytest.mark.parametrize("name", [name if name in ("register", "queue") else left_to_ci(name) for name in objects.names()])
def test_the_calls_told_have_no_order_whether_or_not_the_others_happened(name: str) -> None:
    model, told = objects.named(name), 0
    for seed in range(20):
        ops = any_history(name, Random(seed))
        verdict = linearizable_as(model)(recorded([ops]))
        if verdict.valid is False:
            told += 1
            kept = [ops[row] for row in verdict.ops]
            others = [_given_up(op, "ok") for op in _others(verdict.ops, ops, model) if op.outcome == "ok"]
            lost = [_given_up(op, "unknown") for op in _others(verdict.ops, ops, model) if op.outcome == "unknown"]
            for happened in product((False, True), repeat=len(others)):
                assert not has_order([*kept, *lost, *compress(others, happened)], model), (seed, verdict, ops)
    assert told


@pytest.mark.parametrize("name", ["counter", "log", "queue", "set", "text"])
def test_none_of_the_calls_told_can_be_left_out(name: str) -> None:
    model = objects.named(name)
    for seed in range(20):
        ops = any_history(name, Random(seed))
        verdict = linearizable_as(model)(recorded([ops]))
        for left_out in verdict.ops:
            rows = [row for row in verdict.ops if row != left_out]
            others = [
                _given_up(op, "unknown") for op in _others(rows, ops, model) if op.sent <= (verdict.explained_until_ns or 0)
            ]
            assert has_order([*(ops[row] for row in rows), *others], model), (seed, verdict, ops, left_out)


def _others(rows: Sequence[int], ops: Sequence[Op], model: Model) -> list[Op]:
    changes = ~observing(model, [op.call for op in ops])
    return [op for row, op in enumerate(ops) if row not in rows and op.outcome != "failed" and changes[row]]


def _given_up(op: Op, outcome: str) -> Op:
    return Op(replace(op.call, answered=False), op.sent, op.done, outcome)


class Stack:
    """A stack: the ten lines that a user writes."""

    kinds = frozenset({"push", "pop"})
    initial: State = ()

    def step(self, state: State, call: Call) -> State | Refused:
        held: tuple[str | None, ...] = state  # type: ignore[assignment]
        if call.kind == "push":
            return (*held, call.value)
        return held[:-1] if held and held[-1] == call.value else REFUSED


def test_judges_by_a_model_of_ones_own() -> None:
    def stack(*calls: tuple[str, str]) -> History:
        return recorded([[Op(Call(1, kind, value), 2 * at, 2 * at + 1, "ok") for at, (kind, value) in enumerate(calls)]])

    check = linearizable_as(Stack())
    assert check.__name__ == "linearizable"
    assert check(stack(("push", "1"), ("push", "2"), ("pop", "2"), ("pop", "1"))).valid is True
    assert check(stack(("push", "1"), ("push", "2"), ("pop", "1"))).valid is False


def test_says_how_far_it_came_when_it_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ops = [Op(Call(client, "enqueue", str(client)), 0, 10 + client, "ok") for client in range(12)]
    ops.append(Op(Call(20, "dequeue", "none"), 30, 31, "ok"))
    monkeypatch.setattr("harness.checkers.linearizable.MOST_EXPLORED", 5000)
    verdict = linearizable_as(objects.named("queue"))(recorded([ops]))
    assert verdict.valid is None
    assert "key k0" in verdict.why
    assert "of 13 calls explained" in verdict.why


@pytest.mark.parametrize("most_explored", [-3, 0, 1, 2, 100])
def test_what_the_keys_before_have_used_up_is_not_spent_again(most_explored: int) -> None:
    ops = [Op(Call(client, "enqueue", str(client)), 0, 10 + client, "ok") for client in range(8)]
    ops.append(Op(Call(20, "dequeue", "none"), 30, 31, "ok"))
    found = rounds.decide(problem(ops, objects.named("queue")), most_explored)
    assert found.has_order is None
    assert found.explored <= max(0, most_explored) + len(rounds.ROUNDS)
