"""Pause: a process stands still with its connections open, as in a long garbage collection or a frozen virtual machine."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from harness.drill import Aim, Evidence, Fault, Targets
from harness.errors import FaultError

if TYPE_CHECKING:
    from harness.cluster import Cluster

_SETTLE_S: Final = 2.0


@dataclass(frozen=True)
class Pause(Fault):
    """SIGSTOP for as long as the window lasts, then SIGCONT."""

    aims_at: ClassVar[Aim] = "nodes"

    async def inject(self, cluster: Cluster, targets: Targets) -> Evidence:
        for name in targets.nodes:
            cluster.pid(name)  # a node that does not run cannot be paused
            cluster.signal(name, signal.SIGSTOP)
        for name in targets.nodes:
            await _until(cluster, name, stopped=True)
        return Evidence(acted=True, text=f"{', '.join(targets.nodes)} stopped")

    async def heal(self, cluster: Cluster, targets: Targets, injected: Evidence) -> Evidence:
        states = {name: cluster.process_state(name) for name in targets.nodes}
        for name in targets.nodes:
            cluster.signal(name, signal.SIGCONT)
        for name in targets.nodes:
            if cluster.runs(name):
                await _until(cluster, name, stopped=False)
        text = ", ".join(f"{name} was {state} until the end" for name, state in states.items())
        return Evidence(acted=bool(injected.acted) and all(state == "stopped" for state in states.values()), text=text)


async def _until(cluster: Cluster, name: str, *, stopped: bool) -> None:
    deadline = asyncio.get_running_loop().time() + _SETTLE_S
    while (cluster.process_state(name) == "stopped") != stopped:
        if asyncio.get_running_loop().time() > deadline:
            signalled, state = "SIGSTOP" if stopped else "SIGCONT", cluster.process_state(name)
            raise FaultError(f"{name} is {state} {_SETTLE_S:g} s after {signalled}")
        await asyncio.sleep(0.001)
