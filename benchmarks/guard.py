"""How much the guard of a training costs, and how soon it identifies a rank that computes wrongly.

`python benchmarks/guard.py --repeats 3` trains on three ranks, as quickly as they can: without the guard, with audits every ten
steps, and with audits every step, in turn; it prints the median step of each. Then one rank gets a low bit of each gradient
wrong from step 15 on, and it prints for each repeat how many steps were done until that rank was named, and how many are
allowed at most: ranks times `audit_every`. Other programs that use the processors affect the figures: the load average is
printed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from faults.wrong_gradient import WrongGradient
from harness.checkers.corruption_named import FLIPPED, corruption_named
from harness.model import training_events
from harness.model.drill import Drill
from harness.model.fault import StepWindow
from harness.model.history import CONTROL, History
from harness.model.load import Load
from harness.model.training_events import Named
from harness.run.runner import run
from harness.run.spec import RunSpec
from systems.training import Training
from workloads.steps import Steps

_EVERY: Final = (0, 10, 1)
_RANKS: Final = 3


def recorded(every: int, seconds: float, faults: list[StepWindow], seed: int, runs: Path) -> History:
    """The history of a training that is audited once every `every` steps."""
    drill = Drill(
        system=Training(ranks=_RANKS, step_ms=0, checkpoint_every=10, audit_every=every),
        workload=Steps(),
        load=Load(rate=5, clients=40, seconds=seconds, timeout_ms=5000),
        faults=faults,
    )
    return run(RunSpec(name="benchmark/guard", title="-", drill=drill, seed=seed), runs=runs).history


def step_ms(history: History) -> list[float]:
    """How long each step took, on each rank."""
    done = history.steps[(history.steps["node"] != CONTROL) & history.steps["done_ns"].notna()]
    return ((done["done_ns"] - done["begun_ns"]).astype(float) / 1e6).tolist()


def steps_until_named(history: History) -> int | None:
    """How many steps were done from a rank's first flip until it was named; None if it was not, or if more went wrong."""
    if corruption_named(history).valid is not True:
        return None
    events, steps = history.events, history.steps[history.steps["node"] != CONTROL]
    flipped_ns = events["at_ns"][events["kind"] == FLIPPED].min()
    named_ns = training_events.told(history, Named)[0].at_ns
    return int(steps["step"][(steps["done_ns"] > flipped_ns) & (steps["done_ns"] < named_ns)].nunique())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3, help="how many times each is done")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each training")
    options = parser.parse_args()
    print(f"{_RANKS} ranks, {options.repeats} times {options.seconds:g} s each, load {os.getloadavg()[0]:.1f}")
    times: dict[int, list[float]] = {every: [] for every in _EVERY}
    named: dict[int, list[int | None]] = {every: [] for every in _EVERY if every}
    with tempfile.TemporaryDirectory() as root:
        for seed in range(1, options.repeats + 1):
            for every in _EVERY:
                times[every] += step_ms(recorded(every, options.seconds, [], seed, Path(root)))
        for seed in range(1, options.repeats + 1):
            for every, found in named.items():
                fault = WrongGradient("one", bit=12).from_step(15)
                found.append(steps_until_named(recorded(every, options.seconds, [fault], seed, Path(root))))
    plain = float(np.median(times[0]))
    for every in _EVERY:
        p50 = float(np.median(times[every]))
        told = f"audit_every={every:<3} step p50 {p50:6.2f} ms, {p50 / plain:5.2f}x"
        if every:
            told += f"   named after {', '.join(map(str, named[every]))} steps (at most {_RANKS * every})"
        print(told)


if __name__ == "__main__":
    main()
