"""Folders that all nodes of a simulated run share."""

from __future__ import annotations

from pathlib import Path

from harness.model.system import CLIENT
from harness.node.disk import Disk
from harness.simulation.cluster import SimulatedCluster
from harness.simulation.host import Host, HostMachine
from harness.simulation.world import World
from tests.helpers.wayward import Wayward


async def _nothing() -> None:
    """A process that has nothing to do."""


def _folder(host: Host, name: str) -> Disk:
    return Disk(HostMachine(host).files(Path(name)))


def test_a_shared_folder_is_the_same_for_all_nodes_and_outlives_their_machines() -> None:
    cluster = SimulatedCluster(World(1), Wayward(does="nothing"), lambda *_: None)
    one, other = cluster.hosts["n1"], cluster.hosts[CLIENT]
    for host in (one, other):
        host.on_exit = lambda *_: None  # nobody waits for it
        host.start(_nothing)
        _folder(host, "data").replace("own", host.name.encode())
    _folder(one, "shared/models").replace("model", b"1")
    one.cut_power()
    assert _folder(other, "shared/models").read("model") == b"1"
    assert _folder(other, "shared/logs").names() == []
    assert _folder(other, "data").read("own") == CLIENT.encode()
