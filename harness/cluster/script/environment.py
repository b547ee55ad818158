"""A running training script, as faults see it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random

from harness.cluster.background import Background
from harness.cluster.ports import HOST
from harness.cluster.probe import Probe
from harness.cluster.proxied_links import ProxiedLinks
from harness.cluster.script.journals import Journals
from harness.cluster.script.processes import ScriptProcesses
from harness.cluster.script.system import LAUNCHER, TorchScript
from harness.cluster.toxiproxy import FaultPlane
from harness.cluster.warden_client import WardenClient
from harness.model.environment import Clocks, Disks, Memories, Moments, Packets
from harness.model.errors import FaultError
from harness.model.seeds import stream
from harness.model.system import Address, Node
from harness.node.context import NodeSpec
from torch_drills import FOLDER, links

_NOWHERE: Address = (HOST, 1)
"""Where a link leads until a rank has reported its target."""


class ScriptEnvironment:
    """An `Environment`, from when the ranks are known to the end of the script."""

    def __init__(
        self, system: TorchScript, journals: Journals, plane: FaultPlane, warden: WardenClient, log: Path, seed: int
    ) -> None:
        self.system = system
        self.nodes: Mapping[str, Node] = {node.name: node for node in system.nodes()}
        self.processes = ScriptProcesses(journals, warden, log)
        self.links = ProxiedLinks(system, plane, Probe(system, self.nodes, self.address))
        self.background = Background()
        self._journals = journals
        self._seed = seed
        self.position: Mapping[int, int] = {}
        """The step at which a process resumed the training, by pid; others began with the first step."""

    async def create_links(self, folder: Path) -> None:
        """Make all links, then write their addresses for the ranks, which wait for them."""
        await self.links.create(lambda link: _NOWHERE)
        told = {
            "world": self.system.ranks,
            "plane": self.links.plane.address,
            "links": {link.name: self.links.address(link.source, link.target) for link in self.links.all},
        }
        part = folder / f"{links.FILE}.part"
        part.write_text(json.dumps(told))
        part.rename(folder / links.FILE)

    @property
    def disks(self) -> Disks:
        raise FaultError("the harness does not control a script's files")

    @property
    def clocks(self) -> Clocks:
        raise FaultError("the script reads the machine's clock, which must stay right")

    @property
    def packets(self) -> Packets:
        raise FaultError("the ranks share one network, so their packets cannot be told apart")

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


def launcher_spec(command: tuple[str, ...], run_dir: Path, python_path: str, seed: int) -> NodeSpec:
    """The spec of the launcher: the command, in this directory, with the hook where Python finds it."""
    hook = run_dir / "hook"
    _write_hook(hook)
    path = f"{hook}:{python_path}" if python_path else str(hook)
    return NodeSpec(
        name=LAUNCHER, start=0, host=HOST, port=0, data=str(Path.cwd()), log=str(run_dir / "script.log"), seed=seed,
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
