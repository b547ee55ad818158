"""Clean up what killed runs left behind: processes, and proxies at TOXIPROXY_URL."""

from __future__ import annotations

import argparse
import os

from harness.cluster.leftovers import heal


def execute(arguments: argparse.Namespace) -> int:
    """Clean up, and print one line for each thing removed."""
    count = 0
    for count, line in enumerate(heal(), start=1):  # noqa: B007 - the count
        print(line, flush=True)
    if not count:
        what = "no process, no control group" + (", no proxy" if os.environ.get("TOXIPROXY_URL") else "")
        print(f"nothing to heal: found {what} of any run")
    return 0
