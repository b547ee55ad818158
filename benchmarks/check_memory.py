"""Measures how much memory and time it takes to judge a large history from a parquet file.

`python benchmarks/check_memory.py` prints a line for each step: seconds, and the peak resident memory of the whole process, in
MB. `--ops` and `--keys` set how large the history is, `--checker` which checker judges it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from test_linearizable import seen

STEP_NS: Final = 1000
CLIENTS: Final = 50


def write(path: Path, ops: int, keys: int) -> None:
    """Write the history of an atomic store; half of the calls are writes, each of a value of its own."""
    random = np.random.default_rng(1)
    number = np.arange(ops)
    key, writes = random.integers(0, keys, ops), random.random(ops) < 0.5
    value = seen(key, writes)
    reach_ns = CLIENTS * STEP_NS // 2
    table = pa.table(
        {
            "client": pa.array((number % CLIENTS).astype(np.int32)),
            "kind": pa.array(np.where(writes, "write", "read")).dictionary_encode(),
            "key": pa.array(key).cast(pa.string()),
            "value": pa.array(value, mask=value < 0).cast(pa.string()),
            "outcome": pa.DictionaryArray.from_arrays(pa.array(np.zeros(ops, dtype=np.int8)), ["ok"]),
            "sent_ns": pa.array(number * STEP_NS - random.integers(0, reach_ns, ops)),
            "done_ns": pa.array(number * STEP_NS + random.integers(0, reach_ns, ops)),
        }
    )
    parquet.write_table(table, path, compression="zstd")


def timed(name: str, work: Callable[[], object]) -> object:
    """Do the work, and print how long it took and how much memory the process had at most meanwhile."""
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    begun_s = time.monotonic()
    result = work()
    took_s = time.monotonic() - begun_s
    kib = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(f"{name:<20} {took_s:6.1f} s, peak {kib / 1024:,.0f} MB", flush=True)
    return result


def judge(path: Path, checker: str) -> None:
    from harness.run import catalog
    from results.record.histories import load_history

    history = timed("read", lambda: load_history(path))
    timed(checker, lambda: catalog.find_checker(checker)(history))  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ops", type=int, default=10_000_000)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--checker", default="linearizable")
    parser.add_argument("--judge", type=Path, metavar="FILE", help="only judge this file")
    arguments = parser.parse_args()
    if arguments.judge:
        judge(arguments.judge, arguments.checker)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ops.parquet"
        write(path, arguments.ops, arguments.keys)
        print(f"{arguments.ops:,} operations on {arguments.keys:,} keys, {path.stat().st_size / 1e6:,.0f} MB of parquet")
        again = [sys.executable, __file__, "--judge", str(path), "--checker", arguments.checker]
        subprocess.run(again, check=True)  # in a process that did not make the history


if __name__ == "__main__":
    main()
