"""How the cost of a step and of a recovery in `systems/training` grows with ranks and parameters, in a table and a plot.

`python benchmarks/training_growth.py --plot FILE.svg` trains dense layers of 10,000 to 10,000,000 parameters on two, four
and eight ranks, with gradients exchanged exactly (12 virtual shards, so bits do not depend on the ranks) and by all-reduce,
and kills a rank once. It prints the median time of a step, the bytes per step over all links between ranks as the fault plane
counted them, and the time from the kill to the next step. Steps follow one another without a pause. No control is trained:
nothing is judged here. All ranks share this machine's processors, so with more ranks than processors steps get slower for that
reason alone. Sizes that would move more than a gigabyte per step are left out, and named.
"""

from __future__ import annotations

import argparse
import itertools
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from training import load, phases_ms
from training_ours import Unjudged
from training_plot import drawn

from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.history import CONTROL
from harness.model.load import Load
from harness.run.runner import run
from harness.run.spec import RunSpec
from results.analysis.step_measures import measure_steps
from workloads.steps import Steps

_EXCHANGES: Final = ("allreduce", "exact")
RANKS: Final = (2, 4, 8)
HIDDEN: Final = {10_015: 69, 100_327: 281, 1_000_567: 963, 10_003_135: 3125}
"""The number of units in a layer, by the number of parameters that gives."""

_SHARDS: Final = 12
_NUMBER_BYTES: Final = 4
_MOST_BYTES: Final = 1e9
_DOWN_S: Final = 0.5
_MUCH_BYTES: Final = 5e7
_SECONDS: Final = {False: 7.0, True: 25.0}
"""How long to train, by whether a step moves more than `_MUCH_BYTES`."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a step and a recovery cost at one size."""

    exchange: str
    ranks: int
    parameters: int
    steps: int
    step_ms: float
    bytes_per_step: float
    recovery_ms: float


def cost(exchange: str, ranks: int, parameters: int, runs: Path) -> Cost:
    """Train for some seconds, and kill a rank once, well before the middle."""
    seconds = _SECONDS[moved_bytes(exchange, ranks, parameters) > _MUCH_BYTES]
    killed_s = 0.4 * seconds
    drill = Drill(
        system=Unjudged(
            ranks=ranks, model=f"dense({HIDDEN[parameters]})", exchange=exchange, step_ms=0, checkpoint_every=10_000
        ),
        workload=Steps(),
        load=Load(rate=2, clients=60, seconds=seconds, timeout_ms=20_000),
        faults=[Kill("one").between(killed_s, killed_s + _DOWN_S)],
    )
    history = run(RunSpec(name="benchmark/training_growth", title="-", drill=drill, seed=1), runs=runs).history
    measures = measure_steps(history)
    steps = history.steps[(history.steps["node"] != CONTROL) & history.steps["done_ns"].notna()]
    begins_ns, killed_ns = int(history.ops["due_ns"].min()), int(history.windows["injected_ns"].min())
    done_ns = np.sort(steps.groupby("step")["done_ns"].min().to_numpy(dtype=np.int64))
    clean = done_ns[(done_ns >= begins_ns) & (done_ns < killed_ns)]
    first = phases_ms(history)["first step"].iloc[0]
    return Cost(
        exchange=exchange,
        ranks=ranks,
        parameters=parameters,
        steps=measures.steps,
        step_ms=float(np.median(np.diff(clean))) / 1e6 if len(clean) > 1 else float("nan"),
        bytes_per_step=measures.bytes_per_step or float("nan"),
        recovery_ms=float(np.nan if pd.isna(first) else first),
    )


def moved_bytes(exchange: str, ranks: int, parameters: int) -> float:
    """The bytes that a step moves over all links: each rank sends its part to all others, or a ring reduces and distributes."""
    if exchange == "exact":
        return (ranks - 1) * -(-_SHARDS // ranks) * ranks * parameters * _NUMBER_BYTES
    return 2.0 * (ranks - 1) * parameters * _NUMBER_BYTES


def table(runs: Path, plot: Path | None, ranks: Sequence[int] = RANKS, within_s: float = math.inf) -> None:
    """Print a row in Markdown for each size, the smaller ones first, until `within_s` is over, and plot them."""
    print(f"\nranks and parameters, one kill each{load()}")
    print("| exchange | ranks | parameters | step p50 ms | bytes a step | SIGKILL to next step, ms |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    until_s, costs = time.monotonic() + within_s, []
    for size in sorted(itertools.product(_EXCHANGES, ranks, HIDDEN), key=lambda size: moved_bytes(*size)):
        moved, told = moved_bytes(*size), "| {} | {} | {:,} |".format(*size)
        if moved > _MOST_BYTES:
            print(f"{told} left out: {moved / 1e9:.1f} GB a step | | |")
        elif time.monotonic() > until_s:
            print(f"{told} left out: no time | | |")
        else:
            costs.append(one := cost(*size, runs))
            print(f"{told} {one.step_ms:.1f} | {one.bytes_per_step:,.0f} | {one.recovery_ms:,.0f} |", flush=True)
    largest = max(costs, key=lambda one: one.ranks * one.parameters)
    print(f"the largest that ran: {largest.ranks} ranks, {largest.parameters:,} parameters, {largest.exchange}")
    if plot is not None:
        plot.write_text(drawn(costs))


def main() -> None:
    """Parse the options and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ranks", type=int, nargs="+", default=list(RANKS), help="how many ranks (default: 2 4 8)")
    parser.add_argument("--within-s", type=float, default=math.inf, help="sizes that do not fit into that time are left out")
    parser.add_argument("--plot", type=Path, help="draw it into this SVG file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table(Path(folder), options.plot, options.ranks, options.within_s)


if __name__ == "__main__":
    main()
