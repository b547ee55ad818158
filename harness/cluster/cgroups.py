"""A control group that limits the CPU time of one node: its processes move in, and later back to their old group.

See "CFS Bandwidth Control" (version 1) and "Control Group v2" in the Linux kernel's documentation. A version 1 group is made
inside the node's own group; a version 2 group is made at the top, the only place where groups and processes may mix.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import psutil

PREFIX: Final = "harness"

_PERIOD_US: Final = 10_000
"""Short, so that a slow node is steadily slow rather than fast and then frozen."""

_LEAST_QUOTA_US: Final = 1_000
"""The smallest quota that the kernel accepts."""

_ROUNDS: Final = 5
"""How often a group is emptied: a process that has not left it yet may just have started another."""


@dataclass(frozen=True)
class Hierarchy:
    """Where the kernel mounts its `cpu` controller, and the version of its files."""

    mount: Path
    version: Literal[1, 2]

    def home(self, pid: int) -> Path:
        """The group that a process is in."""
        lines = (line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines())
        path = next(path for _, names, path in lines if (self.version == 2 and not names) or "cpu" in names.split(","))
        home = self.mount / path.lstrip("/")
        return home if home.is_dir() else self.mount  # a container sees its own group as the top


def cpu_hierarchy(mounts: Path = Path("/proc/self/mounts")) -> Hierarchy:
    """Where groups with a CPU limit can be made. Raises `OSError` if the kernel offers no such place."""
    for line in mounts.read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpu" in options.split(","):
            return Hierarchy(Path(where), 1)
        if kind == "cgroup2" and "cpu" in _words(Path(where) / "cgroup.subtree_control"):
            return Hierarchy(Path(where), 2)
    raise OSError(errno.ENOTSUP, "no cpu controller is mounted")


class CpuGroup:
    """The group of one node's processes. Use `create`."""

    def __init__(self, hierarchy: Hierarchy, directory: Path, home: Path) -> None:
        self._version = hierarchy.version
        self._directory = directory
        self._home = home

    @classmethod
    def create(cls, pid: int, remove_at_end: Callable[[Path], None]) -> CpuGroup:
        """Put a process and its descendants into a new group.

        `remove_at_end` gets the directory before it is made. Raises `OSError` if this machine does not allow groups.
        """
        hierarchy = cpu_hierarchy()
        home = hierarchy.home(pid)
        parent = home if hierarchy.version == 1 else hierarchy.mount
        _sweep(parent)
        directory = parent / f"{PREFIX}-{os.getpid()}-{pid}"
        remove_at_end(directory)
        directory.mkdir()
        group = cls(hierarchy, directory, home)
        try:
            moved: set[int] = set()
            while new := _with_descendants(pid) - moved:  # one that has not moved yet may just have started another
                for one in new:
                    _move(one, directory)
                moved |= new
        except psutil.NoSuchProcess as error:
            group.dissolve()
            raise OSError(errno.ESRCH, f"process {pid} has ended") from error
        except OSError:
            group.dissolve()
            raise
        return group

    def limit(self, share: float) -> None:
        """Let the processes together use this share of one CPU."""
        period_us = max(_PERIOD_US, math.ceil(_LEAST_QUOTA_US / share))
        quota_us = round(share * period_us)
        if self._version == 1:
            (self._directory / "cpu.cfs_period_us").write_text(str(period_us))
            (self._directory / "cpu.cfs_quota_us").write_text(str(quota_us))
        else:
            (self._directory / "cpu.max").write_text(f"{quota_us} {period_us}")

    def throttled(self) -> int:
        """The number of periods in which the processes used up their share and had to wait."""
        words = _words(self._directory / "cpu.stat")
        return int(words[words.index("nr_throttled") + 1])

    def dissolve(self) -> None:
        """Move its processes back to the node's old group, and remove it."""
        for _ in range(_ROUNDS):
            for pid in _words(self._directory / "cgroup.procs"):
                _move(int(pid), self._home)
        self._directory.rmdir()


def _with_descendants(pid: int) -> set[int]:
    process = psutil.Process(pid)
    return {pid, *(child.pid for child in process.children(recursive=True))}


def _move(pid: int, group: Path) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended: nothing to move
        (group / "cgroup.procs").write_text(str(pid))


def _words(file: Path) -> list[str]:
    return file.read_text().split()


def sweep() -> list[Path]:
    """Remove groups left by harnesses that were killed with their wardens, where this process would make groups."""
    try:
        hierarchy = cpu_hierarchy()
    except OSError:
        return []
    return _sweep(hierarchy.home(os.getpid()) if hierarchy.version == 1 else hierarchy.mount)


def _sweep(parent: Path) -> list[Path]:
    removed = []
    for left in parent.glob(f"{PREFIX}-*-*"):
        if not Path("/proc", left.name.split("-")[1]).exists():
            with contextlib.suppress(OSError):  # not empty, or another harness has just removed it
                left.rmdir()
                removed.append(left)
    return removed
