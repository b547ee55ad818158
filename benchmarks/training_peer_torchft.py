"""A training with torchft: each rank is a replica of its own, and heals from another one.

Gradients are averaged by torchft's manager, not by its DistributedDataParallel: in torchft 0.2 that raises AssertionError in
all survivors when a replica dies in an all-reduce over gloo, so nothing is left to heal from.

Started by `training_recovery.py` in a network namespace, because torchft listens on all addresses and unpickles what it is
sent. Without `--replica` this is the agent: it keeps torchft's lighthouse, and starts a replica that has ended again at once.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

import torch
from torch._C._distributed_c10d import TCPStore
from training_peer_job import Job, Journal, Pace

_LOOK_S: Final = 0.05
_WAIT: Final = timedelta(seconds=10)


def main() -> None:
    """Be the agent, or a replica."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--step-ms", type=float, required=True)
    parser.add_argument("--until-s", type=float, required=True, help="on the monotonic clock")
    parser.add_argument("--ranks", type=int, required=True)
    parser.add_argument("--replica", type=int)
    parser.add_argument("--attempt", type=int, default=0)
    parser.add_argument("--lighthouse")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    if options.replica is None:
        agent(options)
    else:
        replica(options)


def agent(options: argparse.Namespace) -> None:
    """Keep all replicas running until time is up."""
    from torchft.coordination import LighthouseServer

    socket.sethostname("localhost")  # what torchft tells the others where it listens
    subprocess.run([shutil.which("ip") or "/sbin/ip", "link", "set", "lo", "up"], check=True)
    lighthouse = LighthouseServer(bind="127.0.0.1:0", min_replicas=1)
    address = lighthouse.address()
    attempts = [0] * options.ranks
    replicas = [started(number, 0, address) for number in range(options.ranks)]
    while time.monotonic() < options.until_s:
        for number, process in enumerate(replicas):
            if process.poll() is not None:
                attempts[number] += 1
                replicas[number] = started(number, attempts[number], address)
        time.sleep(_LOOK_S)


def started(number: int, attempt: int, lighthouse: str) -> subprocess.Popen[bytes]:
    """A replica's process."""
    more = ["--replica", str(number), "--attempt", str(attempt), "--lighthouse", lighthouse]
    return subprocess.Popen([sys.executable, *sys.argv, *more])


def replica(options: argparse.Namespace) -> None:
    """Train until time is up."""
    journal = Journal(options.folder, options.replica, options.attempt)
    journal.write("started")
    from torchft import Manager, Optimizer, ProcessGroupGloo

    job = Job(options.model, 1)
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)

    def state() -> dict[str, object]:
        return {"model": job.model.state_dict(), "optimizer": job.optimizer.state_dict()}

    def load(state: dict[str, dict[str, object]]) -> None:
        job.model.load_state_dict(state["model"])
        job.optimizer.load_state_dict(state["optimizer"])

    manager = Manager(
        pg=ProcessGroupGloo(timeout=_WAIT),
        load_state_dict=load,
        state_dict=state,
        min_replica_size=1,
        timeout=_WAIT,
        rank=0,
        world_size=1,
        store_addr="localhost",
        store_port=store.port,
        lighthouse_addr=options.lighthouse,
        replica_id=f"replica{options.replica}",
        hostname="localhost",
    )
    parameters, optimizer = list(job.model.parameters()), Optimizer(manager, job.optimizer)
    pace = Pace(options.step_ms / 1e3)
    while time.monotonic() < options.until_s:
        optimizer.zero_grad()
        step, rank = manager.current_step(), manager.participating_rank() or 0
        gradients = torch.autograd.grad(job.loss(job.model, step, rank, manager.num_participants()), parameters)
        mean = torch.cat([gradient.reshape(-1) for gradient in gradients])
        manager.allreduce(mean).wait()
        parts = torch.split(mean, [parameter.numel() for parameter in parameters])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter)
        optimizer.step()
        if manager.current_step() > step:
            journal.write("step", manager.current_step() - 1, job.digest())
        pace.wait()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
