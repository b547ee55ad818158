"""The processes of a script's ranks, for faults. Restarting a killed rank is up to the launcher."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Final

import psutil

from harness.cluster.cpu_quotas import CpuQuotas
from harness.cluster.cpu_time import cpu_s_of
from harness.cluster.holds import Holds
from harness.cluster.log_lines import lines_from
from harness.cluster.process_limits import ProcessLimits, limit_of
from harness.cluster.script.journals import Journals
from harness.cluster.warden_client import WardenClient
from harness.model.errors import FaultError
from torch_drills.host import LAUNCHER
from torch_drills.links import STORE

_ENDS_WITHIN_S: Final = 5.0
_LOOK_AGAIN_S: Final = 0.002


class ScriptProcesses:
    """See `harness.model.environment.Processes`. A signal to a rank also reaches the processes that it started."""

    def __init__(self, journals: Journals, warden: WardenClient, log: Path) -> None:
        self._journals = journals
        self._warden = warden
        self._log = log
        self._stopped = Holds()
        self._stopped_processes: dict[str, list[psutil.Process]] = {}
        self._limits = ProcessLimits()
        self._quotas = CpuQuotas(warden.remove_at_end)

    def pid(self, name: str) -> int:
        if name == STORE:
            raise FaultError(f"{name} is not a separate process: rank0 runs it, or {LAUNCHER}")
        pid = self._warden.pid(LAUNCHER) if name == LAUNCHER else self._pid_of_rank(int(name.removeprefix("rank")))
        if pid is None:
            raise FaultError(f"{name} does not run")
        return pid

    def runs(self, name: str) -> bool:
        try:
            return self.pid(name) > 0
        except FaultError:
            return False

    def state(self, name: str) -> str:
        try:
            return str(psutil.Process(self.pid(name)).status())
        except (FaultError, psutil.NoSuchProcess):
            return "gone"

    async def kill(self, name: str, label: str) -> int:
        """As in `Processes`, but the exit code is assumed: only the launcher knows the true one."""
        return await self._end(name, signal.SIGKILL, _ENDS_WITHIN_S)

    async def terminate(self, name: str, label: str, grace_s: float) -> int:
        try:
            return await self._end(name, signal.SIGTERM, grace_s)
        except FaultError:
            return await self._end(name, signal.SIGKILL, _ENDS_WITHIN_S)

    async def restart(self, name: str, label: str) -> int | None:
        """Does nothing: restarting is up to the launcher."""
        return None

    def configure(self, name: str, config: Mapping[str, object]) -> None:
        raise FaultError("the harness does not control a script's settings")

    def stop(self, name: str, label: str) -> int:
        pid = self.pid(name)
        self._stopped.take(name, label)
        stopped = self._stopped_processes.setdefault(name, [])
        stopped += _signal(name, pid, signal.SIGSTOP)
        return pid

    def resume(self, name: str, label: str) -> bool:
        last = self._stopped.release(name, label)
        if last:
            for process in self._stopped_processes.pop(name, []):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()
        return last

    def limit(self, name: str, which: int, label: str, limit: int) -> None:
        self._limits.take(self.pid(name), which, label, limit)

    def limit_of(self, name: str, which: int) -> float:
        return limit_of(self.pid(name), which)

    def unlimit(self, label: str) -> None:
        self._limits.release(label)

    def limit_cpu(self, name: str, label: str, share: float) -> None:
        self._quotas.take(self.pid(name), label, share)

    def throttled(self, name: str, pid: int) -> int:
        return self._quotas.throttled(pid)

    def cpu_s(self, name: str) -> float:
        return cpu_s_of(self.pid(name))

    def unlimit_cpu(self, label: str) -> None:
        self._quotas.release(label)

    async def answer_ms(self, name: str, timeout_s: float) -> float:
        raise FaultError(f"{name} serves no requests, so its answer cannot be timed")

    def log(self, name: str) -> Path:
        return self._log

    def log_bytes(self, name: str) -> int:
        return self._log.stat().st_size

    def log_lines(self, name: str, offset: int) -> AsyncGenerator[str, None]:
        return lines_from(self._log, offset)

    def _pid_of_rank(self, rank: int) -> int | None:
        self._journals.read()
        process = self._journals.newest.get(rank)
        return None if process is None or process.gone_ns is not None else process.pid

    async def _end(self, name: str, number: signal.Signals, within_s: float) -> int:
        pid = self.pid(name)
        try:
            process = psutil.Process(pid)
        except psutil.NoSuchProcess as error:
            raise FaultError(f"{name} has just ended") from error
        _signal(name, pid, number)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        while _lives(process):
            if loop.time() > deadline:
                raise FaultError(f"{name} pid {pid} still runs {within_s:g} s after {number.name}")
            await asyncio.sleep(_LOOK_AGAIN_S)
        return -number


def _signal(name: str, pid: int, number: signal.Signals) -> list[psutil.Process]:
    """Signal a process and, if it is a rank, its descendants. Returns the processes that were signalled."""
    signalled = []
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        started = [] if name == LAUNCHER else process.children(recursive=True)
        for one in (process, *started):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(number)
                signalled.append(one)
    return signalled


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
