"""The parameter server's wire against torch.distributed's two ways to do the same, and what its modes converge to.

`python benchmarks/parameter_server.py` prints two tables.

*Wire*: steps a second of synchronous training, four workers and a master, the same model, data and arithmetic (so the same
bits, which is checked): over this project's HTTP, as the system runs it but with no proxy in between; over gloo's broadcast and
gather; and over torch's RPC (TensorPipe). Each is started anew for each round, and rounds take turns; the first steps are left
out. Ours hashes every message, deals shards by pull, and has a standby; the others stop for good when a worker does.

*Modes*: the loss and the share of unseen digits that are read right, after as many samples, and after as much time, with one of
four workers ten times as slow. The rules are the system's own (`protocol`, `updates`) and so are gradients, but time is
counted, not measured: a shard takes 10 ms, and 100 ms on the slow worker. So it is the same on every machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import Final

import torch
from parameter_server_modes import Mode, train
from parameter_server_wires import WIRES, Timed

_ROUNDS: Final = 5
_STEPS: Final = 60
_WARM_UP: Final = 5
_MODES: Final = (
    Mode("synchronous, backups"),
    Mode("synchronous, none", backups=False),
    *(Mode(f"bounded, S={staleness}", rounds=False, staleness=staleness) for staleness in (1, 4, 16)),
    Mode("asynchronous", rounds=False),
    Mode("synchronous, rate / 4", rate=0.25),
    Mode("asynchronous, rate / 4", rounds=False, rate=0.25),
)


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


def modes(model: str, batches: int) -> None:
    """Print the second table."""
    print(f"{model}, 4 workers; equal samples: {batches} batches; equal time: that of {batches} batches without a slow worker")
    print(f"{'':24}{'equal samples':>26}{'one slow, equal samples':>26}{'one slow, equal time':>26}{'behind':>8}{'batches':>9}")
    for mode in _MODES:
        even = train(mode, model, workers=4, slow=1, batches=batches)
        slow = train(mode, model, workers=4, slow=10, batches=batches)
        timed = train(mode, model, workers=4, slow=10, until_ms=batches * 120 / 4)
        cells = [f"loss {one.loss:.3f}, right {one.quality:.1%}" for one in (even, slow, timed)]
        print(f"{mode.name:24}" + "".join(f"{cell:>26}" for cell in cells) + f"{timed.behind:8d}{timed.batches:9d}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="digits")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    parser.add_argument("--steps", type=int, default=_STEPS)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--only", choices=("wires", "modes"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.only != "modes":
        wires(options.model, options.workers, options.rounds, options.steps)
    if options.only != "wires":
        modes(options.model, options.batches)


if __name__ == "__main__":
    main()
