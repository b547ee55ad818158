"""Clean up what killed runs left behind: processes, and proxies at TOXIPROXY_URL."""

from __future__ import annotations

import argparse
import os

from harness.cluster.leftovers import heal


def execute(arguments: argparse.Namespace) -> int:
    """Clean up, one line for each thing that was put right."""
    count = 0
    for count, line in enumerate(heal(), start=1):  # noqa: B007 - how many there were
        print(line, flush=True)
    if not count:
        what = "no process, no control group" + (", no proxy" if os.environ.get("TOXIPROXY_URL") else "")
        print(f"nothing to heal: {what} is left of any run")
    return 0
