"""Compares the parameter server's wire with two ways to do the same in torch.distributed, and its modes with each other.

`python benchmarks/parameter_server.py` prints two tables.

*Wire*: steps per second of synchronous training with four workers and a master, and the same model, data and arithmetic (so the
same bits, which is checked): over this project's HTTP, as the system runs it but with no proxy in between; over gloo's
broadcast and gather; and over torch's RPC (TensorPipe). Each is started anew for each round, and they take turns; the first
steps are left out. Ours checks every message, gives a worker a shard when it asks for one, and has a standby; the others stop
for good when a worker does.

*Modes*: the loss, and how good the model is on data it never saw (for `digits`, the share that is recognized correctly; for
`text`, nats per character): after the same number of samples, and after the same time with one of the workers ten times as
slow; for several seeds. The rules are the system's own (`protocol`, `updates`, `weighing`) and so are the gradients, but time
is counted, not measured: a shard takes 8 to 12 ms, and ten times that on the slow worker. So the result is the same on every
machine. The last line shows a training in which every update has the full learning rate, however stale it is.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import Final

import torch
from parameter_server_modes import MODES, CameTo, train
from parameter_server_wires import WIRES, Timed

_ROUNDS: Final = 5
_STEPS: Final = 120
_WARM_UP: Final = 25
"""After this many steps all nodes have started; ours begins with more than half of its workers."""

_SEEDS: Final = 3


def wires(model: str, workers: int, rounds: int, steps: int) -> None:
    """Print the first table."""
    rates: dict[str, list[float]] = {name: [] for name in WIRES}
    digests: set[str] = set()
    for number in range(rounds):
        for name in WIRES if number % 2 == 0 else reversed(list(WIRES)):
            with tempfile.TemporaryDirectory() as folder:
                timed = WIRES[name](Path(folder), model, workers, _WARM_UP + steps)
            rates[name].append(_rate(timed))
            digests.add(timed.parameters)
    print(f"{model}, {workers} workers, {rounds} rounds of {steps} steps in turn, load {os.getloadavg()[0]:.1f}")
    print(f"{'steps/s':24}{'median':>10}{'worst':>10}{'best':>10}{'ours is':>12}")
    ours = rates[next(iter(WIRES))]
    for name, found in rates.items():
        faster = statistics.median(mine / theirs for mine, theirs in zip(ours, found, strict=True))
        print(f"{name:24}{statistics.median(found):10.1f}{min(found):10.1f}{max(found):10.1f}{faster:11.2f}x")
    print(f"parameters after the last step: {'the same bits' if len(digests) == 1 else f'DIFFERENT: {sorted(digests)}'}")


def _rate(timed: Timed) -> float:
    ends_s = timed.ends_s[_WARM_UP - 1 :]
    return (len(ends_s) - 1) / (ends_s[-1] - ends_s[0])


def modes(model: str, workers: int, batches: int, seeds: int) -> None:
    """Print the second table."""
    until_s = batches * 0.12 / workers
    print(f"{model}, {workers} workers, seeds 1 to {seeds}: mean, least and most of them")
    print(f"equal samples: {batches} batches; equal time: that of {batches} batches if no worker is slow, {until_s:g} s")
    print(f"{'':26}{'equal samples':>42}{'one ten times slow, equal time':>42}{'batches':>9}{'behind':>8}")
    for mode in MODES:
        even = [train(mode, model, workers=workers, slow=1, seed=1 + seed, batches=batches) for seed in range(seeds)]
        slow = [train(mode, model, workers=workers, slow=10, seed=1 + seed, until_s=until_s) for seed in range(seeds)]
        cells = "".join(f"{_cell(found):>42}" for found in (even, slow))
        done, behind = statistics.fmean(one.batches for one in slow), max(one.behind for one in slow)
        print(f"{mode.name:26}{cells}{done:9.0f}{behind:8d}", flush=True)


def _cell(found: list[CameTo]) -> str:
    quality = [one.quality for one in found]
    loss = statistics.fmean(one.loss for one in found)
    return f"loss {loss:.3f}, {statistics.fmean(quality):.3f} ({min(quality):.3f} to {max(quality):.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="digits")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    parser.add_argument("--steps", type=int, default=_STEPS)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=_SEEDS)
    parser.add_argument("--only", choices=("wires", "modes"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.only != "modes":
        wires(options.model, options.workers, options.rounds, options.steps)
    if options.only != "wires":
        modes(options.model, options.workers, options.batches, options.seeds)


if __name__ == "__main__":
    main()
