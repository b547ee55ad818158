"""Takes a share of one core away, as a browser tab does: `python benchmarks/disturbance.py SHARE`, until its parent ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator


@contextlib.contextmanager
def disturbed(share: float) -> Iterator[None]:
    """A process beside this one that uses so much of one core while this holds; none if it is 0."""
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
    """Compute whenever less than this share of the time was computed so far, and so catch up on what others took."""
    parent, from_s = os.getppid(), time.monotonic()
    while os.getppid() == parent:
        while time.process_time() < share * (time.monotonic() - from_s):
            sum(range(1000))
        time.sleep(0.002)


if __name__ == "__main__":
    disturb(float(sys.argv[1]))
