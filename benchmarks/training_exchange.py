"""What each way to exchange gradients costs at the links, and what it learns from as many samples as an undisturbed training.

`python benchmarks/training_exchange.py --batches 400` trains the model once by each method, on three ranks, without faults, and
prints one table: bytes per batch over the links between ranks as the fault plane counted them, how many times fewer than
with all-reduce, the training loss over the last fifth of the batches beside the control's over the same ones, and steps per
second. With `--slow-link` it prints steps per second while one link carries only 500 kB/s. Other programs on the machine lower
the steps per second, so the load average is printed. Bytes count all that is sent: gloo's headers, commits of steps, the first
state.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from faults.shared_bandwidth import SharedBandwidth
from harness.model.drill import Drill
from harness.model.history import CONTROL, History
from harness.model.load import Load
from harness.run.runner import run
from harness.run.spec import RunSpec
from results.analysis.step_measures import measure_steps
from systems.training import Training
from systems.training.exchange import method
from workloads.steps import Steps

_METHODS: Final = (
    "allreduce", "exact", "bf16", "top-k", "one-bit(block=256)", "powersgd", "powersgd(rank=4)", "local-sgd",
    "local-sgd(momentum=0.5, rate=0.7)",
)  # fmt: skip
_SLOW_KB_PER_S: Final = 500
_BEFORE_S: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One method's training."""

    exchange: str
    batches: int
    bytes_per_batch: float
    loss: float
    """The mean training loss of the last fifth of the batches."""
    control: float
    """The same of the undisturbed training."""
    steps_per_s: float


def measured(exchange: str, options: argparse.Namespace, runs: Path) -> Measured:
    """Train by a method, for as long as the batches take."""
    faults = [SharedBandwidth("rank0>rank1", kb_per_s=_SLOW_KB_PER_S)] if options.slow_link else []
    drill = Drill(
        system=Training(ranks=3, model=options.model, exchange=exchange, step_ms=0, checkpoint_every=10_000),
        workload=Steps(),
        load=Load(rate=2, clients=60, seconds=options.seconds, timeout_ms=20_000),
        faults=[fault.between(_BEFORE_S, options.seconds) for fault in faults],
    )
    history = run(RunSpec(name="benchmark/training_exchange", title="-", drill=drill, seed=1), runs=runs).history
    return figures(history, exchange, options.batches)


def figures(history: History, exchange: str, batches: int) -> Measured:
    """The losses of the first `batches` batches; bytes and pace of the whole run, from the fault on if there is one."""
    per_step = method(exchange).batches
    steps = history.steps[(history.steps["node"] != CONTROL) & history.steps["done_ns"].notna()]
    control = history.steps[history.steps["node"] == CONTROL].set_index("step")["loss"]
    losses = steps.groupby("step")["loss"].mean()
    losses = losses[losses.index < batches // per_step]
    last = losses.tail(max(1, len(losses) // 5))
    ends_ns = np.sort(steps.groupby("step")["done_ns"].min().to_numpy(dtype=np.int64))
    from_ns = history.windows["injected_ns"].min() if len(history.windows) else ends_ns[0]
    under = ends_ns[ends_ns >= from_ns]
    bytes_per_step = measure_steps(history).bytes_per_step or 0.0
    return Measured(
        exchange=exchange,
        batches=len(losses) * per_step,
        bytes_per_batch=bytes_per_step / per_step,
        loss=float(last.mean()),
        control=float(control.loc[last.index].mean()),
        steps_per_s=per_step * (len(under) - 1) / float((under[-1] - under[0]) / 1e9),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="digits", help="what is trained: digits, or text, which is larger")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each trains")
    parser.add_argument("--batches", type=int, default=400, help="losses are compared up to this batch")
    parser.add_argument("--methods", nargs="+", default=list(_METHODS), help="which ways to exchange")
    parser.add_argument("--slow-link", action="store_true", help=f"one link carries {_SLOW_KB_PER_S} kB/s")
    options = parser.parse_args()
    print(f"{options.model}, 3 ranks, {options.seconds:g} s each, load {os.getloadavg()[0]:.1f}")
    print(f"{'exchange':36}{'bytes a batch':>14}{'x allreduce':>12}{'batches':>9}{'loss':>9}{'control':>9}{'batches/s':>11}")
    with tempfile.TemporaryDirectory() as runs:
        plain = None
        for exchange in options.methods:
            one = measured(exchange, options, Path(runs))
            plain = one.bytes_per_batch if exchange == "allreduce" else plain
            fewer = f"{plain / one.bytes_per_batch:.1f}" if plain else "-"
            print(
                f"{exchange:36}{one.bytes_per_batch:>14,.0f}{fewer:>12}{one.batches:>9,}{one.loss:>9.4f}{one.control:>9.4f}"
                f"{one.steps_per_s:>11.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
