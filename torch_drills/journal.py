"""The journal of a rank's process: one JSON line for each event, in a separate file in the folder that the harness reads.

Each line is appended with one write and not synced: the kernel has it even if the process is killed.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path


class Journal:
    """The journal of the current process; a forked process begins its own."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._pid = 0
        self._file = -1

    def write(self, kind: str, **fields: object) -> None:
        """Append a line with `kind`, the pid, the time and `fields`."""
        pid = os.getpid()
        if pid != self._pid:
            path = Path(self._folder) / f"{pid}.jsonl"
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._pid = pid
        line = json.dumps({"kind": kind, "pid": pid, "at_ns": time.monotonic_ns(), **fields}, separators=(",", ":"))
        os.write(self._file, line.encode() + b"\n")
