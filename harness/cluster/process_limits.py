"""The kernel's limits of a process (getrlimit(2)), set from outside by the windows that hold."""

from __future__ import annotations

import contextlib
import math
import resource

import psutil

from harness.cluster.limits import Limits
from harness.model.errors import FaultError


class ProcessLimits:
    """The soft limits of one run's nodes. A limit ends with its process, so nothing can be left behind."""

    def __init__(self) -> None:
        self._limits: Limits[tuple[psutil.Process, int]] = Limits()

    def take(self, pid: int, which: int, label: str, limit: int) -> None:
        """Limit a process for a window; `which` is one of `resource`'s RLIMIT_ names.

        Raises `FaultError` if the process has ended or may not be limited, after ending what else the window limits.
        """
        try:
            process = psutil.Process(pid)
            soft, _ = process.rlimit(which)
            _set(process, which, self._limits.take((process, which), label, limit, before=_number(soft)))
        except psutil.Error as error:
            with contextlib.suppress(psutil.Error):  # this process, the last of the window's, could not be limited at all
                self.release(label)
            raise FaultError(str(error)) from error

    def release(self, label: str) -> None:
        """End a window's limits, if their processes still run. Raises `psutil.AccessDenied`."""
        for (process, which), limit in self._limits.release(label).items():
            with contextlib.suppress(psutil.NoSuchProcess):  # also raised if another process has its pid by now
                _set(process, which, limit)


def limit_of(pid: int, which: int) -> float:
    """A process's soft limit, infinity if it has none. Raises `FaultError` if it has ended."""
    try:
        return _number(psutil.Process(pid).rlimit(which)[0])
    except psutil.Error as error:
        raise FaultError(str(error)) from error


def _number(soft: int) -> float:
    return math.inf if soft == resource.RLIM_INFINITY else soft


def _set(process: psutil.Process, which: int, limit: float) -> None:
    _, hard = process.rlimit(which)
    process.rlimit(which, (resource.RLIM_INFINITY if limit == math.inf else int(limit), hard))
