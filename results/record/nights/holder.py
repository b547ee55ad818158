"""The process that records a night, and whether it still runs."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A process, told apart from one with the same pid after a reboot, in another container, or started later."""

    host: str
    world: str
    """The kernel's boot and the pid namespace; `pid` means something only within the same one."""
    pid: int
    started: float
    """When the process started according to the kernel, in seconds since 1970."""

    @classmethod
    def this_process(cls) -> Holder:
        pid = os.getpid()
        return cls(host=socket.gethostname(), world=_world(), pid=pid, started=psutil.Process(pid).create_time())


def broke_off(holder: Holder | None, lease_until: datetime | None) -> bool:
    """Whether a night that has begun will never end: its process is gone, or its lease has expired."""
    if holder is not None and holder.world == _world():
        return not _lives(holder)
    return lease_until is None or datetime.now(UTC) > lease_until


def _lives(holder: Holder) -> bool:
    try:
        process = psutil.Process(holder.pid)
        return process.create_time() == holder.started and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _world() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
