"""How much time and memory it takes to check a hundred thousand transactions on lists for each isolation level.

`pytest benchmarks/test_transactions.py` prints a line for each level: seconds, how many of them on the CPU, transactions per
second, and the peak memory of the process.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from random import Random

import pandas as pd
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.checkers.serializable import serializable
from harness.checkers.snapshot_isolation import snapshot_isolation
from harness.checkers.strict_serializable import strict_serializable
from harness.model.history import History
from harness.model.verdict import Checker, Verdict

TRANSACTIONS = 100_000
CLIENTS = 20
KEYS = 50
"""How many lists are in use at once."""
LENGTH = 100
"""How long a list becomes before another one takes its place."""
STEP_NS = 1000

LEVELS: dict[str, Checker] = {checker.__name__: checker for checker in (serializable, strict_serializable, snapshot_isolation)}


def recorded(transactions: int = TRANSACTIONS, *, skewed: bool = False) -> History:
    """The history of a strictly serializable store, with transactions of one to five appends and reads of whole lists.

    With `skewed`, one transaction near the end misses the last append of another transaction, of which it saw another append.
    """
    random = Random(1)
    store: dict[int, list[int]] = {}
    keys, fresh = list(range(KEYS)), KEYS
    rows: list[dict[str, object]] = []
    for number in range(transactions):
        operations: list[list[object]] = []
        for _ in range(random.randint(1, 5)):
            place = random.randrange(KEYS)
            held = store.setdefault(keys[place], [])
            if random.random() < 0.5:
                operations.append(["r", keys[place], list(held)])
                continue
            held.append(len(held) + 1)
            operations.append(["append", keys[place], len(held)])
            if len(held) == LENGTH:
                keys[place], fresh = fresh, fresh + 1
        at_ns, reach_ns = number * STEP_NS, CLIENTS * STEP_NS // 2
        rows.append(row(number, operations, at_ns - random.randrange(reach_ns), at_ns + random.randrange(reach_ns)))
    if skewed:
        at_ns = transactions * STEP_NS
        rows.append(row(transactions, [["append", "x", 1], ["append", "y", 1]], at_ns, at_ns + 10))
        rows.append(row(transactions + 1, [["r", "x", [1]], ["r", "y", []]], at_ns, at_ns + 20))
        rows.append(row(transactions + 2, [["r", "y", [1]]], at_ns + 20, at_ns + 30))
    return History.of(pd.DataFrame(rows))


def row(number: int, operations: list[list[object]], sent_ns: int, done_ns: int) -> dict[str, object]:
    value = json.dumps(operations)
    return {
        "client": number % CLIENTS, "kind": "txn", "key": "", "value": value, "outcome": "ok",
        "sent_ns": sent_ns, "done_ns": done_ns,
    }  # fmt: skip


def peak_resident(checker: Checker, history: History) -> int | None:
    """The most resident bytes of the whole process, history and libraries included, during a check; None if not on Linux."""
    if sys.platform != "linux":
        checker(history)
        return None
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    checker(history)
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


@pytest.mark.parametrize("skewed", [False, True], ids=["valid", "a read skew near the end"])
@pytest.mark.parametrize("level", LEVELS)
def test_a_hundred_thousand_transactions(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str], level: str, skewed: bool
) -> None:
    history = recorded(skewed=skewed)
    verdict: Verdict = benchmark.pedantic(LEVELS[level], args=(history,), rounds=3)  # type: ignore[no-untyped-call]
    assert verdict.valid is not skewed, verdict.why
    began_s = time.process_time()
    resident = peak_resident(LEVELS[level], history)
    cpu_s = time.process_time() - began_s
    assert benchmark.stats is not None
    best_s = benchmark.stats.stats.min
    benchmark.extra_info.update(transactions=TRANSACTIONS, clients=CLIENTS, peak_resident_bytes=resident, cpu_s=cpu_s)
    process = "" if resident is None else f", {resident / 1e6:.0f} MB resident (history and libraries included)"
    with capsys.disabled():
        print(
            f"\n{TRANSACTIONS:,} transactions, {level}, {'invalid' if skewed else 'valid'}: best of 3 {best_s:.2f} s,"
            f" {cpu_s:.2f} s on the CPU, {TRANSACTIONS / best_s:,.0f}/s{process}"
        )
