"""Kill: a process dies without a word, and is started again when the window closes."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from harness.drill import Aim, Evidence, Fault, Targets
from harness.errors import NodeDown

if TYPE_CHECKING:
    from harness.cluster import Cluster


@dataclass(frozen=True)
class Kill(Fault):
    """SIGKILL; restarted with the data it had when the window ends."""

    aims_at: ClassVar[Aim] = "nodes"

    async def inject(self, cluster: Cluster, targets: Targets) -> Evidence:
        codes = {name: (cluster.pid(name), await cluster.kill(name)) for name in targets.nodes}
        text = ", ".join(f"{name} pid {pid} ended with {_how(code)}" for name, (pid, code) in codes.items())
        return Evidence(acted=all(code == -signal.SIGKILL for _, code in codes.values()), text=text)

    async def heal(self, cluster: Cluster, targets: Targets, injected: Evidence) -> Evidence:
        again = [await _start(cluster, name) for name in targets.nodes if not cluster.runs(name)]
        return Evidence(acted=injected.acted, text="; ".join([injected.text, *again]))


async def _start(cluster: Cluster, name: str) -> str:
    try:
        return f"started again as pid {await cluster.start(name)}"
    except NodeDown as error:  # the system's failing, not the fault's: the check `nodes_stayed_up` finds it
        return str(error)


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
