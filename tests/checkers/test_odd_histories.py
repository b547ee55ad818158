"""Odd histories, as files may contain them: every checker has a verdict on them."""

from __future__ import annotations

import sys
from random import Random

import pytest

from harness.checkers.converges import converges
from harness.checkers.linearizable import linearizable
from harness.checkers.unique_ids import unique_ids
from harness.model.history import History
from harness.model.verdict import Checker
from harness.run import catalog
from tests.helpers.effort import cases
from tests.helpers.transcript import history

KINDS = (*catalog.judged_kinds(), "score", "cas", "delete", "something else")
VALUES = (
    None, "", "1", "2", "null", "false", "-3", "1e400", "é", '"broken', "[1,2]", "[[1]]", "{}", '{"label":7}',
    '{"label":7,"score":0.5}', '{"label":7,"score":0.5,"model":"a"}', '{"leader":"n1","term":3}',
)  # fmt: skip
EXPECTED = (None, "broken", "[]", "[1]", '[{"a":1},2]', "{}", '{"label":7,"score":0.5}', '{"a":{"label":7,"score":0.5}}')
SEEDS = cases(25)


def odd(random: Random) -> History:
    kinds = random.sample(KINDS, random.randint(1, 3))
    rows: list[dict[str, object]] = []
    for _ in range(random.randint(1, 9)):
        sent_ns = random.randint(-5, 30) * 100_000_000
        rows.append(
            {
                "phase": random.choice(["load", "load", "final"]), "client": random.randint(0, 3), "kind": random.choice(kinds),
                "key": random.choice(["", "x", "y/z"]), "value": random.choice(VALUES), "expected": random.choice(EXPECTED),
                "outcome": random.choice(["ok", "ok", "failed", "unknown"]), "node": random.choice(["", "n1", "n2"]),
                "sent_ns": sent_ns, "done_ns": sent_ns + random.randint(0, 9) * 100_000_000,
            }
        )  # fmt: skip
    windows: list[dict[str, object]] = [
        {
            "label": "w0", "fault": random.choice(["Kill", "FlipBits", "SlowCpu"]), "parameters": random.choice([None, "{}"]),
            "selector": "", "targets": random.choice(["", "n1", "n1 n2"]), "from_s": 1.0, "to_s": 2.0,
            "injected_ns": random.choice([None, 0, 10**9]), "healed_ns": random.choice([None, 2 * 10**9]),
            "acted": random.choice([None, True, False]), "evidence": None,
        }
        for _ in range(random.randint(0, 2))
    ]  # fmt: skip
    return History.of(rows, windows)


@pytest.fixture(scope="module")
def histories() -> list[History]:
    return [odd(Random(seed)) for seed in range(SEEDS)]


@pytest.mark.parametrize("checker", catalog.checkers().values(), ids=catalog.checkers().keys())
def test_every_checker_has_a_verdict(checker: Checker, histories: list[History]) -> None:
    module = sys.modules[checker.__module__]
    for found in histories:
        if hasattr(module, "applies"):
            module.applies(found)
        if hasattr(module, "compares"):
            assert module.compares(found.ops).dtype == bool
        verdict = checker(found)
        assert verdict.why
        assert "\n" not in verdict.why
        assert set(verdict.ops) <= set(found.ops.index)


def test_a_value_that_was_never_written_beside_a_write_of_null() -> None:
    found = history("c1 write x null 0..10 ok\nc2 read x 9 40..50 ok\n")
    verdict = linearizable(found)
    assert verdict.valid is False
    assert 1 in verdict.ops


@pytest.mark.parametrize(
    ("checker", "wrong"),
    [
        (unique_ids, "c1 generate n 7 0..10 ok\nc2 generate n 7 20..30 ok"),
        (converges, "c1 write n 1 0..9 ok\nc1 read n 1 20..30 ok final node=n1\nc1 read n 0 40..50 ok final node=n2"),
    ],
)
def test_calls_without_a_key_are_of_one_object(checker: Checker, wrong: str) -> None:
    found = history(wrong)
    assert checker(History.of(found.ops.assign(key=None))).valid is False
    assert checker(History.of(found.ops.drop(columns="key"))).valid is False
