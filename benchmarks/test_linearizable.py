"""How much time and memory the check for linearizability takes for a million operations.

`pytest benchmarks/test_linearizable.py` prints a line for each case: seconds, operations per second, and peak memory.
`benchmarks/beside_porcupine.py` compares the check with another one.
"""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.checkers.linearizable import linearizable
from harness.model.history import History
from harness.model.verdict import Verdict

OPS = 1_000_000
CLIENTS = 50
STEP_NS = 1000
"""The time between the effects of two operations."""


def recorded(keys: int, stale_at: float | None = None, ops: int = OPS, seed: int = 1) -> History:
    """The history of an atomic store whose clients keep `CLIENTS` calls in flight, half of them writes.

    Operation i takes effect at `i * STEP_NS`, at a random point of its time in flight. With `stale_at`, a read after that
    share of the history finds the value that its key had fifty writes earlier.
    """
    random = np.random.default_rng(seed)
    number = np.arange(ops)
    key, write = random.integers(0, keys, ops), random.random(ops) < 0.5
    value = seen(key, write)
    if stale_at is not None:
        read = int(np.flatnonzero(~write & (number > ops * stale_at))[0])
        value[read] = np.flatnonzero(write & (key == key[read]) & (number < read))[-CLIENTS]
    text = pd.Series(value).astype("string")
    reach_ns = CLIENTS * STEP_NS // 2
    return History.of(
        pd.DataFrame(
            {
                "client": number % CLIENTS,
                "kind": np.where(write, "write", "read"),
                "key": pd.Series(key).astype("string"),
                "value": text.mask(value < 0),
                "outcome": "ok",
                "sent_ns": number * STEP_NS - random.integers(0, reach_ns, ops),
                "done_ns": number * STEP_NS + random.integers(0, reach_ns, ops),
            }
        )
    )


def seen(key: npt.NDArray[np.int64], write: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """For each operation the last write of its key so far, possibly itself; -1 if there is none."""
    order = np.argsort(key, kind="stable")
    first_of_key = np.searchsorted(key[order], key[order])
    last_write = np.maximum.accumulate(np.where(write[order], np.arange(len(key)), -1))
    value = np.empty(len(key), dtype=np.int64)
    value[order] = np.where(last_write < first_of_key, -1, order[last_write])
    return value


def peak_allocated(history: History) -> int:
    """The most bytes that one check holds at once besides the history, of numpy's and Python's memory (by `tracemalloc`)."""
    tracemalloc.start()
    try:
        linearizable(history)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def peak_resident(history: History) -> int | None:
    """The most resident bytes of the whole process, history and libraries included, during a check; None if not on Linux."""
    if sys.platform != "linux":
        return None
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    linearizable(history)
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


CASES = {
    "one key": (1, None),
    "1000 keys": (1000, None),
    "one key, one stale read near the end": (1, 0.99),
    "1000 keys, one stale read near the end": (1000, 0.99),
}


@pytest.mark.parametrize(("keys", "stale_at"), CASES.values(), ids=CASES.keys())
def test_a_million_operations(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str], keys: int, stale_at: float | None
) -> None:
    history = recorded(keys, stale_at)
    verdict: Verdict = benchmark.pedantic(linearizable, args=(history,), rounds=3, warmup_rounds=1)  # type: ignore[no-untyped-call]
    assert verdict.valid is (stale_at is None), verdict.why
    allocated, resident = peak_allocated(history), peak_resident(history)
    assert benchmark.stats is not None
    best_s = benchmark.stats.stats.min
    benchmark.extra_info.update(ops=OPS, clients=CLIENTS, peak_allocated_bytes=allocated, peak_resident_bytes=resident)
    process = "" if resident is None else f" (whole process, history included: {resident / 1e6:.0f} MB resident)"
    with capsys.disabled():
        print(
            f"\n{OPS:,} operations, {CLIENTS} clients, {keys:,} key(s), {'valid' if verdict.valid else 'invalid'}:"
            f" best of 3 {best_s:.2f} s, {OPS / best_s:,.0f} ops/s, peak memory of the check {allocated / 1e6:.0f} MB{process}"
        )
