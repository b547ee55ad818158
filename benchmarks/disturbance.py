"""Keeps a share of one core busy, as a browser tab does, until its parent ends: `python benchmarks/disturbance.py SHARE`."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator


@contextlib.contextmanager
def disturbed(share: float) -> Iterator[None]:
    """Have a process beside this one use this share of one core meanwhile; none is started if it is 0."""
    if share == 0:
        yield
        return
    process = subprocess.Popen([sys.executable, __file__, str(share)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def disturb(share: float) -> None:
    """Compute whenever it did so for less than this share of the time so far; so it catches up after others had the core."""
    parent, from_s = os.getppid(), time.monotonic()
    while os.getppid() == parent:
        while time.process_time() < share * (time.monotonic() - from_s):
            sum(range(1000))
        time.sleep(0.002)


if __name__ == "__main__":
    disturb(float(sys.argv[1]))
