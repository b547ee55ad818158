"""Which share of a CPU each node may use, as the windows that hold have it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from harness.cluster.cgroups import CpuGroup
from harness.cluster.limits import Limits


class CpuQuotas:
    """The control groups of one run's nodes, by process."""

    def __init__(self, remove_at_end: Callable[[Path], None]) -> None:
        """`remove_at_end` has a directory removed when the run is over, however it ends."""
        self._remove_at_end = remove_at_end
        self._limits: Limits[int] = Limits()
        self._groups: dict[int, CpuGroup] = {}

    def take(self, pid: int, label: str, share: float) -> CpuGroup:
        """Limit a process for a window. Raises `OSError` if this machine does not allow it; nothing has changed then."""
        group = self._groups.get(pid) or CpuGroup.create(pid, self._remove_at_end)
        self._groups[pid] = group
        try:
            group.limit(self._limits.take(pid, label, share, before=math.inf))
        except OSError:
            self.release(label)
            raise
        return group

    def release(self, label: str) -> None:
        """End a window's limits; a process that no window limits any more goes back to where it was."""
        for pid, share in self._limits.release(label).items():
            if share == math.inf:
                self._groups.pop(pid).dissolve()
            else:
                self._groups[pid].limit(share)
