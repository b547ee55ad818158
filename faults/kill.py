"""Kill: a process dies without warning, and restarts when the window ends."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from harness.model.environment import Environment
from harness.model.errors import NodeDown
from harness.model.evidence import Evidence, Targets
from harness.model.exit_code import end_of
from harness.model.fault import Aim, Fault
from harness.model.window_work import all_done


@dataclass(frozen=True)
class Kill(Fault):
    """SIGKILL; the node restarts with its data when the window ends.

    Models a process killed by the kernel for lack of memory, or by a bug. Written data survives in the page cache; `PowerLoss`
    takes that away too. Almost all of the failures studied by Yuan et al., "Simple Testing Can Prevent Most Critical Failures",
    OSDI 2014, could be reproduced on three nodes or fewer.
    """

    aims_at: ClassVar[Aim] = "nodes"

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        pids = {name: environment.processes.pid(name) for name in targets.nodes}
        codes = await all_done(environment.processes.kill(name, targets.label) for name in targets.nodes)
        return Evidence(acted=all(code == -signal.SIGKILL for code in codes), text=ended(pids, codes))

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """Start all nodes at once, because a node may wait for others before it answers."""
        again = await started_again(environment, targets)
        return Evidence(acted=injected.acted, text="; ".join([injected.text, *again]))


def ended(pids: Mapping[str, int], codes: Iterable[int]) -> str:
    """Describe how each node's process ended."""
    each = zip(pids.items(), codes, strict=True)
    return ", ".join(f"{name} pid {pid} ended with {end_of(code)}" for (name, pid), code in each)


async def started_again(environment: Environment, targets: Targets) -> list[str]:
    """Start the nodes that a window took down, all at once. Returns a text for each node that was started."""
    return [text for text in await all_done(_start(environment, name, targets.label) for name in targets.nodes) if text]


async def _start(environment: Environment, name: str, label: str) -> str:
    try:
        pid = await environment.processes.restart(name, label)
    except NodeDown as error:  # the system's failure, not the fault's: the check `nodes_stayed_up` finds it
        return str(error)
    return "" if pid is None else f"{name} started again as pid {pid}"
