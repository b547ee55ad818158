"""The isolation levels against a search through every order, on random histories."""

from __future__ import annotations

from random import Random

import pytest

from harness.checkers.serializable import serializable
from harness.checkers.snapshot_isolation import snapshot_isolation
from harness.checkers.strict_serializable import strict_serializable
from harness.model.verdict import Verdict
from tests.helpers import transactions as search
from tests.helpers.transactions import Txn, random_history, recorded


def agree(seed: int) -> tuple[Verdict, ...]:
    """The verdict of each level on a random history, after comparing it with the search."""
    txns = random_history(Random(seed), lists=seed % 2 == 0)
    history = recorded(txns)
    found = (
        (strict_serializable(history), search.serializable(txns, real_time=True)),
        (serializable(history), search.serializable(txns)),
        (snapshot_isolation(history), search.snapshot_isolated(txns)),
    )
    for verdict, expected in found:
        assert verdict.valid is (expected if has_answered_reads(txns) else None), (seed, verdict, txns)
    return tuple(verdict for verdict, _ in found)


def has_answered_reads(txns: list[Txn]) -> bool:
    return any(txn.outcome == "ok" and function == "r" for txn in txns for function, _, _ in txn.operations)


@pytest.mark.slow
def test_agrees_with_the_search() -> None:
    verdicts = [agree(seed) for seed in range(100)]
    for level in zip(*verdicts, strict=True):
        assert 15 < sum(verdict.valid is False for verdict in level) < 85  # else agreement would show little


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(10))
def test_agrees_with_the_search_for_long(part: int) -> None:
    for seed in range(1000 + part * 2500, 1000 + (part + 1) * 2500):
        agree(seed)
