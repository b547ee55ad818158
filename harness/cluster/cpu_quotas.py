"""The share of a CPU that each node may use, by the windows that hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from harness.cluster.cgroups import CpuGroup
from harness.cluster.limits import Limits


class CpuQuotas:
    """The control groups of one run's nodes, by process."""

    def __init__(self, remove_at_end: Callable[[Path], None]) -> None:
        """`remove_at_end` arranges that a directory is removed when the run is over, however it ends."""
        self._remove_at_end = remove_at_end
        self._limits: Limits[int] = Limits()
        self._groups: dict[int, CpuGroup] = {}

    def take(self, pid: int, label: str, share: float) -> CpuGroup:
        """Limit a process for a window. Raises `OSError` and changes nothing if this machine does not allow it."""
        group = self._groups.get(pid) or CpuGroup.create(pid, self._remove_at_end)
        self._groups[pid] = group
        try:
            group.limit(self._limits.take(pid, label, share, before=math.inf))
        except OSError:
            self.release(label)
            raise
        return group

    def release(self, label: str) -> None:
        """End a window's limits. A process that no window limits any more goes back to its old group.

        Raises `OSError` if that fails for a process, after ending the limits of the others.
        """
        failed: OSError | None = None
        for pid, share in self._limits.release(label).items():
            try:
                if share == math.inf:
                    self._groups.pop(pid).dissolve()
                else:
                    self._groups[pid].limit(share)
            except OSError as error:
                failed = failed or error
        if failed is not None:
            raise failed
