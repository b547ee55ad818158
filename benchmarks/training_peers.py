"""Runs the peers of `training_recovery.py`, a DDP script under torchrun and torchft, breaks them and watches what they do."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
import psutil
from training_ours import Goodput, goodput
from training_peer_job import Journals, Line

from harness.cluster.forks import adopt_orphans

_HERE: Final = Path(__file__).parent
_LOOK_S: Final = 0.05
_END_S: Final = 5.0
_LAST_WORDS: Final = 2000
START_S: Final = 60.0
"""A job that has not settled within this many seconds of its start does not work here."""

RANKS: Final = 3
MODEL: Final = "digits"
CHECKPOINT_EVERY: Final = 20
SETTLED_STEPS: Final = 15
"""How many steps a process has done before it is broken: by then buffers are allocated, and a checkpoint is not always near."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Another project's way to run the job."""

    name: str
    argv: tuple[str, ...]
    """What goes before the script's own arguments."""
    environment: tuple[tuple[str, str], ...] = ()


def torchrun(*, fixed: bool, timeout_s: float | None = None, restarts: int = 1000) -> Peer:
    """Torch's elastic launcher with the DDP script. If `fixed`, the launcher does not share its store with the ranks."""
    wait = () if timeout_s is None else ("--timeout-s", str(timeout_s))
    launcher = ("-m", "torch.distributed.run", "--standalone", "--max-restarts", str(restarts), "--nproc-per-node", str(RANKS))
    return Peer(
        name="torchrun, fixed" if fixed else "torchrun",
        argv=(sys.executable, *launcher, str(_HERE / "training_peer_ddp.py"), *wait),
        environment=(("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1"),) if fixed else (),
    )


def torchft() -> Peer:
    """Torchft, in a network namespace. Raises `LookupError` with what is missing."""
    if find_spec("torchft") is None:
        raise LookupError("torchft is not installed: pip install torchft")
    namespace = ("unshare", "--map-root-user", "--net", "--uts", "--")
    if shutil.which("ip") is None or subprocess.run([*namespace, "true"], check=False, capture_output=True).returncode:
        raise LookupError("torchft is left out: it needs a network namespace (root or user namespaces; unshare, ip)")
    script = str(_HERE / "training_peer_torchft.py")
    return Peer(name="torchft", argv=(*namespace, sys.executable, script, "--ranks", str(RANKS)))


class Running:
    """A peer's job while it runs."""

    def __init__(self, folder: Path) -> None:
        self._journals = Journals(folder)

    def lines(self) -> list[Line]:
        """What its processes have written down, by time."""
        return self._journals.lines()

    def steps(self) -> list[Line]:
        """The steps that were done."""
        return [line for line in self.lines() if line.kind == "step"]

    def wait(self, within_s: float, found: Callable[[list[Line]], Line | None]) -> Line | None:
        """What `found` returns for the lines so far, as soon as that is a line; None if it is not within `within_s`."""
        until_s = time.monotonic() + within_s
        while (line := found(self.lines())) is None and time.monotonic() < until_s:
            time.sleep(_LOOK_S)
        return line

    def settle(self, within_s: float = START_S) -> bool:
        """Wait until every rank's newest process has done `SETTLED_STEPS` steps. Returns whether they did in time."""

        def settled(lines: list[Line]) -> Line | None:
            newest = {line.rank: line.pid for line in lines}
            done = [sum(line.kind == "step" and line.pid == pid for line in lines) for pid in newest.values()]
            return lines[-1] if len(done) == RANKS and min(done) >= SETTLED_STEPS else None

        return self.wait(within_s, settled) is not None

    def send(self, rank: int, number: signal.Signals) -> int:
        """Send a signal to a rank's newest process, if it still runs; returns when."""
        pid = [line.pid for line in self.lines() if line.rank == rank][-1]
        at_ns = time.monotonic_ns()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        return at_ns

    def next_step_ms(self, rank: int, number: signal.Signals, within_s: float) -> float | None:
        """Milliseconds from a signal to a rank until a step is done that was surely begun after it; None if none is in time.

        That is a step of a new process, or the next but one of an old process: it may have begun the next one before.
        """
        before = self.steps()
        pids, newest = {line.pid for line in before}, max(line.step for line in before)
        at_ns = self.send(rank, number)
        line = self.wait(
            within_s,
            lambda lines: next(
                (
                    line
                    for line in lines
                    if line.kind == "step" and line.at_ns > at_ns and (line.pid not in pids or line.step > newest + 1)
                ),
                None,
            ),
        )
        return None if line is None else (line.at_ns - at_ns) / 1e6


@contextlib.contextmanager
def running(peer: Peer, folder: Path, *, step_ms: float, limit_s: float) -> Iterator[Running]:
    """Run a peer's job, settled when the body begins; the rest of it is killed at the end. It ends by itself after `limit_s`.

    Raises `ChildProcessError` with the end of its log if it does not settle.
    """
    adopt_orphans()
    folder.mkdir(parents=True)
    until_s = time.monotonic() + limit_s
    setting = (str(folder), "--model", MODEL, "--step-ms", str(step_ms), "--until-s", str(until_s))
    more = ("--checkpoint-every", str(CHECKPOINT_EVERY)) if peer.name != "torchft" else ()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*peer.argv, *setting, *more], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "RUST_LOG": "error"} | dict(peer.environment),
        )  # fmt: skip
    job = Running(folder)
    try:
        if not job.settle():
            raise ChildProcessError(f"{peer.name} does not train: {(folder / 'log').read_text()[-_LAST_WORDS:]}")
        yield job
    finally:
        _end(process)


def goodput_under(job: Running, kills: Sequence[tuple[float, int]], seconds: float) -> Goodput:
    """What a job gets done in the next `seconds`, with these ranks killed at these seconds from now."""
    begins_ns = time.monotonic_ns()
    hit_ns = []
    for at_s, rank in kills:
        time.sleep(max(0.0, at_s - (time.monotonic_ns() - begins_ns) / 1e9))
        hit_ns.append(job.send(rank, signal.SIGKILL))
    time.sleep(max(0.0, seconds - (time.monotonic_ns() - begins_ns) / 1e9))
    first_ns: dict[int, int] = {}
    for line in job.steps():
        first_ns.setdefault(line.step, line.at_ns)
    done_ns = np.array([at_ns for at_ns in first_ns.values() if at_ns >= begins_ns])
    return goodput(done_ns, hit_ns[0], seconds)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a job's processes until none is left: orphans have become this process's children, and it has no others."""
    until_s = time.monotonic() + _END_S
    while (left := psutil.Process().children(recursive=True)) and time.monotonic() < until_s:
        for one in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(left, timeout=_END_S)
    process.wait()
