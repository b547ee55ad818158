"""The clocks of foreign programs, made wrong by libfaketime (Wolfgang Hommel and others, github.com/wolfcw/libfaketime).

The program is started with that library before its own ones, and reads at every look at its clock from a file how far that is
from right. The harness writes the file. Only programs that are linked dynamically can be fooled so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from harness.cluster.steering import Steering
from harness.model.steering import Term
from harness.node.control import ControlPage

_FOLDERS: Final = ("/usr/lib", "/usr/lib64", "/usr/local/lib")
_LIBRARY: Final = "faketime/libfaketimeMT.so.1"

_C_LIBRARY: Final = "libc.so.6"
"""Goes right behind libfaketime, so that memory is the C library's: jemalloc, as redis-server has it, asks the time at its own
start, for which libfaketime at its start asks it for memory, and so on for ever."""


def library() -> Path | None:
    """Where libfaketime is; None if it is not installed."""
    for folder in map(Path, _FOLDERS):
        for found in (*folder.glob(_LIBRARY), *sorted(folder.glob(f"*/{_LIBRARY}"))):
            return found
    return None


def missing() -> str | None:
    """What this machine lacks to fake clocks, in one line."""
    if library() is None:
        return "A foreign program's clock cannot be made wrong here, because libfaketime is not installed: apt install faketime"
    return None


def environment(file: str, before: str = "") -> dict[str, str]:
    """What a program's environment needs besides, that was to preload `before`. Monotonic clocks stay right."""
    return {
        "LD_PRELOAD": ":".join(filter(None, (str(library()), _C_LIBRARY, before))),
        "FAKETIME_TIMESTAMP_FILE": file,
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # else it takes waits by the monotonic clock, as Java's, for longer ones
    }


class FakeClock:
    """How far one foreign program's clock is from right: the sum of what the windows that hold ask for."""

    def __init__(self, file: Path) -> None:
        self._steering = Steering(ControlPage())
        self._file = file
        self._written_ns: int | None = None
        self.write(0)

    def deviate(self, label: str, term: Term) -> None:
        """As `Steering.deviate`. What changes by itself has to be written again and again."""
        self._steering.deviate(label, term)
        self.write(term.since_ns)

    def end_deviation(self, label: str) -> None:
        self._steering.end_deviation(label)

    def write(self, now_ns: int) -> None:
        """Let the program see the deviation of this time of the monotonic clock."""
        deviation_ns = self._steering.deviation_ns(now_ns)
        if deviation_ns != self._written_ns:
            sign, (seconds, rest_ns) = "-" if deviation_ns < 0 else "+", divmod(abs(deviation_ns), 10**9)
            partial = self._file.with_suffix(".partial")
            partial.write_text(f"{sign}{seconds}.{rest_ns:09}\n")
            partial.replace(self._file)  # it is read at any time
            self._written_ns = deviation_ns

    def deviation_ns(self, now_ns: int) -> int:
        """What the program was last told, whatever the time is."""
        return self._written_ns or 0
