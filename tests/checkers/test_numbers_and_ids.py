"""Ids that repeat, and numbers that decrease."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest

from harness.checkers.monotonic import monotonic
from harness.checkers.unique_ids import unique_ids
from harness.model.verdict import Checker
from tests.helpers.fuzz import FEW, MANY, Op, agrees, outcome, spans
from tests.helpers.transcript import history

PAIRS: dict[str, tuple[Checker, str, str]] = {
    "an id twice": (
        unique_ids,
        "c1 generate n a 0..10 ok\nc2 generate n b 0..10 ok",
        "c1 generate n a 0..10 ok\nc2 generate n a 0..10 ok",
    ),
    "an id twice, after a restart": (
        unique_ids,
        "c1 generate n 7 0..10 ok\nc1 generate n 8 50..60 ok\nc1 generate m 7 70..80 ok",
        "c1 generate n 7 0..10 ok\nc1 generate n 8 50..60 ok\nc1 generate n 7 70..80 ok",
    ),
    "a clock that jumps back": (
        monotonic,
        "c1 generate ts 10 0..10 ok\nc2 generate ts 9 10..30 ok",
        "c1 generate ts 10 0..10 ok\nc2 generate ts 9 11..30 ok",
    ),
    "a version that goes back after a failover": (
        monotonic,
        "c1 read x 5 0..10 ok\nc2 read x 6 20..30 ok\nc1 read x 6 40..50 ok",
        "c1 read x 5 0..10 ok\nc2 read x 6 20..30 ok\nc1 read x 5 40..50 ok",
    ),
}


@pytest.mark.parametrize(("checker", "good", "bad"), PAIRS.values(), ids=PAIRS.keys())
def test_anomalies_and_their_good_twins(checker: Checker, good: str, bad: str) -> None:
    assert checker(history(good)).valid is True
    verdict = checker(history(bad))
    assert verdict.valid is False
    assert len(verdict.ops) == 2


def test_a_key_without_numbers_hides_no_other() -> None:
    texts = "c1 read x one 0..10 ok\nc1 read y 5 20..30 ok\n"
    assert monotonic(history(f"{texts}c1 read y 6 40..50 ok")).valid is None
    assert monotonic(history(f"{texts}c1 read y 4 40..50 ok")).ops == (1, 2)
    assert monotonic(history("c1 read x one 0..10 ok\nc1 read x two 20..30 ok")).valid is None


def random_history(random: Random) -> list[Op]:
    most = random.choice([5, 30])
    return [
        Op(
            client,
            random.choice(["generate", "generate", "write"]),
            "n",
            str(random.randint(0, most)),
            sent,
            done,
            outcome(random),
        )
        for client in range(3)
        for sent, done in spans(random, 2, latest=random.choice([4, 12]))
    ]


def answered(ops: list[Op]) -> list[Op]:
    return [op for op in ops if op.kind == "generate" and op.ok]


def unique(ops: list[Op]) -> bool | None:
    ids = [op.value for op in answered(ops)]
    return all(one != other for one, other in combinations(ids, 2)) if ids else None


def grow(ops: list[Op]) -> bool | None:
    found = answered(ops)
    falls = [(a, b) for a in found for b in found if a.done < b.sent and int(a.value or 0) > int(b.value or 0)]
    return not falls if len(found) > 1 else None


CASES = [pytest.param(unique_ids, unique, id="unique_ids"), pytest.param(monotonic, grow, id="monotonic")]


@pytest.mark.parametrize(("checker", "judge"), CASES)
def test_agrees_with_looking_at_every_pair(checker: Checker, judge: object) -> None:
    assert callable(judge)
    agrees(checker, random_history, judge, FEW)


@pytest.mark.nightly
@pytest.mark.parametrize(("checker", "judge"), CASES)
def test_agrees_with_looking_at_every_pair_for_long(checker: Checker, judge: object) -> None:
    assert callable(judge)
    agrees(checker, random_history, judge, MANY)
