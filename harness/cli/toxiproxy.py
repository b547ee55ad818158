"""Serve the embedded fault plane, or install the real Toxiproxy."""

from __future__ import annotations

import argparse
import subprocess

from harness import roots
from harness.cluster.fault_plane import install_toxiproxy


def add_options(parser: argparse.ArgumentParser) -> None:
    """`serve` with its address, and `install`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    serve = actions.add_parser("serve", help="the embedded server, until it is interrupted")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8474)
    serve.add_argument("--seed", type=int, default=0)
    actions.add_parser("install", help="build the real Toxiproxy with `go install`")


def execute(arguments: argparse.Namespace) -> int:
    """Serve until interrupted, or install and print where."""
    if arguments.action == "install":
        print(install_toxiproxy())
        return 0
    options = ["--host", arguments.host, "--port", str(arguments.port), "--seed", str(arguments.seed)]
    return subprocess.run([*roots.program("faults.plane"), *options], env=roots.environment(), check=False).returncode
