"""Locks that are held twice, and tokens that do not grow."""

from __future__ import annotations

from itertools import combinations, permutations
from random import Random

import pytest

from harness.checkers.fencing_tokens import applies, fencing_tokens
from harness.checkers.linearizable import linearizable_as
from harness.checkers.mutual_exclusion import mutual_exclusion
from harness.model.objects.lock import Lock
from harness.model.verdict import Checker
from tests.helpers.fuzz import FEW, MANY, Op, agrees, outcome, spans
from tests.helpers.transcript import history

PAIRS: dict[str, tuple[Checker, str, str]] = {
    "a lock that expired while its holder was paused": (
        mutual_exclusion,
        "c1 acquire l null 0..10 ok\nc1 release l null 90..95 ok\nc2 acquire l null 50..95 ok",
        "c1 acquire l null 0..10 ok\nc1 release l null 90..95 ok\nc2 acquire l null 50..60 ok",
    ),
    "two nodes that each think the other one is gone": (
        mutual_exclusion,
        "c1 acquire l null 0..10 ok\nc2 acquire m null 0..10 ok",
        "c1 acquire l null 0..10 ok\nc2 acquire l null 0..10 ok",
    ),
    "a release that failed": (
        mutual_exclusion,
        "c1 acquire l null 0..10 ok\nc1 release l null 20..30 unknown\nc2 acquire l null 40..50 ok",
        "c1 acquire l null 0..10 ok\nc1 release l null 20..30 failed\nc2 acquire l null 40..50 ok",
    ),
    "a lock that is given to its holder again": (
        mutual_exclusion,
        "c1 acquire l null 0..10 ok\nc1 release l null 10..20 ok\nc1 acquire l null 30..40 ok",
        "c1 acquire l null 0..10 ok\nc1 acquire l null 30..40 ok\nc1 release l null 50..60 ok",
    ),
    "calls of one client that touch in time": (
        mutual_exclusion,
        "c1 acquire l null 0..2 ok\nc1 release l null 3..3 ok\nc1 acquire l null 3..3 ok\nc2 acquire l null 4..4 unknown",
        "c1 acquire l null 0..2 ok\nc1 release l null 3..3 ok\nc1 acquire l null 3..3 ok\nc2 acquire l null 4..4 ok",
    ),
    "a lock that everyone is given": (
        mutual_exclusion,
        "c1 acquire l null 0..10 ok\nc2 acquire l false 20..30 ok\nc2 release l false 40..50 ok",
        "c1 acquire l null 0..10 ok\nc2 acquire l null 20..30 ok\nc2 release l false 40..50 ok",
    ),
    "a token that starts anew after a failover": (
        fencing_tokens,
        "c1 acquire l 33 0..10 ok\nc2 acquire l 34 20..30 ok",
        "c1 acquire l 33 0..10 ok\nc2 acquire l 1 20..30 ok",
    ),
    "a token that two clients hold": (
        fencing_tokens,
        "c1 acquire l 33 0..10 ok\nc2 acquire l 32 10..30 ok",
        "c1 acquire l 33 0..10 ok\nc2 acquire l 33 5..30 ok",
    ),
}


@pytest.mark.parametrize(("checker", "good", "bad"), PAIRS.values(), ids=PAIRS.keys())
def test_anomalies_and_their_good_twins(checker: Checker, good: str, bad: str) -> None:
    assert checker(history(good)).valid is True
    verdict = checker(history(bad))
    assert verdict.valid is False
    assert len(verdict.ops) >= 2


def test_two_calls_of_a_client_at_once_leave_open_what_it_released() -> None:
    threads = "c1 acquire l null 0..10 ok\nc1 acquire l null 5..30 ok\nc1 release l null 12..14 ok\n"
    verdict = mutual_exclusion(history(f"{threads}c2 acquire l null 40..50 ok"))
    assert verdict.valid is None
    assert "client 1 sent op 1 before op 0 was done" in verdict.why
    assert mutual_exclusion(history(f"{threads}c2 acquire l null 40..50 ok\nc3 acquire l null 60..70 ok")).valid is False


@pytest.mark.parametrize("checker", [mutual_exclusion, fencing_tokens])
def test_calls_that_no_check_knows_leave_their_lock_undecided_and_no_other(checker: Checker) -> None:
    twice = "c1 acquire {0} 7 0..10 ok\nc2 acquire {0} 7 50..60 ok\n"
    verdict = checker(history(f"{twice.format('l')}c3 reset l null 20..30 unknown"))
    assert (verdict.valid, verdict.why) == (None, "what reset did to 1 key is not known here: l")
    assert checker(history(f"{twice.format('l')}c3 reset l null 20..30 failed")).valid is False
    assert checker(history(f"{twice.format('l')}c3 reset l null 20..30 ok\n{twice.format('m')}")).valid is False
    once = checker(history(f"{twice.format('l')}c3 reset l null 20..30 ok\nc1 acquire m 1 0..1 ok\nc1 acquire n 1 0..1 ok"))
    assert once.valid is None


@pytest.mark.parametrize("checker", [mutual_exclusion, fencing_tokens, linearizable_as(Lock())])
def test_a_refusal_may_be_spelled_as_python_spells_it(checker: Checker) -> None:
    refused = (
        "c1 acquire l 7 0..10 ok\nc2 acquire l False 20..30 ok\nc2 release l False 40..50 ok\nc1 release l null 60..70 ok\n"
    )
    assert checker(history(f"{refused}c2 acquire l 8 80..90 ok")).valid is True


def test_tokens_are_judged_where_there_are_some() -> None:
    assert applies(history("c1 acquire l 33 0..10 ok"))
    assert not applies(history("c1 acquire l null 0..10 ok"))
    assert not applies(history("c1 acquire l lease-7 0..10 ok"))
    assert applies(history("c1 acquire l lease-7 0..10 ok\nc1 acquire m 3 20..30 ok"))


def test_a_token_that_is_no_number_hides_no_other_lock() -> None:
    lease = "c1 acquire l lease-7 0..10 ok\nc1 acquire m 3 20..30 ok\n"
    verdict = fencing_tokens(history(f"{lease}c2 acquire m 4 40..50 ok"))
    assert (verdict.valid, verdict.why) == (None, "op 0, of kind acquire, has the value lease-7, not a whole number")
    verdict = fencing_tokens(history(f"{lease}c2 acquire m 3 40..50 ok"))
    assert (verdict.valid, verdict.ops) == (False, (1, 2))
    assert fencing_tokens(history("c1 acquire l lease-7 0..10 ok\nc1 acquire l lease-8 20..30 ok")).valid is None


def random_locks(random: Random) -> list[Op]:
    ops = []
    for client in range(random.randint(1, 3)):
        kinds = ["acquire", "release"] * 2 if random.random() < 0.8 else random.choices(["acquire", "release"], k=3)
        for kind, (sent, done) in zip(kinds, spans(random, len(kinds), latest=random.choice([8, 40])), strict=True):
            ops.append(Op(client, kind, "l", None, sent, done, outcome(random)))
    return ops


def excluded(ops: list[Op]) -> bool | None:
    """Whether the holdings can be ordered so that each is over when the next one begins."""
    holdings = []
    for client in {op.client for op in ops}:
        own = [op for op in ops if op.client == client and op.outcome != "failed"]
        for at, op in enumerate(own):
            if op.kind == "acquire" and op.ok:
                following = [later.sent for later in own[at + 1 :] if later.kind == "release"]
                holdings.append((op.done, min(following, default=10**6)))
    if not holdings:
        return None
    return any(
        all(one[1] <= other[0] for at, one in enumerate(order) for other in order[at + 1 :]) for order in permutations(holdings)
    )


def random_tokens(random: Random) -> list[Op]:
    ops = []
    for client in range(3):
        for sent, done in spans(random, 2):
            token = (sent + done) // 2 * 3 + client if random.random() < 0.8 else random.randint(0, 40)
            ops.append(Op(client, "acquire", "l", str(token), sent, done, outcome(random)))
    return ops


def tokens_grow(ops: list[Op]) -> bool | None:
    found = [(op, int(op.value or 0)) for op in ops if op.ok]
    if len(found) < 2:
        return None
    return all(
        one != other and not (a.done < b.sent and one > other) and not (b.done < a.sent and other > one)
        for (a, one), (b, other) in combinations(found, 2)
    )


def test_agrees_with_every_order_of_holdings() -> None:
    agrees(mutual_exclusion, random_locks, excluded, FEW)


def test_agrees_with_looking_at_every_pair_of_tokens() -> None:
    agrees(fencing_tokens, random_tokens, tokens_grow, FEW)


@pytest.mark.nightly
def test_agrees_with_every_order_of_holdings_for_long() -> None:
    agrees(mutual_exclusion, random_locks, excluded, MANY)


@pytest.mark.nightly
def test_agrees_with_looking_at_every_pair_of_tokens_for_long() -> None:
    agrees(fencing_tokens, random_tokens, tokens_grow, MANY)
