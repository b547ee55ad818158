"""The processes of a run's nodes: started, killed, stopped, limited, and restored as fault windows end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from pathlib import Path

import psutil

from harness.cluster.cpu_quotas import CpuQuotas
from harness.cluster.cpu_time import cpu_s_of
from harness.cluster.holds import Holds
from harness.cluster.log_lines import lines_from
from harness.cluster.ports import listens
from harness.cluster.probe import ASK_AGAIN_S, PROBE_TIMEOUT_S, Probe
from harness.cluster.process_limits import ProcessLimits, limit_of
from harness.cluster.warden_client import WardenClient, last_lines
from harness.model.errors import FaultError, HarnessError, NodeDown
from harness.model.system import START_TIMEOUT_S, Address, Node
from harness.node.context import NodeSpec


class NodeProcesses:
    """See `harness.model.environment.Processes`."""

    def __init__(
        self,
        nodes: dict[str, Node],
        warden: WardenClient,
        probe: Probe,
        folder: Path,
        address_of: Callable[[str], Address],
        spec_of: Callable[[str, int], NodeSpec],
        note: Callable[[str, str, str], None],
    ) -> None:
        """`spec_of` gives a node's spec, by name and number of earlier starts; `note` records an event."""
        self._nodes = nodes
        self._warden = warden
        self._probe = probe
        self._folder = folder
        self._address_of = address_of
        self._spec_of = spec_of
        self._note = note
        self._starts: dict[str, int] = {}
        self._down = Holds()
        self._stopped = Holds()
        self._limits = ProcessLimits()
        self._quotas = CpuQuotas(warden.remove_at_end)

    async def start(self, name: str) -> int:
        """Start a node, wait until that very process answers, and return its pid. Raises `NodeDown` if it does not answer."""
        starts = self._starts.get(name, 0)
        self._starts[name] = starts + 1
        pid = await self._warden.start(self._spec_of(name, starts))
        try:
            await self._answering(name, pid)
        except NodeDown as error:
            if not self._taken_down(name, starts + 1):
                self._note(name, "did not start", str(error))
            raise
        self._note(name, "started", f"pid {pid}")
        return pid

    async def kill(self, name: str, label: str) -> int:
        self.pid(name)
        self._down.take(name, label)
        self._warden.signal(name, signal.SIGKILL)
        return await self._warden.exit_code(name)

    async def terminate(self, name: str, label: str, grace_s: float) -> int:
        pid = self.pid(name)
        self._down.take(name, label)
        self._signal(name, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            try:
                async with asyncio.timeout(grace_s):
                    return await self._warden.exit_code(name)
            finally:  # also if the run is cancelled meanwhile, because the node's port is needed again
                if self._warden.pid(name) == pid:
                    self._signal(name, signal.SIGKILL)
        return await self._warden.exit_code(name)

    async def restart(self, name: str, label: str) -> int | None:
        if not self._down.release(name, label):
            return None
        start = self._starts[name] + 1
        try:
            return await self.start(name)
        except NodeDown:
            if self._taken_down(name, start):
                return None
            raise

    def _taken_down(self, name: str, start: int) -> bool:
        """Whether a window holds the node down, or did so and has begun a later start."""
        return self._down.holds(name) or self._starts[name] > start

    def held_down(self, name: str) -> bool:
        """Whether a window holds this node down."""
        return self._down.holds(name)

    def configure(self, name: str, config: Mapping[str, object]) -> None:
        node = self._nodes[name]
        self._nodes[name] = replace(node, config={**node.config, **config})

    def stop(self, name: str, label: str) -> int:
        pid = self.pid(name)
        self._stopped.take(name, label)
        self._signal(name, signal.SIGSTOP)
        return pid

    def resume(self, name: str, label: str) -> bool:
        last = self._stopped.release(name, label)
        if last and self.runs(name):
            self._signal(name, signal.SIGCONT)
        return last

    def wake(self, name: str) -> None:
        """Resume a node that has stopped itself, unless a window stops it."""
        if self.runs(name) and not self._stopped.holds(name):
            self._signal(name, signal.SIGCONT)

    def _signal(self, name: str, number: signal.Signals) -> None:
        self._warden.signal(name, number)
        self._note(name, "signalled", number.name)

    def pid(self, name: str) -> int:
        pid = self._warden.pid(name)
        if pid is None:
            raise FaultError(f"{name} does not run")
        return pid

    def runs(self, name: str) -> bool:
        return self._warden.pid(name) is not None

    def state(self, name: str) -> str:
        try:
            return str(psutil.Process(self.pid(name)).status())
        except (FaultError, psutil.NoSuchProcess):
            return "gone"

    # ---------------------------------------------------------------------------------------------------------- limits

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

    # ------------------------------------------------------------------------------------------------- answers and logs

    async def answer_ms(self, name: str, timeout_s: float) -> float:
        return await self._probe.answer_ms(name, self._address_of(name), timeout_s)

    def log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def log_bytes(self, name: str) -> int:
        return self.log(name).stat().st_size

    def log_lines(self, name: str, offset: int) -> AsyncGenerator[str, None]:
        return lines_from(self.log(name), offset)

    async def _answering(self, name: str, pid: int) -> None:
        """Wait until this very process answers on the node's port."""
        limit_s = self._nodes[name].starts_within_s if name in self._nodes else START_TIMEOUT_S
        deadline, why = time.monotonic() + limit_s, ""
        address = self._address_of(name)
        while self._warden.pid(name) == pid:
            try:
                async with asyncio.timeout(PROBE_TIMEOUT_S):
                    found = await self._probe.ask(name, address)
            except HarnessError:
                raise
            except Exception as error:  # not ready yet; a probe is user code and may raise anything
                why = f"{type(error).__name__}: {error}"
            else:
                if found == pid or (found is None and listens(pid, address[1])):
                    return
                why = f"another process answers on port {address[1]}, not pid {pid}"
            if time.monotonic() > deadline:
                raise NodeDown(
                    f"{name} did not answer within {limit_s:g} s of its start ({why})."
                    f" Its log ends: {last_lines(self.log(name), 3)}"
                )
            await asyncio.sleep(ASK_AGAIN_S)
        if not self._warden.has_ended(name):
            raise NodeDown(f"{name} was taken down and started again before it answered.")
        code = await self._warden.exit_code(name)
        raise NodeDown(f"{name} did not start: it ended with code {code}. Its log ends: {last_lines(self.log(name), 3)}")
