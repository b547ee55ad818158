"""Three ways to send parameters out and gradients back: HTTP like the parameter server, gloo's collectives, and torch's RPC.

Every process is forked from one that has imported torch, and is ended when the steps are done.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Final

import torch
import torch._dynamo  # the optimizer imports it, which takes seconds: once, before forking
import torch.distributed as dist
import uvloop
from torch.distributed import rpc

from harness.cluster.node_disks import FileOnDisk
from harness.model.system import Node
from harness.node.context import NodeContext, NodeSpec
from harness.node.journal import FILE as JOURNAL
from systems.parameter_server import ParameterServer, server, worker
from systems.training import records
from systems.training.trainer import Trainer

_HOST: Final = "127.0.0.1"
_TIMEOUT_S: Final = 300.0
_PROCESSES: Final = multiprocessing.get_context("fork")


@dataclass(frozen=True, kw_only=True)
class Timed:
    """When each step was done, in seconds, and the parameters after the last one."""

    ends_s: list[float]
    parameters: str


# ---------------------------------------------------------------------------------------------------------------- HTTP


def over_http(folder: Path, model: str, workers: int, steps: int) -> Timed:
    """The system's own nodes, connected to each other without a proxy."""
    nodes = ParameterServer(workers=workers, model=model, step_ms=0, checkpoint_every=10**6).nodes()
    ports = dict(zip((node.name for node in nodes), _free_ports(len(nodes)), strict=True))
    journal = FileOnDisk(folder / "nodes" / "master" / JOURNAL)
    with _running([(_serve, (node, ports, folder)) for node in nodes]) as processes:
        until_s = time.monotonic() + _TIMEOUT_S
        while (done := records.steps_done(journal)) < steps and time.monotonic() < until_s:
            if ended := [node.name for node, process in zip(nodes, processes, strict=True) if not process.is_alive()]:
                raise ChildProcessError(f"{', '.join(ended)} ended after {done} of {steps} steps")
            time.sleep(0.1)  # each look takes time from the nodes
    if done < steps:
        raise TimeoutError(f"{done} of {steps} steps in {_TIMEOUT_S:g} s")
    found = [one for one in records.read(journal) if isinstance(one, records.Done)][:steps]
    return Timed(ends_s=[one.at_ns / 1e9 for one in found], parameters=found[-1].parameters)


def _serve(node: Node, ports: Mapping[str, int], folder: Path) -> None:
    data = folder / "nodes" / node.name
    data.mkdir(parents=True, exist_ok=True)
    spec = NodeSpec(
        name=node.name, start=0, host=_HOST, port=ports[node.name], data=str(data), log="", seed=1, code=node.code,
        peers={name: (_HOST, ports[name]) for name in node.peers}, config=dict(node.config),
    )  # fmt: skip
    main = server.main if node.name in ("master", "standby") else worker.main
    uvloop.run(main(NodeContext(spec)))


# ---------------------------------------------------------------------------------------------------------------- gloo


def over_gloo(folder: Path, model: str, workers: int, steps: int) -> Timed:
    """Parameters go out by `broadcast`, gradients of equal parts of the shards come back by `gather`."""
    return _led(_gloo, folder, model, workers, steps)


def _gloo(told: Connection | None, rank: int, folder: Path, model: str, workers: int, steps: int) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=workers + 1)
    trainer = Trainer(model, 1)
    flat = torch.empty(trainer.row - 1)
    mine = _part(rank - 1, workers, trainer)
    rows = torch.zeros(-(-trainer.order.shards // workers), trainer.row)
    gathered = [torch.empty_like(rows) for _ in range(workers + 1)]
    ends_s = []
    for step in range(steps):
        if told is not None:
            flat.copy_(_flat(trainer))
        dist.broadcast(flat, 0)
        if told is None:
            _take(trainer, flat, step)
            trainer.contribute(mine, rows)
            dist.gather(rows, None, 0)
        else:
            dist.gather(rows, gathered, 0)
            trainer.apply(_ordered(gathered[1:], workers, trainer))
            ends_s.append(time.monotonic())
    if told is not None:
        told.send(Timed(ends_s=ends_s, parameters=trainer.parameters_digest()))
    dist.barrier()


# ----------------------------------------------------------------------------------------------------------------- RPC


def over_rpc(folder: Path, model: str, workers: int, steps: int) -> Timed:
    """The master calls each worker with the parameters, and it returns the gradients."""
    return _led(_rpc, folder, model, workers, steps)


_called: dict[str, Trainer] = {}


def _gradients(flat: torch.Tensor, step: int, place: int, workers: int) -> torch.Tensor:
    """What the master has a worker compute."""
    trainer = _called["trainer"]
    mine = _part(place, workers, trainer)
    _take(trainer, flat, step)
    rows = torch.empty(len(mine), trainer.row)
    trainer.contribute(mine, rows)
    return rows


def _rpc(told: Connection | None, rank: int, folder: Path, model: str, workers: int, steps: int) -> None:
    torch.set_num_threads(1)
    _called["trainer"] = trainer = Trainer(model, 1)
    options = rpc.TensorPipeRpcBackendOptions(init_method=f"file://{folder}/store", num_worker_threads=2)
    rpc.init_rpc(f"rank{rank}", rank=rank, world_size=workers + 1, rpc_backend_options=options)  # type: ignore[no-untyped-call]
    if told is not None:
        ends_s = []
        for step in range(steps):
            flat = _flat(trainer)
            calls = [
                rpc.rpc_async(f"rank{place + 1}", _gradients, args=(flat, step, place, workers)) for place in range(workers)
            ]
            trainer.apply(_ordered([call.wait() for call in calls], workers, trainer))
            ends_s.append(time.monotonic())
        told.send(Timed(ends_s=ends_s, parameters=trainer.parameters_digest()))
    rpc.shutdown()


# --------------------------------------------------------------------------------------------------- what the two share


def _part(place: int, workers: int, trainer: Trainer) -> range:
    return range(place, trainer.order.shards, workers)


def _ordered(parts: list[torch.Tensor], workers: int, trainer: Trainer) -> list[torch.Tensor]:
    """The rows of all shards, in the order of the shards."""
    return [parts[shard % workers][shard // workers] for shard in range(trainer.order.shards)]


def _flat(trainer: Trainer) -> torch.Tensor:
    return torch.cat(
        [parameter.detach().reshape(-1) for group in trainer.optimizer.param_groups for parameter in group["params"]]
    )


def _take(trainer: Trainer, flat: torch.Tensor, step: int) -> None:
    """Have a trainer compute the gradients of a step at these parameters."""
    at = 0
    with torch.no_grad():
        for group in trainer.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.copy_(flat[at : at + parameter.numel()].view_as(parameter))
                at += parameter.numel()
    while trainer.step < step:
        trainer.ledger.commit(trainer.step, ())


def _led(run: Callable[..., None], folder: Path, model: str, workers: int, steps: int) -> Timed:
    """What the master, rank 0, reports when all steps are done."""
    hears, tells = _PROCESSES.Pipe(duplex=False)
    settings = (folder, model, workers, steps)
    with _running([(run, (tells if rank == 0 else None, rank, *settings)) for rank in range(workers + 1)]):
        if not hears.poll(_TIMEOUT_S):
            raise TimeoutError(f"no answer in {_TIMEOUT_S:g} s")
        timed: Timed = hears.recv()
    return timed


def _start(run: Callable[..., None], arguments: tuple[object, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    run(*arguments)


@contextlib.contextmanager
def _running(programs: list[tuple[Callable[..., None], tuple[object, ...]]]) -> Iterator[list[ForkProcess]]:
    """One process for each program; they are killed at the end."""
    processes = [_PROCESSES.Process(target=_start, args=program, daemon=True) for program in programs]
    for process in processes:
        process.start()
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.join()


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((_HOST, 0))) for _ in range(number)]
        return [each.getsockname()[1] for each in sockets]


os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
os.environ.setdefault("TP_SOCKET_IFNAME", "lo")

WIRES: Final[Mapping[str, Callable[[Path, str, int, int], Timed]]] = {
    "HTTP (ours)": over_http,
    "gloo, broadcast + gather": over_gloo,
    "RPC (TensorPipe)": over_rpc,
}
