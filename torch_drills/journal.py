"""What a rank's process writes down: a line of JSON for each thing, in a file of its own, in the folder that the harness reads.

Lines are appended with one write each and not synced: the kernel has them when the process is killed.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path


class Journal:
    """The journal of whichever process this is: one that was forked begins its own."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._pid = 0
        self._file = -1

    def write(self, kind: str, **fields: object) -> None:
        """Append a line: `kind`, when, and what else there is to say."""
        pid = os.getpid()
        if pid != self._pid:
            path = Path(self._folder) / f"{pid}.jsonl"
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._pid = pid
        line = json.dumps({"kind": kind, "pid": pid, "at_ns": time.monotonic_ns(), **fields}, separators=(",", ":"))
        os.write(self._file, line.encode() + b"\n")
