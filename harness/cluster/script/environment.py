"""A running training script, as faults see it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random

from harness.cluster.background import Background
from harness.cluster.network_namespaces import DEVICE, NetworkNamespaces
from harness.cluster.ports import HOST
from harness.cluster.probe import Probe
from harness.cluster.proxied_links import ProxiedLinks
from harness.cluster.script.journals import Journals
from harness.cluster.script.processes import ScriptProcesses
from harness.cluster.script.system import TorchScript
from harness.cluster.toxiproxy import FaultPlane
from harness.cluster.warden_client import WardenClient
from harness.model.environment import Clocks, Disks, LinkCounters, Memories, Moments, Packets
from harness.model.errors import FaultError
from harness.model.seeds import stream
from harness.model.system import Address, Node
from harness.node.context import NodeSpec
from torch_drills import FOLDER, host, links

_NOWHERE: Address = (HOST, 1)
"""Where a link leads until a rank has reported its target."""


class ScriptEnvironment:
    """An `Environment`, from when the ranks are known to the end of the script."""

    def __init__(
        self,
        system: TorchScript,
        journals: Journals,
        plane: FaultPlane,
        warden: WardenClient,
        log: Path,
        seed: int,
        machines: NetworkNamespaces | None,
    ) -> None:
        self.system = system
        self.nodes: Mapping[str, Node] = {node.name: node for node in system.nodes()}
        self.processes = ScriptProcesses(journals, warden, log)
        self.links = ProxiedLinks(system, plane, Probe(system, self.nodes, self.address))
        self.background = Background()
        self._journals = journals
        self._seed = seed
        self._machines = machines
        self.position: Mapping[int, int] = {}
        """The step at which a process resumed the training, by pid; others began with the first step."""

    async def connect(self, folder: Path) -> None:
        """Make the links, or the ranks' hosts if the launcher has one, then tell the ranks of them, which wait for that."""
        if self._machines is None:
            await self.links.create(lambda link: _NOWHERE)
            addresses = {link.name: self.links.address(link.source, link.target) for link in self.links.all}
            self._tell(folder / links.FILE, {"plane": self.links.plane.address, "links": addresses})
        else:
            hosts = await asyncio.to_thread(self._hosts, self._machines)
            self._tell(folder / host.FILE, {"device": DEVICE, "hosts": hosts})

    def _hosts(self, machines: NetworkNamespaces) -> Mapping[str, object]:
        machines.add([name for name in self.nodes if name != host.LAUNCHER])
        machines.count()
        return {name: {"address": machines.address(name), "namespace": machines.namespace(name)} for name in self.nodes}

    def _tell(self, file: Path, told: Mapping[str, object]) -> None:
        part = file.with_suffix(".part")
        part.write_text(json.dumps({"world": self.system.ranks, **told}))
        part.rename(file)

    async def traffic(self) -> Mapping[str, LinkCounters]:
        """Each link's traffic so far. Connections are not counted between hosts."""
        if self._machines is None:
            return await self.links.counters()
        carried = await asyncio.to_thread(self._machines.traffic)
        return {
            f"{flow.source}>{flow.target}": LinkCounters(
                received_bytes={"upstream": seen.received_bytes}, sent_bytes={"upstream": seen.sent_bytes}
            )
            for flow, seen in carried.items()
        }

    @property
    def disks(self) -> Disks:
        raise FaultError("the harness does not control a script's files")

    @property
    def clocks(self) -> Clocks:
        raise FaultError("the script reads the machine's clock, which must stay right")

    @property
    def packets(self) -> Packets:
        if self._machines is None:
            raise FaultError("the ranks share one network, so their packets cannot be told apart. Use --namespaces")
        return self._machines

    @property
    def memories(self) -> Memories:
        raise FaultError("the harness does not control a script's memory")

    @property
    def moments(self) -> Moments:
        raise FaultError("a script's processes do not stop themselves at moments. Use .at_step(…)")

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def time_ns(self) -> int:
        return time.time_ns()

    def address(self, name: str) -> Address:
        raise FaultError(f"{name} serves no requests, so it has no address")

    def steps_done(self) -> int:
        self._journals.read()
        return max((self.position.get(one.pid, 0) + len(one.steps) for one in self._journals.processes.values()), default=0)

    def random(self, component: str) -> Random:
        return stream(self._seed, component)


def launcher_spec(
    command: tuple[str, ...], run_dir: Path, python_path: str, seed: int, machines: NetworkNamespaces | None
) -> NodeSpec:
    """The spec of the launcher: the command, in this directory, with the hook where Python finds it.

    If there are machines, it is on the one of its name, and its ranks are told to wait for theirs.
    """
    hook = run_dir / "hook"
    _write_hook(hook)
    path = f"{hook}:{python_path}" if python_path else str(hook)
    if machines is not None:
        (journals_folder(run_dir) / host.NAMESPACED).touch()
    return NodeSpec(
        name=host.LAUNCHER, start=0, host=HOST, port=0, data=str(Path.cwd()), log=str(run_dir / "script.log"), seed=seed,
        network=machines.namespace(host.LAUNCHER) if machines else None,
        command=("env", f"{FOLDER}={journals_folder(run_dir)}", f"PYTHONPATH={path}", *command),
    )  # fmt: skip


def journals_folder(run_dir: Path) -> Path:
    """Where the ranks write their journals."""
    return run_dir / "ranks"


def _write_hook(folder: Path) -> None:
    """Write a folder through which any Python finds the hook and its entry point, even one without this project installed."""
    info = folder / "torch_drills-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torch_drills\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[torch.backends]\ntorch_drills = torch_drills:autoload\n")
    (folder / "torch_drills").symlink_to(Path(links.__file__).resolve().parent, target_is_directory=True)
