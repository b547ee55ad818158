"""Whether a flipped bit in a checkpoint is noticed: by ours, torch.save and torch.distributed.checkpoint, with the same
tensors.

`python benchmarks/checkpoints.py` saves a trained model with its optimizer in these three ways, flips one bit of a file, loads
it, and repeats that at other places: at `--places` of them, spread evenly over all files, and in our format also in each byte
of the manifest and of the headers. It prints how many flips were found (there was an error, or an older checkpoint was loaded
instead), and how many silently changed a number. torch.load is called with weights_only=True. The last line says what saving
costs a training: for how long the copy and the checksum hold it up, with a checkpoint every `--every` steps.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch.distributed.checkpoint.state_dict_loader import load as load_distributed
from torch.distributed.checkpoint.state_dict_saver import save as save_distributed

from harness.node.disk import Disk
from systems.parts.checkpoint.refusals import CheckpointError
from systems.parts.checkpoint.saver import Saver
from systems.parts.checkpoint.store import Checkpoints, Schedule, digest_of, part_of
from systems.training.trainer import Trainer

Tensors = Mapping[str, torch.Tensor]

_RANKS: Final = 2
_STEP: Final = 20


class Ours:
    """The parts of two ranks, and an older checkpoint beside them."""

    name = "systems/parts/checkpoint"

    def __init__(self, folder: Path, trainer: Trainer, tensors: Tensors) -> None:
        self._checkpoints = Checkpoints(Disk(folder), trainer.identity(), Schedule(every=10))
        for step in (10, _STEP):
            parts = [part_of(tensors, rank, _RANKS) for rank in range(_RANKS)]
            shards = [self._checkpoints.write_shard(step, f"rank{rank}", part) for rank, part in enumerate(parts)]
            self._checkpoints.commit(step, "coordinator", shards, trainer.progress(), digest_of(tensors))
        newest = self._checkpoints.schedule.slot(_STEP)
        self.files = [file for file in sorted(folder.iterdir()) if file.name.startswith(newest)]

    def load(self) -> Tensors | None:
        """None if the damage was noticed, so that the older checkpoint is used."""
        found = self._checkpoints.newest()
        return None if found is None or found.step != _STEP else found.tensors


class TorchSave:
    """A single file."""

    name = "torch.save, torch.load"

    def __init__(self, folder: Path, trainer: Trainer, tensors: Tensors) -> None:
        self.files = [folder / "state.pt"]
        torch.save(dict(tensors), self.files[0])

    def load(self) -> Tensors | None:
        loaded: Tensors = torch.load(self.files[0], weights_only=True)
        return loaded


class Distributed:
    """The file of one rank, and the metadata."""

    name = "torch.distributed.checkpoint"

    def __init__(self, folder: Path, trainer: Trainer, tensors: Tensors) -> None:
        self._folder = folder
        self._like = {name: torch.empty_like(tensor) for name, tensor in tensors.items()}
        save_distributed(dict(tensors), checkpoint_id=folder, no_dist=True)
        self.files = [file for file in sorted(folder.iterdir()) if file.suffix == ".distcp"]
        # not .metadata: it is a pickle, and with a flipped bit in it, loading could execute anything

    def load(self) -> Tensors | None:
        load_distributed(self._like, checkpoint_id=self._folder, no_dist=True)
        return self._like


def flips(files: list[Path], places: int) -> Iterator[tuple[Path, int]]:
    """Bits to be flipped, one at a time: in each byte that is known to be no tensor's, and spread evenly over all files."""
    for file in files:
        size = file.stat().st_size
        with file.open("rb") as content:
            head = size if file.suffix == ".json" else 8 + int.from_bytes(content.read(8), "little")
        dense = range(head if file.suffix in {".json", ".safetensors"} else 0)
        spread = np.linspace(0, size - 1, max(2, places // len(files))).astype(int).tolist()
        for at in sorted({*dense, *spread}):
            yield file, 8 * at + at % 8


def outcome(load: Callable[[], Tensors | None], right: Tensors) -> str:
    """What loading with one flipped bit led to."""
    try:
        found = load()
    except (CheckpointError, Exception) as error:  # libraries raise whatever they like
        return "refused" if isinstance(error, CheckpointError) else "error"
    except BaseException as error:  # torch's CheckpointException is one
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return "error"
    if found is None:
        return "older used"
    same = found.keys() == right.keys() and all(torch.equal(found[name], right[name]) for name in right)
    return "no harm" if same else "silently wrong"


def stall(trainer: Trainer, folder: Path, every: int, saves: int) -> str:
    """For how long saving checkpoints holds up a training, in words."""
    rows = torch.empty(trainer.order.shards, trainer.row)
    saver = Saver(
        Checkpoints(Disk(folder), trainer.identity(), Schedule(every=every)),
        "rank0",
        ThreadPoolExecutor(max_workers=1),
        written=lambda step, world, shard: None,
        failed=lambda step, why: None,
    )
    steps_s, stalls_s = [], []
    for number in range(every * saves):
        begun_s = time.perf_counter()
        trainer.contribute(range(trainer.order.shards), rows)
        trainer.apply(list(rows))
        steps_s.append(time.perf_counter() - begun_s)
        if (number + 1) % every == 0:
            begun_s = time.perf_counter()
            tensors = trainer.tensors()
            digest_of(tensors)
            saver.save(number, 0, 1, tensors)
            stalls_s.append(time.perf_counter() - begun_s)
    saver.close()
    share, one = sum(stalls_s) / sum(steps_s), float(np.median(stalls_s)) / float(np.median(steps_s))
    return (
        f"a checkpoint every {every} steps: {np.median(stalls_s) * 1e3:.2f} ms for its copy and checksum (p50; worst"
        f" {max(stalls_s) * 1e3:.2f}), {one:.1%} of a step of {np.median(steps_s) * 1e3:.1f} ms, {share:.2%} of all steps' time"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--places", type=int, default=400, help="bits to flip, evenly over the files, besides the dense part")
    parser.add_argument("--every", type=int, default=20, help="steps from one checkpoint to the next")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    trainer = Trainer("digits", 1)
    rows = torch.empty(trainer.order.shards, trainer.row)
    for _ in range(2):  # so that there is momentum
        trainer.contribute(range(trainer.order.shards), rows)
        trainer.apply(list(rows))
    tensors = {name: tensor.detach().clone() for name, tensor in trainer.tensors().items()}
    size = sum(tensor.nbytes for tensor in tensors.values())
    print(f"{len(tensors)} tensors, {size:,} bytes; load {os.getloadavg()[0]:.1f}")
    print(f"{'':30}{'flipped':>9}{'found':>16}{'no harm':>9}{'silently wrong':>16}")
    with tempfile.TemporaryDirectory() as root:
        for kind in (Ours, TorchSave, Distributed):
            folder = Path(root) / kind.__name__
            folder.mkdir()
            saved = kind(folder, trainer, tensors)
            came: dict[str, int] = {}
            for file, bit in flips(saved.files, options.places):
                with file.open("r+b", buffering=0) as content:
                    before = os.pread(content.fileno(), 1, bit // 8)
                    os.pwrite(content.fileno(), bytes([before[0] ^ 1 << bit % 8]), bit // 8)
                    what = outcome(saved.load, tensors)
                    os.pwrite(content.fileno(), before, bit // 8)
                came[what] = came.get(what, 0) + 1
            number = sum(came.values())
            found = number - came.get("no harm", 0) - came.get("silently wrong", 0)
            harmless, silent = came.get("no harm", 0), came.get("silently wrong", 0)
            print(f"{kind.name:30}{number:9,}{found:9,} {found / number:6.1%}{harmless:9,}{silent:16,}", flush=True)
        print(stall(trainer, Path(root) / "saved", options.every, 10))


if __name__ == "__main__":
    main()
