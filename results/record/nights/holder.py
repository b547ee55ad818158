"""The process that records a night, and whether it still runs."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import psutil

_STARTED: Final = 19
"""The index of the starting time among the fields after the name, in /proc/PID/stat: see proc(5)."""


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A process, told apart from one with the same pid after a reboot, in another container, or started later."""

    host: str
    world: str
    """The kernel's boot and the pid namespace; `pid` means something only within the same one."""
    pid: int
    started: float
    """When the process started, in seconds since the kernel's boot. Not since 1970, which changes if someone sets the clock; a
    history that an older version writes has that."""

    @classmethod
    def this_process(cls) -> Holder:
        pid = os.getpid()
        return cls(host=socket.gethostname(), world=_world(), pid=pid, started=_started_s(pid))


def broke_off(holder: Holder | None, lease_until: datetime | None) -> bool:
    """Whether a night that has begun will never end: its process is gone, or its lease has expired."""
    if holder is not None and holder.world == _world():
        return not _lives(holder)
    return lease_until is None or datetime.now(UTC) > lease_until


def _lives(holder: Holder) -> bool:
    try:
        process = psutil.Process(holder.pid)
        started = holder.started in (_started_s(holder.pid), process.create_time())
        return started and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return False


def _started_s(pid: int) -> float:
    """When a process started, in seconds since the kernel's boot."""
    after_name = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return int(after_name[_STARTED]) / os.sysconf("SC_CLK_TCK")


def _world() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
