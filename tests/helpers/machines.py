"""What tests of machines share: whether machines work here, sockets inside them, and checks that nothing is left."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from harness.cluster import namespaces, network_namespaces
from harness.cluster.network_namespaces import NetworkNamespaces

T = TypeVar("T")


def need_hosts() -> None:
    """Skip a test if namespaces cannot be created; in CI that is an error."""
    if missing := network_namespaces.missing():
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)


def inside(machines: NetworkNamespaces, name: str, do: Callable[[], T]) -> T:
    """Call a function on a machine; returns its result."""
    descriptor = os.open(machines.namespace(name), os.O_RDONLY)
    try:
        return namespaces.within(descriptor, do)
    finally:
        os.close(descriptor)


def bound(machines: NetworkNamespaces, name: str, kind: socket.SocketKind) -> socket.socket:
    """A socket on a machine's own address, at any port."""

    def bind() -> socket.socket:
        made = socket.socket(socket.AF_INET, kind)
        made.bind((machines.address(name), 0))
        return made

    return inside(machines, name, bind)


def links() -> set[str]:
    """The network interfaces outside of all namespaces."""
    return {path.name for path in Path("/sys/class/net").iterdir()}


def kept_by(namespace: str) -> list[str]:
    """The process that keeps a namespace, such as "net:[4026532177]", alive: it is in it, or holds it open."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            for path in [process / "ns" / "net", *_entries(process / "fd")]:
                try:
                    if str(path.readlink()) == namespace:
                        found.append(str(path))
                except OSError:  # it ended while it was looked at
                    continue
    return found


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
