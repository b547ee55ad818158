"""Compares how long our check for linearizability and Porcupine take on the same histories, in turn.

`python benchmarks/beside_porcupine.py` prints one line for each kind of history: the median seconds of both, and the median of
the ratios of each history. These are seconds of CPU time, so that other programs on the machine do not count. Porcupine
(`benchmarks/porcupine`, built with Go) has read its input before its time starts. It judges keys in parallel; the time of all
its CPUs is added up.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pandas as pd
from test_linearizable import OPS, recorded

from harness.checkers.linearizable import linearizable
from harness.model.history import History

STEP_NS: Final = 1000
COLUMNS: Final = ["client", "key", "kind", "value", "sent_ns", "done_ns"]


def compared_and_set(clients: int, ops: int, seed: int, *, values: int, stale: bool) -> History:
    """A history of one atomic register: reads, writes and compare-and-sets of only a few values, so that each recurs often.

    Operation i takes effect at `i * STEP_NS`, at a random point of its time in flight. With `stale`, one of the last reads
    finds a value that the register did not hold for a long time before and after it.
    """
    random = np.random.default_rng(seed)
    state, rows, seen = "", [], [""]
    reach_ns = clients * STEP_NS // 2
    for number in range(ops):
        kind = ("read", "write", "cas")[random.integers(3)]
        new = str(random.integers(values))
        value: str | None = new
        if kind == "read":
            value = state or None
        elif kind == "write":
            state = new
        else:
            expected = state if random.random() < 0.5 else str(random.integers(values))
            done = expected == state and bool(state)
            value = f"[{expected or 0},{new}]" if done else f"[{expected or 0},{new},false]"
            state = new if done else state
        at_ns = number * STEP_NS
        rows.append(
            {
                "client": number % clients, "kind": kind, "key": "x", "value": value, "outcome": "ok",
                "sent_ns": at_ns - int(random.integers(reach_ns)), "done_ns": at_ns + int(random.integers(reach_ns)),
            }
        )  # fmt: skip
        seen.append(state)
    if stale:
        far = 2 * clients
        read = max(number for number in range(ops - far) if rows[number]["kind"] == "read")
        around = set(seen[read - far : read + far])
        rows[read]["value"] = next(str(each) for each in range(values) if str(each) not in around)
    return History.of(pd.DataFrame(rows))


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of history, made from a seed."""

    name: str
    make: Callable[[int], History]
    valid: bool = True


def _registers(keys: int, ops: int, seed: int) -> History:
    return recorded(keys, ops=ops, seed=seed)


def kinds() -> Iterator[Kind]:
    """The kinds that are compared."""
    yield Kind(name="1,000,000 reads and writes, 50 clients, 1,000 keys", make=partial(_registers, 1000, OPS))
    yield Kind(name="10,000 reads and writes, 50 clients, one key", make=partial(_registers, 1, 10_000))
    for clients, values, stale in product((10, 50), (5, 100), (False, True)):
        if values == 100 or not stale:  # each of only five values is there all the time
            yield Kind(
                name=f"10,000 with compare-and-set, {clients} clients, {values} values{', a stale read' if stale else ''}",
                make=partial(compared_and_set, clients, 10_000, values=values, stale=stale),
                valid=not stale,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--histories", type=int, default=5, metavar="N", help="of each kind (5)")
    parser.add_argument("--limit", type=int, default=20, metavar="SECONDS", help="when Porcupine gives up (20)")
    parser.add_argument("--ops", type=int, default=OPS, metavar="N", help="leave out histories with more calls than this")
    asked = parser.parse_args()
    linearizable(recorded(2, ops=100))  # so that what the first call imports does not count
    with TemporaryDirectory() as scratch:
        program = _built(Path(scratch))
        for kind in kinds():
            if int(kind.name.split()[0].replace(",", "")) <= asked.ops:
                _compare(kind, asked.histories, program, asked.limit)


def _compare(kind: Kind, histories: int, program: Path, limit_s: int) -> None:
    ours, theirs = _Side(), _Side()
    for seed in range(1, histories + 1):
        history = kind.make(seed)
        began_s = time.process_time()
        verdict = linearizable(history)
        ours.add(time.process_time() - began_s, decided=verdict.valid is not None)
        told, took_s = _porcupine(history, program, limit_s)
        theirs.add(took_s, decided=told != "Unknown")
        if verdict.valid is (not kind.valid) or told == ("Illegal" if kind.valid else "Ok"):
            raise SystemExit(f"{kind.name}, seed {seed}: {verdict.why}; Porcupine says {told}")
    ratio = median(other / own for own, other in zip(ours.took_s, theirs.took_s, strict=True))
    least = "at least " if theirs.undecided > histories // 2 else ""
    print(f"{kind.name:<66} {ours}; Porcupine {theirs}: {least}{ratio:,.1f} times", flush=True)


class _Side:
    """How long one of the two took for each history."""

    def __init__(self) -> None:
        self.took_s: list[float] = []
        self.undecided = 0

    def add(self, took_s: float, *, decided: bool) -> None:
        self.took_s.append(took_s)
        self.undecided += not decided

    def __str__(self) -> str:
        gave_up = f" ({self.undecided} of {len(self.took_s)} undecided)" if self.undecided else ""
        return f"{median(self.took_s):.3f} s{gave_up}"


def _porcupine(history: History, program: Path, limit_s: int) -> tuple[str, float]:
    """Its verdict, and the CPU seconds that it took."""
    columns = history.ops[COLUMNS].copy()
    columns["value"] = columns["value"].fillna("-")
    swapped = columns["kind"] == "cas"
    cas = columns.loc[swapped, "value"].str.strip("[]")
    columns.loc[swapped, "value"] = cas.where(cas.str.endswith("false"), cas + ",true")
    lines = columns.to_csv(sep=" ", header=False, index=False)
    done = subprocess.run([program, str(limit_s)], input=lines, capture_output=True, text=True, check=True)
    verdict, _, cpu_s = done.stdout.split()
    return verdict, float(cpu_s)


def _built(folder: Path) -> Path:
    go = shutil.which("go")
    if go is None:
        raise SystemExit("Porcupine is built with Go, which is not installed.")
    program = folder / "porcupine"
    subprocess.run([go, "build", "-o", program, "."], cwd=Path(__file__).parent / "porcupine", check=True)
    return program


if __name__ == "__main__":
    main()
