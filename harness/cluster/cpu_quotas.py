"""The share of a CPU that each node may use, by the windows that hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from harness.cluster.cgroups import CpuGroup
from harness.cluster.limits import Limits
from harness.model.errors import FaultError


class CpuQuotas:
    """The control groups of one run's nodes, by process."""

    def __init__(self, remove_at_end: Callable[[Path], None]) -> None:
        """`remove_at_end` arranges that a directory is removed when the run is over, however it ends."""
        self._remove_at_end = remove_at_end
        self._limits: Limits[int] = Limits()
        self._groups: dict[int, CpuGroup] = {}

    def take(self, pid: int, label: str, share: float) -> None:
        """Limit a process for a window. Raises `FaultError` and changes nothing if this machine does not allow it."""
        try:
            group = self._groups.get(pid) or CpuGroup.create(pid, self._remove_at_end)
            self._groups[pid] = group
            try:
                group.limit(self._limits.take(pid, label, share, before=math.inf))
            except OSError:
                self._release(label)
                raise
        except OSError as error:
            raise FaultError(error.strerror or str(error)) from error

    def throttled(self, pid: int) -> int:
        """How often a process that is limited, or was when it ended, had to wait."""
        return self._groups[pid].throttled()

    def release(self, label: str) -> None:
        """End a window's limits. A process that no window limits any more goes back to its old group.

        Raises `FaultError` if that fails for a process, after ending the limits of the others.
        """
        try:
            self._release(label)
        except OSError as error:
            raise FaultError(f"the control group could not be removed: {error}") from error

    def _release(self, label: str) -> None:
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
