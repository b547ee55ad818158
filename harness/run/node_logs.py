"""Convert the times in node logs, once a run is over, to seconds since the load began, as everywhere else.

A node cannot know at its start when the load will begin, so it logs its own monotonic clock.
"""

from __future__ import annotations

import re
from pathlib import Path


def count_from(start_ns: int, folder: Path) -> None:
    """Rewrite every log in a folder of nodes so that its times count from `start_ns` of the monotonic clock."""
    for file in folder.glob("*.log"):
        stamp = re.compile(rb"(\d+\.\d{3}) " + re.escape(file.stem.encode()) + rb": ")
        part = file.with_suffix(".log.part")
        with file.open("rb") as lines, part.open("wb") as moved:
            for line in lines:
                found = stamp.match(line)
                moved.write(line if found is None else b"%.3f%b" % (float(found[1]) - start_ns / 1e9, line[found.end(1) :]))
        part.replace(file)
