"""The host of a rank under `harness train --namespaces`: a network namespace, which the rank enters when it joins.

So every packet of the rank crosses the harness's router, whichever library sends it. A process cannot be moved from outside:
setns(2) moves the thread that calls it, and threads and processes that it starts from then on.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final, TypedDict, cast

from torch_drills.joining import join
from torch_drills.journal import Journal

NAMESPACED: Final = "namespaced"
"""A file of this name exists if ranks have hosts."""
FILE: Final = "hosts.json"
"""Written by the harness once it knows how many ranks there are:
`{"world": 2, "device": "eth0", "hosts": {"launcher": {"address": "198.18.0.2", "namespace": "/proc/7/fd/9"}, "rank0": …}}`."""
LAUNCHER: Final = "launcher"

_CLONE_NEWNET: Final = 0x40000000
_LOOPBACK: Final = "127.0.0.1"

_DEVICES: Final = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME", "TP_SOCKET_IFNAME")
"""The variables that name the device which a backend is to use."""
_SOCKETS_ONLY: Final = {"NCCL_NET": "Socket", "NCCL_P2P_DISABLE": "1", "NCCL_SHM_DISABLE": "1"}
"""NCCL would otherwise reach ranks of this machine through the memory of GPUs, shared memory or InfiniBand, which no namespace
divides."""


class _Host(TypedDict):
    address: str
    namespace: str


class _File(TypedDict):
    device: str
    hosts: dict[str, _Host]


class Host:
    """The host that this process is on."""

    def __init__(self, folder: str, journal: Journal, rank: int, world: int) -> None:
        """Enter the rank's host once the harness has made it. Raises `TimeoutError`, `ValueError` or `OSError`."""
        self.rank = rank
        told = cast(_File, join(folder, FILE, journal, rank, world))
        self._hosts = told["hosts"]
        _enter(self._hosts[f"rank{rank}"]["namespace"])
        os.environ.update(dict.fromkeys(_DEVICES, told["device"]), **_SOCKETS_ONLY, NCCL_HOSTID=f"rank{rank}")

    def store(self, *, own: bool, of_rank0: bool) -> str:
        """The address of the rendezvous store: this process's own, rank 0's, or else the launcher's."""
        return _LOOPBACK if own else self._hosts["rank0" if of_rank0 else LAUNCHER]["address"]


def is_namespaced(folder: str) -> bool:
    """Whether ranks have hosts."""
    return (Path(folder) / NAMESPACED).exists()


def _enter(namespace: str) -> None:
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:  # os.setns needs Python 3.12
            number = ctypes.get_errno()
            raise OSError(number, f"setns: {os.strerror(number)}")
    finally:
        os.close(descriptor)
