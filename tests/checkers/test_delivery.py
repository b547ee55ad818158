"""Messages that are lost, duplicated, or out of order."""

from __future__ import annotations

import json
from itertools import permutations, product
from random import Random

import pytest

from harness.checkers.at_least_once import at_least_once
from harness.checkers.no_duplicates import no_duplicates
from harness.checkers.no_lost_messages import no_lost_messages
from harness.checkers.per_key_order import per_key_order
from harness.checkers.total_order import total_order
from harness.model.verdict import Checker
from harness.run import catalog
from tests.helpers.fuzz import FEW, MANY, Judge, Make, Op, agrees, outcome
from tests.helpers.transcript import history

PAIRS: dict[str, tuple[Checker, str, str]] = {
    "a broker that acknowledges before it has stored": (
        no_lost_messages,
        'c1 send q a 0..10 ok\nc1 send q b 20..30 ok\nc2 poll q ["a","b"] 40..50 ok\nc2 poll q [] 60..70 ok',
        'c1 send q a 0..10 ok\nc1 send q b 20..30 ok\nc2 poll q ["a"] 40..50 ok\nc2 poll q [] 60..70 ok',
    ),
    "a subscription that misses what the other one gets": (
        no_lost_messages,
        "c1 publish t a 0..10 ok\nc2 receive t/1 a 20..30 ok\nc3 receive t/2 a 20..30 ok",
        "c1 publish t a 0..10 ok\nc2 receive t/1 a 20..30 ok\nc3 receive t/2 null 20..30 ok",
    ),
    "a message that was sent twice and came once": (
        no_lost_messages,
        "c1 send q a 0..10 ok\nc1 send q a 20..30 unknown\nc2 receive q a 40..50 ok\nc2 receive q null 60..70 ok",
        "c1 send q a 0..10 ok\nc1 send q a 20..30 ok\nc2 receive q a 40..50 ok\nc2 receive q null 60..70 ok",
    ),
    "a retry that is delivered as well": (
        no_duplicates,
        "c1 send q a 0..10 unknown\nc1 send q a 20..30 ok\nc2 receive q a 40..50 ok\nc2 receive q a 60..70 ok",
        "c1 send q a 0..30 ok\nc2 receive q a 40..50 ok\nc2 receive q a 60..70 ok",
    ),
    "a message that two consumers of a group get": (
        no_duplicates,
        "c1 send t a 0..10 ok\nc2 receive t/1 a 20..30 ok\nc3 receive t/2 a 20..30 ok",
        "c1 send t a 0..10 ok\nc2 receive t/1 a 20..30 ok\nc3 receive t/1 a 20..30 ok",
    ),
    "a message whose sending had failed": (
        no_duplicates,
        "c1 send q a 0..10 unknown\nc2 receive q a 20..30 ok",
        "c1 send q a 0..10 failed\nc2 receive q a 20..30 ok",
    ),
    "a message that is null": (
        no_duplicates,
        "c1 send q null 0..10 ok\nc2 poll q [null] 20..30 ok",
        "c1 send q null 0..10 ok\nc2 poll q [null] 20..30 ok\nc2 poll q [null] 40..50 ok\nc2 receive q a 60..70 ok",
    ),
    "a message from the future": (
        no_duplicates,
        "c1 send q a 10..20 ok\nc2 receive q a 0..10 ok",
        "c1 send q a 11..20 ok\nc2 receive q a 0..10 ok",
    ),
    "a message that a consumer has, whatever the bus knows": (
        no_lost_messages,
        "c1 send q a 0..10 ok\nc2 receive q a 20..30 unknown\nc2 receive q null 40..50 ok",
        "c1 send q a 0..10 ok\nc1 send q b 0..10 ok\nc2 receive q a 20..30 unknown\nc2 receive q null 40..50 ok",
    ),
    "messages of a poll that a consumer has, whatever the bus knows": (
        no_lost_messages,
        'c1 send q a 0..9 ok\nc1 send q b 0..9 ok\nc2 poll q ["a","b"] 20..30 unknown\nc2 poll q [] 40..50 ok',
        'c1 send q a 0..9 ok\nc1 send q b 0..9 ok\nc2 poll q ["a"] 20..30 unknown\nc2 poll q [] 40..50 ok',
    ),
    "an ack that a failover forgets": (
        at_least_once,
        "c1 send q a 0..10 ok\nc2 receive q a 20..30 ok\nc3 receive q a 31..35 ok\nc2 ack q a 40..50 ok",
        "c1 send q a 0..10 ok\nc2 receive q a 20..30 ok\nc2 ack q a 40..50 ok\nc3 receive q a 60..70 ok",
    ),
    "a message that is never redelivered": (
        at_least_once,
        "c1 send q a 0..10 ok\nc2 receive q a 20..30 ok\nc2 ack q a 40..50 unknown\nc2 receive q a 60..70 ok",
        "c1 send q a 0..10 ok\nc2 receive q a 20..30 unknown\nc2 ack q b 40..50 ok\nc2 receive q null 60..70 ok",
    ),
    "a message that was never sent": (
        at_least_once,
        "c1 send q a 0..10 ok\nc2 receive q a 20..30 ok\nc2 ack q a 40..50 ok",
        "c1 send q a 0..10 ok\nc2 receive q b 20..30 ok\nc2 ack q b 40..50 ok\nc2 receive q a 60..70 ok",
    ),
    "a message whose sending had failed, and was acked": (
        at_least_once,
        'c1 send q a 0..10 unknown\nc1 send q b 0..10 ok\nc2 poll q ["a","b"] 20..30 ok\nc2 ack q a 40..50 ok',
        'c1 send q a 0..10 failed\nc1 send q b 0..10 ok\nc2 poll q ["a","b"] 20..30 ok\nc2 ack q a 40..50 ok',
    ),
    "a loss beside a topic that nobody receives": (
        no_lost_messages,
        "c1 send q a 0..10 ok\nc2 receive q a 20..30 ok\nc2 receive q null 40..50 ok",
        "c1 send q a 0..10 ok\nc1 send r a 0..10 ok\nc2 receive q null 40..50 ok",
    ),
    "a retry that overtakes": (
        per_key_order,
        "c1 send t/k a 0..10 ok\nc1 send t/k b 10..20 ok\nc2 receive t b 30..40 ok\nc2 receive t a 50..60 ok",
        "c1 send t/k a 0..10 ok\nc1 send t/k b 11..20 ok\nc2 receive t b 30..40 ok\nc2 receive t a 50..60 ok",
    ),
    "a poll that mixes up one key": (
        per_key_order,
        'c1 send t/k a 0..10 ok\nc1 send t/m b 20..30 ok\nc2 poll t ["b","a"] 40..50 ok',
        'c1 send t/k a 0..10 ok\nc1 send t/k b 20..30 ok\nc2 poll t ["b","a"] 40..50 ok',
    ),
    "a rebalance that gives the newer part away first": (
        per_key_order,
        "c1 send t/k a 0..10 ok\nc1 send t/k b 20..30 ok\nc2 receive t/g a 40..50 ok\nc3 receive t/g b 45..55 ok",
        "c1 send t/k a 0..10 ok\nc1 send t/k b 20..30 ok\nc2 receive t/g a 50..60 ok\nc3 receive t/g b 40..45 ok",
    ),
    "a message that a consumer has had before, whatever the bus knows": (
        per_key_order,
        'c1 send t/k a 0..9 ok\nc1 send t/k b 10..19 ok\nc2 receive t a 20..29 unknown\nc2 poll t ["b","a"] 30..39 ok',
        'c1 send t/k a 0..9 ok\nc1 send t/k b 10..19 ok\nc2 receive t null 20..29 unknown\nc2 poll t ["b","a"] 30..39 ok',
    ),
    "a message that a subscription has had before": (
        total_order,
        'c2 receive t/1 a 0..9 unknown\nc2 receive t/1 b 10..19 ok\nc2 receive t/1 a 20..29 ok\nc3 poll t/2 ["a","b"] 0..9 ok',
        'c2 receive t/1 a 0..9 failed\nc2 receive t/1 b 10..19 ok\nc2 receive t/1 a 20..29 ok\nc3 poll t/2 ["a","b"] 0..9 ok',
    ),
    "two replicas that apply two messages in different orders": (
        total_order,
        'c1 send t a 0..9 ok\nc1 send t b 0..9 ok\nc2 poll t/1 ["a","b"] 10..20 ok\nc3 poll t/2 ["a","b"] 10..20 ok',
        'c1 send t a 0..9 ok\nc1 send t b 0..9 ok\nc2 poll t/1 ["a","b"] 10..20 ok\nc3 poll t/2 ["b","a"] 10..20 ok',
    ),
    "three subscriptions that agree in pairs": (
        total_order,
        'c1 poll t/1 ["a","b"] 0..9 ok\nc2 poll t/2 ["b","c"] 0..9 ok\nc3 poll t/3 ["a","c"] 0..9 ok',
        'c1 poll t/1 ["a","b"] 0..9 ok\nc2 poll t/2 ["b","c"] 0..9 ok\nc3 poll t/3 ["c","a"] 0..9 ok',
    ),
    "an order between calls": (
        total_order,
        "c1 receive t/1 a 0..10 ok\nc1 receive t/1 b 10..20 ok\nc2 receive t/2 b 0..10 ok\nc2 receive t/2 a 11..20 ok",
        "c1 receive t/1 a 0..10 ok\nc1 receive t/1 b 11..20 ok\nc2 receive t/2 b 0..10 ok\nc2 receive t/2 a 11..20 ok",
    ),
}


@pytest.mark.parametrize(("checker", "good", "bad"), PAIRS.values(), ids=PAIRS.keys())
def test_anomalies_and_their_good_twins(checker: Checker, good: str, bad: str) -> None:
    assert checker(history(good)).valid is True
    verdict = checker(history(bad))
    assert verdict.valid is False
    assert verdict.ops


UNDECIDED: dict[str, tuple[Checker, str, str]] = {
    "nothing was drained": (
        no_lost_messages,
        "c1 send q a 0..10 ok\nc1 send q b 0..10 ok\nc2 receive q a 20..30 ok",
        "may still come",
    ),
    "the empty answer came before the send was done": (
        no_lost_messages,
        "c1 send q a 0..10 ok\nc2 receive q null 10..30 ok",
        "may still come",
    ),
    "a receive without an answer may have taken it": (
        no_lost_messages,
        "c1 send q a 0..10 ok\nc2 receive q null 20..30 unknown\nc2 receive q null 40..50 ok",
        "brought no answer",
    ),
    "no consumer received": (no_lost_messages, "c1 send q a 0..10 ok", "no receive from q was answered"),
    "a subscription that never got an answer": (
        no_lost_messages,
        "c1 send t a 0..1 ok\nc2 receive t/1 a 2..9 ok\nc3 receive t/2 null 10..19 unknown\nc3 receive t/2 null 20..30 failed",
        "no receive from t/2 was answered",
    ),
    "a poll is no array": (no_duplicates, "c1 send q a 0..9 ok\nc2 poll q a 10..30 ok", "not a JSON array"),
    "only consumers were recorded": (no_duplicates, "c2 receive q a 10..30 ok", "does not tell of any send"),
    "one subscription": (total_order, "c1 receive t/1 a 0..10 ok", "two subscriptions"),
    "a message was sent twice": (
        per_key_order,
        'c1 send q a 0..1 ok\nc1 send q b 2..3 ok\nc1 send q c 2..3 ok\nc1 send q c 4..5 ok\nc2 poll q ["a","b"] 10..30 ok',
        "sent twice",
    ),
}


@pytest.mark.parametrize(("checker", "transcript", "why"), UNDECIDED.values(), ids=UNDECIDED.keys())
def test_what_cannot_be_told(checker: Checker, transcript: str, why: str) -> None:
    verdict = checker(history(transcript))
    assert verdict.valid is None
    assert why in verdict.why


def test_whether_messages_may_come_again_depends_on_acks() -> None:
    def applying(transcript: str) -> set[str]:
        promises = {"no_lost_messages", "no_duplicates", "at_least_once", "per_key_order", "total_order"}
        return {checker.__name__ for checker in catalog.checkers_for(history(transcript))} & promises

    assert applying("c1 send q a 0..10 ok\nc2 receive q a 20..30 ok") == {"no_lost_messages", "no_duplicates"}
    acked = "c1 send q a 0..10 ok\nc2 receive q a 20..30 ok\nc2 ack q a 40..50 ok"
    assert applying(acked) == {"no_lost_messages", "at_least_once"}
    assert applying("c1 enqueue q a 0..10 ok\nc2 dequeue q a 20..30 ok") == {"no_lost_messages", "no_duplicates"}
    assert "per_key_order" in applying("c1 send q/k a 0..10 ok\nc2 receive q a 20..30 ok")


# ------------------------------------------------------------------------------------------------- random histories


def random_delivery(random: Random) -> list[Op]:
    """Two senders and two receivers; of a topic one queue, or two subscriptions."""
    names = random.choice([["t"], ["t/1", "t/2"], ["t/1"]])
    messages = random.sample("abcdef", random.randint(1, 4))
    if random.random() < 0.15:
        messages.append(messages[0])
    ops: list[Op] = []
    for at, message in enumerate(messages):
        sent = random.randint(0, 6)
        ops.append(Op(at, "send", random.choice(["t", "t/k"]), message, sent, sent + random.randint(0, 3), outcome(random)))
    keys = [op.key for op in ops]
    if random.random() < 0.5 or "t" in names:
        ops = [Op(op.client, op.kind, keys[0], op.value, op.sent, op.done, op.outcome) for op in ops]
    for client, name in enumerate(names):
        sends = [op for op in ops if op.kind == "send"]
        arriving = sorted({op.value or "" for op in sends if op.ok or (op.outcome == "unknown" and random.random() < 0.5)})
        random.shuffle(arriving)
        if random.random() < 0.6:
            arriving.sort(key=lambda message: next(op.sent for op in sends if op.value == message))
        arriving = [message for message in arriving if random.random() > 0.1]
        arriving += [random.choice("abz")] * (random.random() < 0.2)
        ops += received(random, 10 + client, name, arriving)
    return ops


def received(random: Random, client: int, name: str, arriving: list[str]) -> list[Op]:
    """Calls that deliver these messages in this order, and then nothing; always, or most of the time."""
    ops: list[Op] = []
    now = random.randint(3, 9)
    left = list(arriving)
    while left:
        several = random.random() < 0.4
        taken, left = (left[:2], left[2:]) if several else (left[:1], left[1:])
        done = now + random.randint(0, 2)
        result = random.choice(["ok"] * 15 + ["unknown"])
        told = result == "ok" or random.random() < 0.5
        value = (json.dumps(taken) if several else taken[0]) if told else None
        ops.append(Op(client + 2 * len(ops), "poll" if several else "receive", name, value, now, done, result))
        now = max(0, done + random.randint(-1, 1))
    if random.random() < 0.8:
        now += random.randint(0, 2)
        ops.append(Op(client, "receive", name, None, now, now + 1, "ok", random.choice(["load", "final"])))
    if random.random() < 0.3 and arriving:
        ops.append(Op(client, "ack", name, random.choice(arriving), now - 2, now, random.choice(["ok", "unknown"])))
        if random.random() < 0.5:
            ops.append(Op(client, "receive", name, random.choice(arriving), now + random.randint(1, 3), now + 4))
    return ops


def brought(op: Op) -> list[str]:
    if op.value is None:
        return []
    return [str(each) for each in json.loads(op.value)] if op.kind == "poll" else [op.value]


def parts(ops: list[Op]) -> tuple[list[Op], list[Op], list[str]]:
    sends = [op for op in ops if op.kind == "send" and op.outcome != "failed"]
    receives = [op for op in ops if op.kind in ("receive", "poll")]
    return sends, receives, sorted({op.key for op in receives if op.ok})


def not_too_often(ops: list[Op]) -> bool | None:
    """Whether each receipt can be matched with a different sending."""
    sends, receives, _ = parts(ops)
    found = [(name, message, op.done) for op in receives if op.ok for name in [op.key] for message in brought(op)]
    if not found:
        return None
    for name, message in {(name, message) for name, message, _ in found}:
        done = [moment for at, what, moment in found if (at, what) == (name, message)]
        sent = [op.sent for op in sends if op.value == message]
        if not any(all(a <= b for a, b in zip(some, done, strict=True)) for some in permutations(sent, len(done))):
            return False
    return True


def none_lost(ops: list[Op]) -> bool | None:
    sends, receives, names = parts(ops)
    acked = [op for op in sends if op.ok]
    if not acked or not names:
        return None
    verdicts: list[bool | None] = []
    for name in names:
        answers = [op for op in receives if op.ok and op.key == name]
        acks = any(op.kind == "ack" and op.key == name for op in ops)
        over = {op.value for op in ops if op.kind == "ack" and op.key == name and op.outcome != "failed"}
        dark = [op for op in receives if op.outcome == "unknown" and op.key == name]
        got = [message for op in answers for message in brought(op)]
        got += [message for op in dark for message in brought(op) if not acks or message in over]
        missing: list[Op] = []
        for message in {op.value for op in acked}:
            same = sorted((op for op in acked if op.value == message), key=lambda op: op.done)
            missing += same[got.count(str(message)) :]
        last = [op for op in answers if op.phase == "final"] or answers
        drained = float("inf")
        for client in {op.client for op in last}:
            latest = max((op for op in last if op.client == client), key=lambda op: op.sent)
            drained = min(drained, latest.sent if not brought(latest) else float("-inf"))
        gone = [op for op in missing if op.done < drained]
        silent = [op.kind for op in dark if op.value is None and not acks]
        excused = len(gone) if "poll" in silent else len(silent)
        verdicts.append(False if len(gone) > excused else None if missing else True)
    verdicts += [None for op in receives if op.key not in names]
    return False if False in verdicts else None if None in verdicts else True


def not_after_ack(ops: list[Op]) -> bool | None:
    sends, receives, _ = parts(ops)
    for ack, receive in product(ops, receives):
        if ack.kind == "ack" and ack.ok and receive.ok and ack.key == receive.key and ack.done < receive.sent:
            once = [op.value for op in sends].count(ack.value) <= 1
            if once and ack.value in brought(receive):
                return False
    for receive, message in ((op, message) for op in receives if op.ok for message in brought(op)):
        if not any(op.value == message and op.sent <= receive.done for op in sends):
            return False
    return none_lost(ops)


def certain_order(receives: list[Op], name: str) -> set[tuple[str, str]]:
    """The pairs of messages that a subscription has certainly received in this order."""
    calls = [op for op in receives if op.outcome != "failed" and op.key == name]
    texts = {message for op in calls if op.ok for message in brought(op)}
    found = set()
    for one, other in product(texts, texts):
        ones, others = ([op for op in calls if text in brought(op)] for text in (one, other))
        if any(a.ok and all(a.done < b.sent for b in others) for a in ones):
            found.add((one, other))
        if ones == others and len(ones) == 1 and sum(brought(ones[0]).count(text) for text in (one, other)) == 2:
            found |= {(one, other)} if brought(ones[0]).index(one) < brought(ones[0]).index(other) else set()
    return found


def ordered_by_key(ops: list[Op]) -> bool | None:
    sends, receives, names = parts(ops)
    once = [op for op in sends if [other.value for other in sends].count(op.value) == 1]
    pairs = {name: certain_order(receives, name) for name in names}
    late: dict[str, set[str | None]] = {name: set() for name in names}
    for a, b, name in product(once, once, names):
        if a.key == b.key and a.end < b.sent and (b.value, a.value) in pairs[name]:
            late[name].add(a.value)
    for name in names:
        acks = any(op.kind == "ack" and op.key == name for op in ops)
        silent = [op.kind for op in receives if acks and op.key == name and op.outcome == "unknown" and op.value is None]
        if "poll" not in silent and len(late[name]) > len(silent):
            return False
    if any(late.values()):
        return None
    seen = {(op.key, message) for op in receives if op.ok for message in brought(op)}
    counted = [key for key, message in seen if message in [op.value for op in once]]
    return True if len(counted) > 1 and len(once) == len(sends) else None


def one_order(ops: list[Op]) -> bool | None:
    _, receives, _ = parts(ops)
    names = sorted({op.key for op in receives if op.ok and brought(op)})
    if len(names) < 2:
        return None
    pairs = {pair for name in names for pair in certain_order(receives, name)}
    texts = sorted({text for pair in pairs for text in pair})
    return any(all(order.index(one) < order.index(other) for one, other in pairs) for order in permutations(texts))


def random_broadcast(random: Random) -> list[Op]:
    """Two or three subscriptions of four messages at most."""
    ops: list[Op] = []
    texts = list("abcd")[: random.randint(2, 4)]
    for client in range(random.randint(2, 3)):
        arriving = list(texts)
        for _ in range(random.randint(0, 2)):
            at = random.randrange(len(arriving) - 1) if len(arriving) > 1 else 0
            arriving[at : at + 2] = arriving[at : at + 2][::-1]
        arriving += [random.choice(texts)] * (random.random() < 0.2)
        ops += [op for op in received(random, 10 + 30 * client, f"t/{client}", arriving) if op.kind != "ack"]
    return ops


CASES = {
    "no_duplicates": (no_duplicates, random_delivery, not_too_often),
    "no_lost_messages": (no_lost_messages, random_delivery, none_lost),
    "at_least_once": (at_least_once, random_delivery, not_after_ack),
    "per_key_order": (per_key_order, random_delivery, ordered_by_key),
    "total_order": (total_order, random_broadcast, one_order),
}


@pytest.mark.parametrize(("checker", "make", "judge"), CASES.values(), ids=CASES.keys())
def test_agrees_with_the_definition(checker: Checker, make: Make, judge: Judge) -> None:
    agrees(checker, make, judge, FEW)


@pytest.mark.nightly
@pytest.mark.parametrize(("checker", "make", "judge"), CASES.values(), ids=CASES.keys())
def test_agrees_with_the_definition_for_long(checker: Checker, make: Make, judge: Judge) -> None:
    agrees(checker, make, judge, MANY)
