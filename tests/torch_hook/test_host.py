"""A rank that moves into its network namespace: where it finds the store then, and which network backends are told to use."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.helpers.machines import need_hosts
from torch_drills.host import FILE, NAMESPACED, Host, is_namespaced
from torch_drills.journal import Journal

NAMES = ("rank0", "rank1", "launcher")


def told(folder: Path, namespace: str) -> None:
    """As the harness tells the ranks."""
    hosts = {name: {"address": f"198.18.0.{number}", "namespace": namespace} for number, name in enumerate(NAMES, 2)}
    (folder / FILE).write_text(json.dumps({"world": 2, "device": "eth0", "hosts": hosts}))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """The host of rank 1, which is the namespace that this process is in already."""
    need_hosts()
    for name in list(os.environ):
        if name.startswith(("NCCL_", "GLOO_", "TP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "ib0")  # the script's user chose it for the machine outside
    monkeypatch.setattr(os, "environ", dict(os.environ))
    told(tmp_path, "/proc/self/ns/net")
    return Host(str(tmp_path), Journal(str(tmp_path)), rank=1, world=2)


def test_a_store_is_reached_at_the_host_of_its_process(host: Host) -> None:
    assert host.store(own=True, of_rank0=True) == "127.0.0.1"
    assert host.store(own=False, of_rank0=True) == "198.18.0.2"
    assert host.store(own=False, of_rank0=False) == "198.18.0.4"


def test_backends_are_told_to_use_the_hosts_network(host: Host) -> None:
    assert os.environ["NCCL_SOCKET_IFNAME"] == os.environ["GLOO_SOCKET_IFNAME"] == "eth0"
    assert os.environ["NCCL_HOSTID"] == "rank1"


def test_a_host_that_cannot_be_entered_is_an_error(tmp_path: Path) -> None:
    told(tmp_path, "/dev/null")
    with pytest.raises(OSError, match="setns: Invalid argument"):
        Host(str(tmp_path), Journal(str(tmp_path)), rank=1, world=2)


def test_more_ranks_than_hosts_are_an_error(tmp_path: Path) -> None:
    told(tmp_path, "/proc/self/ns/net")
    with pytest.raises(ValueError, match="3 ranks; there were 2 when the harness answered"):
        Host(str(tmp_path), Journal(str(tmp_path)), rank=2, world=3)


def test_a_file_says_whether_ranks_have_hosts(tmp_path: Path) -> None:
    assert not is_namespaced(str(tmp_path))
    (tmp_path / NAMESPACED).touch()
    assert is_namespaced(str(tmp_path))
