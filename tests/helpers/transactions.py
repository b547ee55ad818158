"""Histories of transactions in a line each, random ones, and what isolation levels mean by trying every order.

    c1 ax3 ry12   0..10 ok        append 3 to list x, read list y = [1, 2]
    c2 wp4 rq_    5..15 unknown   write 4 to register p, read register q as null

A word is what is done, a key of one letter, and digits: each an element of a list, or one value. "_" is null, "[]" an empty
list. Registers are called o..w. The search below knows nothing of dependencies: it applies transactions to a store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from random import Random

from harness.model.history import History

REGISTERS = "opqrstuvw"

Micro = tuple[str, str, int | list[int] | None]
State = dict[str, int | tuple[int, ...] | None]


@dataclass(frozen=True)
class Txn:
    """One transaction: its operations, when it was sent and done, and its outcome."""

    client: int
    operations: tuple[Micro, ...]
    sent: int
    done: int
    outcome: str


def told(transcript: str) -> list[Txn]:
    """The transactions of a transcript."""
    return [_txn(line.split("#")[0].split()) for line in transcript.splitlines() if line.split("#")[0].strip()]


def _txn(words: list[str]) -> Txn:
    client, *operations, span, outcome = words
    sent, done = span.split("..")
    return Txn(int(client[1:]), tuple(map(_micro, operations)), int(sent), int(done), outcome)


def _micro(word: str) -> Micro:
    function, key, value = word[0], word[1], word[2:]
    if function in "aw":
        return ("append" if function == "a" else "w", key, int(value))
    if value in ("_", "[]"):
        return ("r", key, None if value == "_" else [])
    return ("r", key, int(value) if key in REGISTERS else [int(digit) for digit in value])


def recorded(txns: list[Txn]) -> History:
    """The transactions as a history."""
    return History.of(
        [
            {
                "client": txn.client,
                "kind": "txn",
                "key": "",
                "value": json.dumps(txn.operations),
                "outcome": txn.outcome,
                "sent_ns": txn.sent,
                "done_ns": txn.done,
            }
            for txn in txns
        ]
    )


# ------------------------------------------------------------------------------------------------------------ the search


def committed_sets(txns: list[Txn]) -> Iterator[list[Txn]]:
    """Every set of transactions that may have taken effect: those done, and any of unknown outcome."""
    sure = [txn for txn in txns if txn.outcome == "ok"]
    unsure = [txn for txn in txns if txn.outcome == "unknown"]
    for number in range(len(unsure) + 1):
        for some in combinations(unsure, number):
            yield sure + list(some)


def runs(txn: Txn, state: State) -> State | None:
    """The state after a transaction; None if it read something else than was there. Of an unknown one no read counts."""
    state = dict(state)
    for function, key, value in txn.operations:
        holds = state.get(key)
        if function == "append":
            state[key] = (*(holds if isinstance(holds, tuple) else ()), number_of(value))
        elif function == "w":
            state[key] = number_of(value)
        elif txn.outcome == "ok" and (tuple(value) if isinstance(value, list) else value or None) != (holds or None):
            if value == [] and not holds:
                continue
            return None
    return state


def number_of(value: int | list[int] | None) -> int:
    """What was written, which is one number."""
    assert isinstance(value, int)
    return value


def serializable(txns: list[Txn], *, real_time: bool = False) -> bool:
    """Whether some order, one after another, explains all that was read."""

    def explain(left: frozenset[int], state: State, some: list[Txn]) -> bool:
        if not left:
            return True
        for number in left:
            txn = some[number]
            if real_time and any(some[other].outcome == "ok" and some[other].done < txn.sent for other in left):
                continue
            after = runs(txn, state)
            if after is not None and explain(left - {number}, after, some):
                return True
        return False

    return any(explain(frozenset(range(len(some))), {}, some) for some in committed_sets(txns))


def snapshot_isolated(txns: list[Txn]) -> bool:
    """Whether some order of commits, and a snapshot for each before its commit, explains all that was read."""

    def explain(some: list[Txn], left: frozenset[int], order: tuple[Txn, ...], states: tuple[State, ...]) -> bool:
        """`states` are those after each commit so far, the first the empty one."""
        if not left:
            return True
        for number in left:
            txn = some[number]
            keys = {key for function, key, _ in txn.operations if function != "r"}
            for snapshot in range(len(order), -1, -1):
                if any(function != "r" and key in keys for other in order[snapshot:] for function, key, _ in other.operations):
                    break  # an older snapshot overlaps as well
                after = runs(txn, states[snapshot])
                if after is not None:
                    state = states[-1] | {key: after[key] for key in keys}
                    if explain(some, left - {number}, (*order, txn), (*states, state)):
                        return True
                    break  # only what it reads depends on the snapshot
        return False

    return any(explain(some, frozenset(range(len(some))), (), ({},)) for some in committed_sets(txns))


# ------------------------------------------------------------------------------------------------------ random histories


def random_history(random: Random, lists: bool) -> list[Txn]:
    """A few transactions on one to three keys, run on a store that is often wrong in some way."""
    keys = (["x", "y", "z"] if lists else ["p", "q", "r"])[: random.randint(1, 2)]
    count = random.randint(3, 5)
    behave: Callable[..., State] = random.choice([_serial, _stale, _stale, _snapshots, _snapshots])
    spans = [(sent := random.randint(0, 12), sent + random.randint(0, 8)) for _ in range(count)]
    next_value = iter(range(1, 100))
    past: list[State] = [{}]
    txns = []
    for client, (sent, done) in enumerate(sorted(spans, key=lambda span: span[1])):
        outcome = random.choices(["ok", "unknown", "failed"], [8, 1, 1])[0]
        state = behave(past, random)
        written: State = {}
        operations: list[Micro] = []
        for _ in range(random.randint(1, 4)):
            key = random.choice(keys)
            holds = written.get(key, state.get(key))
            if random.random() < 0.55:
                if random.random() < 0.1:
                    holds = random.choice(past).get(key)
                shown = list(holds) if isinstance(holds, tuple) else holds
                operations.append(("r", key, [] if lists and shown is None and random.random() < 0.5 else shown))
            elif lists:
                value = next(next_value)
                written[key] = (*(holds if isinstance(holds, tuple) else ()), value)
                operations.append(("append", key, value))
            else:
                written[key] = value = next(next_value)
                operations.append(("w", key, value))
        if outcome == "ok" or (outcome == "unknown" and random.random() < 0.5) or random.random() < 0.1:
            past.append(_merged(past[-1], state, written, lists))
        txns.append(Txn(client, tuple(operations), sent, done, outcome))
    random.shuffle(txns)
    return sorted(txns, key=lambda txn: txn.sent)


def _serial(past: list[State], _: Random) -> State:
    return past[-1]


def _stale(past: list[State], random: Random) -> State:
    return random.choice(past[-3:])


def _snapshots(past: list[State], random: Random) -> State:
    state = dict(past[-1])
    for key, value in random.choice(past).items():
        if random.random() < 0.3:
            state[key] = value
    return state


def _merged(now: State, seen: State, written: State, lists: bool) -> State:
    """What is there after a commit: a list keeps what others appended meanwhile, a register does not."""
    after = dict(now)
    for key, value in written.items():
        if lists and isinstance(value, tuple):
            before = seen.get(key)
            new = value[len(before) if isinstance(before, tuple) else 0 :]
            there = now.get(key)
            after[key] = (*(there if isinstance(there, tuple) else ()), *new)
        else:
            after[key] = value
    return after
