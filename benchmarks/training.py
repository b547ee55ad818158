"""How long a training stands still when a rank is killed, frozen, or cut off from another one: from the fault to the next step.

`python benchmarks/training.py --faults 20` injects each fault 20 times on three ranks, one kind after another. It prints how
long after the fault the coordinator decided, the next group was formed, and that group had done its first step (p50, p99,
worst). A rank is killed with SIGKILL or frozen with SIGSTOP for two seconds; a link is cut without a word to either end. The
last column says whether all steps of all ranks came to the parameters of an undisturbed training, bit for bit. Other programs
on the machine slow these figures down, so the load average is printed. The last line says what saving cost in the last run.

With `--coordinators 3` a rank and the leading coordinator are also killed at the same time.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from faults.kill import Kill
from faults.partition import Isolate
from faults.pause import Pause
from harness.checkers.same_parameters import same_parameters
from harness.model.drill import Drill
from harness.model.fault import Fault, Window
from harness.model.history import CONTROL, History
from harness.model.load import Load
from harness.model.selector import LEADER
from harness.run.runner import run
from harness.run.spec import RunSpec
from systems.training import Training
from workloads.steps import Steps

FAULTS: Final[Mapping[str, tuple[Sequence[Fault], float]]] = {
    "rank killed": ([Kill("one")], 0.5),
    "rank frozen": ([Pause("one")], 2.0),
    "link cut": ([Isolate("rank0>rank1")], 2.0),
}
"""The faults that are injected together, and how many seconds they last."""

WITH_LEADER: Final[Mapping[str, tuple[Sequence[Fault], float]]] = {"rank and leader": ([Kill("one"), Kill(LEADER)], 1.5)}
"""With several coordinators: a rank and the leading coordinator are killed."""

_QUIET_S: Final = 2.5
"""From the end of one fault to the next: long enough for a rank that was out to have rejoined."""

_PHASES: Final = ("decided", "formed", "first step")


def recorded(
    faults: Sequence[Fault], lasts_s: float, number: int, step_ms: float, runs: Path, coordinators: int = 1
) -> History:
    """The history of a training that meets the same faults `number` times, for `lasts_s` each."""
    period_s = lasts_s + _QUIET_S
    begins = [period_s * at + 1 for at in range(number)]
    windows = [fault.between(from_s, from_s + lasts_s) for from_s in begins for fault in faults]
    return trained(windows, period_s * (number + 1), step_ms, runs, coordinators)


def trained(faults: Sequence[Window], seconds: float, step_ms: float, runs: Path, coordinators: int = 1) -> History:
    """The history of a training of three ranks for this long, with these faults."""
    drill = Drill(
        system=Training(ranks=3, coordinators=coordinators, step_ms=step_ms),
        workload=Steps(),
        load=Load(rate=5, clients=40, seconds=seconds, timeout_ms=5000),
        faults=faults,
    )
    return run(RunSpec(name="benchmark/training", title="-", drill=drill, seed=1), runs=runs).history


def phases_ms(history: History) -> pd.DataFrame:
    """One row per fault: milliseconds from its beginning to each phase of the recovery from it."""
    done = history.steps[(history.steps["node"] != CONTROL) & history.steps["done_ns"].notna()]
    rows = []
    on_ranks = history.windows[history.windows["selector"] != LEADER]
    for at_ns in on_ranks["injected_ns"].dropna():
        generation = done["generation"][done["done_ns"] < at_ns].max()
        after = history.events[history.events["at_ns"] >= at_ns]
        first = done["done_ns"][(done["generation"] > generation) & (done["done_ns"] > at_ns)].min()
        ends = [after["at_ns"][after["kind"] == kind].min() for kind in _PHASES[:2]]
        rows.append([(end - at_ns) / 1e6 for end in (*ends, first)])
    return pd.DataFrame(rows, columns=list(_PHASES))


def bit_equal(history: History) -> str:
    """Whether all steps of all ranks came to the parameters of an undisturbed training: "yes", "NO" or "unknown"."""
    return {True: "yes", False: "NO", None: "unknown"}[same_parameters(history).valid]


def load() -> str:
    """What else the machine is doing, to be added to a headline."""
    return f" (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors)"


def stalls(history: History) -> str:
    """What the copies for checkpoints cost, in words."""
    done = history.steps[(history.steps["node"] != CONTROL) & history.steps["done_ns"].notna()]
    copies_ms = done["stalled_ns"][done["stalled_ns"] > 0].astype(float) / 1e6
    share = done["stalled_ns"].sum() / (done["done_ns"] - done["begun_ns"]).sum()
    return (
        f"{len(copies_ms)} copies for checkpoints held training up for {copies_ms.median():.2f} ms each (p50;"
        f" {copies_ms.max():.2f} at worst), {share:.2%} of the time of all steps"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--faults", type=int, default=20, help="how often each is done")
    parser.add_argument("--coordinators", type=int, default=1, help="with several, the leading one is killed as well")
    parser.add_argument("--step-ms", type=float, default=25.0, help="a step begins no sooner than this after the one before")
    options = parser.parse_args()
    print(f"{options.faults} of each, 3 ranks, a step at least every {options.step_ms:g} ms{load()}")
    print(f"{'ms after the fault':20}" + "".join(f"{phase:>26}" for phase in _PHASES) + "   bit-equal")
    with tempfile.TemporaryDirectory() as runs:
        for name, (faults, lasts_s) in (FAULTS if options.coordinators == 1 else {**FAULTS, **WITH_LEADER}).items():
            history = recorded(faults, lasts_s, options.faults, options.step_ms, Path(runs), options.coordinators)
            phases = phases_ms(history)
            told = [
                " / ".join(f"{value:.0f}" for value in np.percentile(phases[phase], [50, 99, 100], method="higher"))
                for phase in _PHASES
            ]
            told_of_stalls = stalls(history)
            print(f"{name:20}" + "".join(f"{text:>26}" for text in told) + f"   {bit_equal(history)}", flush=True)
    print(told_of_stalls)


if __name__ == "__main__":
    main()
