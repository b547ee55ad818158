"""A training as torch's tutorials on torchrun have it: DistributedDataParallel, with a checkpoint every few steps.

Started by `training_recovery.py` under torchrun. Rank 0 saves, to a temporary file that takes the checkpoint's name when it is
whole; all ranks load it when they start.
"""

from __future__ import annotations

import argparse
import os
import time
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from training_peer_job import Job, Journal, Pace


def main() -> None:
    """Train until the benchmark ends it, or time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--step-ms", type=float, required=True)
    parser.add_argument("--checkpoint-every", type=int, required=True)
    parser.add_argument("--until-s", type=float, required=True, help="on the monotonic clock")
    parser.add_argument("--timeout-s", type=float, help="of collectives, instead of gloo's own")
    options = parser.parse_args()
    rank = int(os.environ["RANK"])
    journal = Journal(options.folder, rank, int(os.environ["TORCHELASTIC_RESTART_COUNT"]))
    journal.write("started")
    dist.init_process_group("gloo", timeout=timedelta(seconds=options.timeout_s) if options.timeout_s else None)
    try:
        train(options, journal, rank, dist.get_world_size())
    except RuntimeError:
        journal.write("error")
        raise


def train(options: argparse.Namespace, journal: Journal, rank: int, world: int) -> None:
    """Train, from the checkpoint if there is one."""
    job, saved, step = Job(options.model, 1), options.folder / "checkpoint.pt", 0
    model = DistributedDataParallel(job.model)
    if saved.exists():
        found = torch.load(saved, weights_only=True)
        job.model.load_state_dict(found["model"])
        job.optimizer.load_state_dict(found["optimizer"])
        step = found["step"]
    pace = Pace(options.step_ms / 1e3)
    while time.monotonic() < options.until_s:
        job.optimizer.zero_grad()
        job.loss(model, step, rank, world).backward()  # type: ignore[no-untyped-call]
        job.optimizer.step()
        journal.write("step", step, job.digest())
        step += 1
        if rank == 0 and step % options.checkpoint_every == 0:
            state = {"model": job.model.state_dict(), "optimizer": job.optimizer.state_dict(), "step": step}
            torch.save(state, saved.with_suffix(".tmp"))
            saved.with_suffix(".tmp").replace(saved)
        pace.wait()


if __name__ == "__main__":
    main()
