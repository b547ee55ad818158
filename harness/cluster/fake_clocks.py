"""The clocks of foreign programs, made wrong by libfaketime (Wolfgang Hommel and others, github.com/wolfcw/libfaketime).

The program starts with that library preloaded. Each time it reads its clock, the library reads the clock's error from a file
that the harness writes. This works only for dynamically linked programs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from harness.cluster.steering import Steering
from harness.model.steering import Term
from harness.node.control import ControlPage

_FOLDERS: Final = ("/usr/lib", "/usr/lib64", "/usr/local/lib")
_LIBRARY: Final = "faketime/libfaketimeMT.so.1"

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - where the C library keeps memory and semaphores that processes share
_SHARED: Final = ("faketime_shm_{pid}", "sem.faketime_sem_{pid}")

_C_LIBRARY: Final = "libc.so.6"
"""Preloaded right after libfaketime, so that malloc is the C library's. jemalloc, which redis-server uses, reads the clock
while it initializes; libfaketime, while it initializes, then calls malloc, and the two recurse for ever."""


def library() -> Path | None:
    """The path of libfaketime; None if it is not installed."""
    for folder in map(Path, _FOLDERS):
        for found in (*folder.glob(_LIBRARY), *sorted(folder.glob(f"*/{_LIBRARY}"))):
            return found
    return None


def missing() -> str | None:
    """One line that says what this machine lacks to fake clocks; None if it lacks nothing."""
    if library() is None:
        return "A foreign program's clock cannot be made wrong here, because libfaketime is not installed: apt install faketime"
    return None


def environment(file: str, before: str = "") -> dict[str, str]:
    """Additions to a program's environment; `before` is its LD_PRELOAD so far. Monotonic clocks stay right."""
    return {
        "LD_PRELOAD": ":".join(filter(None, (str(library()), _C_LIBRARY, before))),
        "FAKETIME_TIMESTAMP_FILE": file,
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # otherwise it lengthens waits on the monotonic clock, such as Java's
    }


def remove_shared(pid: int) -> None:
    """Remove what libfaketime shares with the children of a program that has ended. One that is killed leaves it in memory."""
    for name in _SHARED:
        (_MEMORY / name.format(pid=pid)).unlink(missing_ok=True)


class FakeClock:
    """The error of one foreign program's clock: the sum of the terms of the windows that hold."""

    def __init__(self, file: Path) -> None:
        self._steering = Steering(ControlPage())
        self._file = file
        self._written_ns: int | None = None
        self.write(0)

    def deviate(self, label: str, term: Term) -> None:
        """As `Steering.deviate`. If the error changes over time, call `write` again and again."""
        self._steering.deviate(label, term)
        self.write(term.since_ns)

    def end_deviation(self, label: str) -> None:
        self._steering.end_deviation(label)

    def write(self, now_ns: int) -> None:
        """Show the program the error for this time of the monotonic clock."""
        deviation_ns = self._steering.deviation_ns(now_ns)
        if deviation_ns != self._written_ns:
            sign, (seconds, rest_ns) = "-" if deviation_ns < 0 else "+", divmod(abs(deviation_ns), 10**9)
            partial = self._file.with_suffix(".partial")
            partial.write_text(f"{sign}{seconds}.{rest_ns:09}\n")
            partial.replace(self._file)  # atomic, because the program may read it at any time
            self._written_ns = deviation_ns

    def deviation_ns(self, now_ns: int) -> int:
        """The error that the program was last shown, whatever the time is."""
        return self._written_ns or 0
