"""Training on a GPU: faulted ranks that compute on CUDA, and one rank over NCCL that is killed and goes on from its checkpoint.

    python benchmarks/training_gpu.py [--drills NAME...] [--steps N] [--kills N]

Two parts, at most eight minutes together. First the drills of a training with `device="cuda"`: both ranks compute on the first
GPU and exchange gradients over gloo, so every fault on links works, and the parameters must be those of an undisturbed training
on that GPU, bit for bit. Then a training of one rank over NCCL: started, saved, killed with SIGKILL and started again; it must
come to the same bits as one that was not killed. (NCCL refuses two ranks of one host on one GPU.) Without a GPU it says so:
exit code 4.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

_DRILLS: Final = ("training/worker_killed", "training/rank_frozen", "training/link_cut")
_EVERY: Final = 20
_PORT: Final = "29511"
_UNKNOWN: Final = 4


class _Metrics(msgspec.Struct):
    recovery_s: float | None
    rate_per_s: float | None
    p99_ms: float | None
    max_ms: float | None


class _Check(msgspec.Struct):
    name: str
    valid: bool | None
    why: str


class _Outcome(msgspec.Struct):
    drill: str
    verdict: str
    metrics: _Metrics
    checks: list[_Check]


class _Written(msgspec.Struct):
    results: list[_Outcome]


def main() -> int:
    import torch

    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--drills", nargs="*", default=list(_DRILLS))
    options.add_argument("--steps", type=int, default=200, help="of the training over NCCL (default: 200)")
    options.add_argument("--kills", type=int, default=3, help="SIGKILLs in it (default: 3)")
    options.add_argument("--worker", nargs=2, metavar=("FOLDER", "STEPS"), help=argparse.SUPPRESS)
    asked = options.parse_args()
    if not torch.cuda.is_available():
        print("training_gpu needs a GPU: torch sees none here.")
        return _UNKNOWN
    if asked.worker:
        _work(Path(asked.worker[0]), int(asked.worker[1]))
        return 0
    print(f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}", flush=True)
    wrong = sum(not _drilled(name) for name in asked.drills)
    wrong += not _over_nccl(asked.steps, asked.kills)
    return 1 if wrong else 0


# ----------------------------------------------------------------------------------------------- drills, gloo, two ranks


def _drilled(name: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "result.json"
        settings = ["--set", "system.device=cuda", "--set", "system.ranks=2"]
        command = [
            sys.executable,
            "-m",
            "harness.cli",
            "drill",
            name,
            "--seed",
            "1",
            *settings,
            "--json",
            str(to),
            "--runs",
            folder,
        ]
        begun_s = time.monotonic()
        done = subprocess.run(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, check=False)
        if not to.exists():
            print(f"{name}: no result, exit code {done.returncode}\n{done.stderr}", flush=True)
            return False
        [outcome] = msgspec.json.decode(to.read_bytes(), type=_Written).results
    figures = outcome.metrics
    print(f"{name} on CUDA over gloo: {outcome.verdict}, {time.monotonic() - begun_s:.0f} s", flush=True)
    print(f"    steps {figures.rate_per_s}/s, step max {figures.max_ms} ms, recovery {figures.recovery_s} s", flush=True)
    for check in outcome.checks:
        print(f"    {check.name}: {check.valid}  {check.why}", flush=True)
    return outcome.verdict in ("pass", "slo")


# ------------------------------------------------------------------------------------------------------- NCCL, one rank


def _over_nccl(steps: int, kills: int) -> bool:
    """Whether a training that is killed comes to the same bits as one that is not."""
    with tempfile.TemporaryDirectory() as folder:
        begun_s = time.monotonic()
        control = dict(_lines(_started(Path(folder) / "control", steps)))
        print(
            f"one rank over NCCL, undisturbed: {steps} steps in {time.monotonic() - begun_s:.1f} s, start included", flush=True
        )
        killed_at = [steps * (number + 1) // (kills + 1) for number in range(kills)]
        seen: dict[int, str] = {}
        back_s: list[float] = []
        while not seen or max(seen) < steps - 1:
            process = _started(Path(folder) / "killed", steps)
            fallen_s = time.monotonic() if seen else None
            first = True
            for step, digest in _lines(process):
                if first and fallen_s is not None:
                    back_s.append(time.monotonic() - fallen_s)
                first = False
                if step in seen and seen[step] != digest:
                    print(f"    step {step} was done again and came to other bits", flush=True)
                    return False
                seen[step] = digest
                if killed_at and step >= killed_at[0]:
                    del killed_at[0]
                    process.send_signal(signal.SIGKILL)
            process.wait()
    same = seen == control
    median_s = statistics.median(back_s) if back_s else float("nan")
    print(f"one rank over NCCL, killed {len(back_s)} times: bits {'equal' if same else 'DIFFER'};", flush=True)
    print(f"    SIGKILL to the next step, the process started anew: median {median_s:.1f} s", flush=True)
    return same


def _started(folder: Path, steps: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": _PORT}
    command = [sys.executable, __file__, "--worker", str(folder), str(steps)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def _lines(process: subprocess.Popen[str]) -> Iterator[tuple[int, str]]:
    """The steps that a worker has done, with its parameters' digest, as it says them."""
    assert process.stdout is not None  # it was asked for
    for line in process.stdout:
        match line.split():
            case ["step", number, digest]:
                yield int(number), digest
            case _:
                print(f"    {line.rstrip()}", flush=True)


def _work(folder: Path, steps: int) -> None:
    import torch
    import torch.distributed as dist

    from harness.node.disk import Disk
    from systems.parts.checkpoint.store import Checkpoints, Schedule
    from systems.training.trainer import Trainer

    begun_s = time.monotonic()
    dist.init_process_group("nccl", rank=0, world_size=1, device_id=torch.device("cuda", 0))
    trainer = Trainer("digits", 1, "cuda")
    folder.mkdir(parents=True, exist_ok=True)
    checkpoints = Checkpoints(Disk(folder), trainer.identity(), Schedule(every=_EVERY))
    if (newest := checkpoints.newest()) is not None:
        trainer.resume(newest)
    print(f"ready at step {trainer.step} after {time.monotonic() - begun_s:.1f} s", flush=True)
    shards = range(trainer.order.shards)
    rows = torch.empty(len(shards), trainer.row)
    saves_ms = []
    while trainer.step < steps:
        trainer.contribute(shards, rows)
        summed = rows.cuda()
        dist.all_reduce(summed)
        trainer.apply(list(summed.cpu()))
        print(f"step {trainer.step - 1} {trainer.parameters_digest()}", flush=True)
        if checkpoints.schedule.due(trainer.step):
            saved_s = time.monotonic()
            shard = checkpoints.write_shard(trainer.step, "rank0", trainer.tensors())
            checkpoints.commit(trainer.step, "rank0", [shard], trainer.progress())
            saves_ms.append((time.monotonic() - saved_s) * 1e3)
    if saves_ms:
        print(f"saved {len(saves_ms)} checkpoints, median {statistics.median(saves_ms):.1f} ms", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())
