"""Pause: a process freezes with its connections open, as in a long garbage collection or a suspended virtual machine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Final

from harness.model.environment import Environment
from harness.model.errors import FaultError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault

_SETTLE_S: Final = 2.0


@dataclass(frozen=True)
class Pause(Fault):
    """SIGSTOP while the window lasts, then SIGCONT.

    Models a long garbage collection or a suspended virtual machine: the process does not know that time has passed, and its
    connections stay open. Kleppmann, "Designing Data-Intensive Applications", 2017, chapter 8, "Process Pauses".
    """

    aims_at: ClassVar[Aim] = "nodes"

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        pids = {name: float(environment.processes.stop(name, targets.label)) for name in targets.nodes}
        for name in targets.nodes:
            await _until(environment, name, stopped=True)
        return Evidence(acted=True, text=f"{', '.join(targets.nodes)} stopped", readings=pids)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """Evidence is that each target was stopped to the end, or until another fault killed it."""
        seen = {name: _seen(environment, name, injected.readings.get(name)) for name in targets.nodes}
        resumed = [name for name in targets.nodes if environment.processes.resume(name, targets.label)]
        for name in resumed:  # only now: the others must not wait for one that does not go on
            if environment.processes.runs(name):
                await _until(environment, name, stopped=False)
        text = ", ".join(f"{name} {what}" for name, what in seen.items())
        return Evidence(acted=bool(injected.acted) and all(what in _STOPPED for what in seen.values()), text=text)


_STOPPED: Final = ("was stopped until the end", "was stopped until it was killed")


def _seen(environment: Environment, name: str, pid: float | None) -> str:
    if not environment.processes.runs(name) or environment.processes.pid(name) != pid:
        return _STOPPED[1]
    state = environment.processes.state(name)
    return _STOPPED[0] if state == "stopped" else f"was {state} before the end"


async def _until(environment: Environment, name: str, *, stopped: bool) -> None:
    deadline = asyncio.get_running_loop().time() + _SETTLE_S
    while (environment.processes.state(name) == "stopped") != stopped:
        if asyncio.get_running_loop().time() > deadline:
            signalled, state = "SIGSTOP" if stopped else "SIGCONT", environment.processes.state(name)
            raise FaultError(f"{name} is {state} {_SETTLE_S:g} s after {signalled}")
        await asyncio.sleep(0.001)
