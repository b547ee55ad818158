"""The processes of a simulated run, as faults act on them; see `harness.model.environment.Processes`."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from harness.cluster.holds import Holds
from harness.cluster.limits import Limits
from harness.cluster.probe import ASK_AGAIN_S, PROBE_TIMEOUT_S, Probe
from harness.model.errors import FaultError, HarnessError, NodeDown
from harness.model.system import START_TIMEOUT_S, Node
from harness.simulation.host import SIGKILL, Host, Main

_LOOK_AGAIN_S: Final = 0.001


class SimulatedProcesses:
    """See the module. Its methods run on the harness's own simulated host."""

    def __init__(
        self,
        nodes: dict[str, Node],
        hosts: Mapping[str, Host],
        probe: Probe,
        main_of: Callable[[str, int], Main],
        note: Callable[[str, str, str], None],
    ) -> None:
        """`main_of` gives a node's main, by name and number of earlier starts; `note` records an event of the history."""
        self._nodes = nodes
        self._hosts = hosts
        self._probe = probe
        self._main_of = main_of
        self._note = note
        self._starts: dict[str, int] = {}
        self._down = Holds()
        self._stopped = Holds()
        self._limits: Limits[str] = Limits()
        self._callback_s: dict[str, float] = {}
        self._told_to_end: set[int] = set()
        """The processes that something has killed, will kill, or has asked to end."""
        self._killed: set[int] = set()
        """The processes that were killed, or may have been."""
        self._worked_s: dict[int, float] = {}
        """How long each process worked that has ended."""
        self._starting: set[str] = set()
        self._exits: dict[str, asyncio.Future[int]] = {}
        self.forgiven: Callable[[str], bool] = lambda name: False
        """Whether to restart a node that ends by itself, because of a disturbance that is not a fault window."""
        for host in hosts.values():
            host.on_exit = self._exited

    async def start(self, name: str) -> int:
        """Start a node and wait until it answers; returns its pid. Raises `NodeDown` if it does not."""
        starts = self._starts.get(name, 0)
        self._starts[name] = starts + 1
        host = self._hosts[name]
        exited = self._exits[name] = asyncio.get_running_loop().create_future()
        pid = host.start(self._main_of(name, starts))
        self._starting.add(name)
        try:
            await self._answering(name, pid, exited)
        except NodeDown as error:
            if pid not in self._killed:
                self._note(name, "did not start", str(error))
            raise
        finally:
            self._starting.discard(name)
        self._note(name, "started", f"pid {pid}")
        return pid

    async def kill(self, name: str, label: str) -> int:
        self._told_to_end.add(self.pid(name))
        self._down.take(name, label)
        exited = self._exits[name]
        self._hosts[name].kill()
        return await exited

    async def doom(self, name: str, label: str, within_s: float, *, power: bool) -> None:
        """Kill a node `within_s` seconds from now, whatever it does then; with `power`, turn its machine off, too.

        Returns when it is dead.
        """
        self._told_to_end.add(self.pid(name))
        self._down.take(name, label)
        self._hosts[name].dies_with_power = power
        self._hosts[name].doom(within_s)
        await self._exits[name]

    def expect_death(self, name: str, label: str) -> None:
        """Count the next death of a node, at a point of its own work, as a kill, until `restart`; but not if it ends itself."""
        self._down.take(name, label)

    async def death_within(self, name: str, seconds: float) -> bool:
        """Wait up to `seconds` for a node's death; whether it died."""
        if not self.runs(name):
            return True
        exited = self._exits[name]
        await asyncio.wait([exited], timeout=seconds)
        return exited.done()

    async def terminate(self, name: str, label: str, grace_s: float) -> int:
        self._told_to_end.add(self.pid(name))
        self._down.take(name, label)
        host, exited = self._hosts[name], self._exits[name]
        host.terminate()
        self._note(name, "signalled", "SIGTERM")
        await asyncio.wait([exited], timeout=grace_s)
        if not exited.done():
            host.kill()
        return await exited

    async def restart(self, name: str, label: str) -> int | None:
        if not self._down.release(name, label) or self.runs(name):
            return None
        try:
            return await self.start(name)
        except NodeDown:
            if self._hosts[name].pid in self._killed or self._down.holds(name):
                return None
            raise

    def forget(self) -> None:
        """Release everything that waits for processes."""
        self._exits.clear()

    def is_starting(self, name: str) -> bool:
        """Whether a start is under way."""
        return name in self._starting

    def held_down(self, name: str) -> bool:
        """Whether a window keeps this node down."""
        return self._down.holds(name)

    def configure(self, name: str, config: Mapping[str, object]) -> None:
        node = self._nodes[name]
        self._nodes[name] = replace(node, config={**node.config, **config})

    def stop(self, name: str, label: str) -> int:
        pid = self.pid(name)
        self._stopped.take(name, label)
        loop = self._hosts[name].loop
        if loop is not None:
            loop.stop_running()
        self._note(name, "signalled", "SIGSTOP")
        return pid

    def resume(self, name: str, label: str) -> bool:
        last = self._stopped.release(name, label)
        loop = self._hosts[name].loop
        if last and loop is not None:
            loop.go_on()
            self._note(name, "signalled", "SIGCONT")
        return last

    def wake(self, name: str) -> None:
        """Continue a node that has stopped itself, unless a window keeps it stopped."""
        loop = self._hosts[name].loop
        if loop is not None and not self._stopped.holds(name):
            loop.go_on()

    def pid(self, name: str) -> int:
        if not self.runs(name):
            raise FaultError(f"{name} does not run")
        return self._hosts[name].pid

    def runs(self, name: str) -> bool:
        return self._hosts[name].runs

    def state(self, name: str) -> str:
        loop = self._hosts[name].loop
        return "gone" if loop is None else "stopped" if loop.stopped else "sleeping"

    # ---------------------------------------------------------------------------------------------------------- limits

    def limit(self, name: str, which: int, label: str, limit: int) -> None:
        raise FaultError("cannot in a simulation: its nodes share one process")

    def limit_of(self, name: str, which: int) -> float:
        return math.inf

    def unlimit(self, label: str) -> None:
        """Do nothing, because nothing is ever limited."""

    def limit_cpu(self, name: str, label: str, share: float) -> None:
        self.pid(name)
        self._slow(name, self._limits.take(name, label, share, before=1.0))

    def throttled(self, name: str, pid: int) -> int:
        """The number of milliseconds in which the process has worked: it waited for its CPU share in each of them."""
        return int(self._worked_s.get(pid, self._hosts[name].ran_s) * 1e3)

    def unlimit_cpu(self, label: str) -> None:
        for name, share in self._limits.release(label).items():
            self._slow(name, share)

    def cpu_s(self, name: str) -> float:
        return self._hosts[name].ran_s if self.runs(name) else math.nan

    def _slow(self, name: str, share: float) -> None:
        host = self._hosts[name]
        full_s = self._callback_s.setdefault(name, host.callback_s)
        host.callback_s = full_s / share

    # ------------------------------------------------------------------------------------------------- answers and logs

    async def answer_ms(self, name: str, timeout_s: float) -> float:
        return await self._probe.answer_ms(name, self._hosts[name].address, timeout_s)

    def log(self, name: str) -> Path:
        raise FaultError("cannot in a simulation: its nodes' logs are no files")

    def log_bytes(self, name: str) -> int:
        return len(self._hosts[name].log)

    async def log_lines(self, name: str, offset: int) -> AsyncGenerator[str, None]:
        log, place = self._hosts[name].log, offset
        while True:
            while place < len(log):
                yield log[place]
                place += 1
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _answering(self, name: str, pid: int, exited: asyncio.Future[int]) -> None:
        host, loop = self._hosts[name], asyncio.get_running_loop()
        limit_s = self._nodes[name].starts_within_s if name in self._nodes else START_TIMEOUT_S
        deadline_s, why = loop.time() + limit_s, ""
        while not exited.done():
            try:
                async with asyncio.timeout(PROBE_TIMEOUT_S):
                    if await self._probe.ask(name, host.address) in (pid, None):  # None: a probe of the system's own
                        return
            except HarnessError:
                raise
            except Exception as error:  # not ready yet; a probe is user code and may raise anything
                why = f"{type(error).__name__}: {error}"
            if loop.time() > deadline_s:
                raise NodeDown(f"{name} did not answer within {limit_s:g} s of its start ({why})")
            await asyncio.sleep(ASK_AGAIN_S)
        said = host.log[-1] if host.log else "(nothing was logged)"
        raise NodeDown(f"{name} did not start: it ended with code {exited.result()}. Its log ends: {said}")

    def _exited(self, name: str, pid: int, code: int) -> None:
        """Handle the end of a process. The world calls this, outside the harness's own loop."""
        self._worked_s[pid] = self._hosts[name].ran_s
        exited = self._exits[name]
        if not exited.done():
            exited.set_result(code)
        how = f"pid {pid}, {'SIGKILL' if code == SIGKILL else f'exit code {code}'}"
        if self._down.holds(name) and (code == SIGKILL or pid in self._told_to_end):
            self._killed.add(pid)
            self._note(name, "killed", how)
        elif self.forgiven(name):
            self._killed.add(pid)
            self._note(name, "ended", how)
        else:
            self._note(name, "died", how)
