"""Serve the embedded fault plane, or install the real Toxiproxy."""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn

from harness import roots
from harness.cli.load_options import port
from harness.cluster.fault_plane import install_toxiproxy


def add_options(parser: argparse.ArgumentParser) -> None:
    """`serve` with its address, and `install`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    serve = actions.add_parser("serve", help="run the embedded server until interrupted")
    serve.add_argument("--host", default="127.0.0.1", help="listen address (default: 127.0.0.1)")
    serve.add_argument("--port", type=_port, default=8474, help="listen port; 0 takes a free one (default: 8474)")
    serve.add_argument("--seed", type=int, default=0, help="makes every random draw repeatable (default: 0)")
    actions.add_parser("install", help="build the real Toxiproxy with `go install`")


def _port(text: str) -> int:
    """A port, or 0."""
    return 0 if text == "0" else port(text)


def execute(arguments: argparse.Namespace) -> int:
    """Become the server, or install the real one and print where it is."""
    if arguments.action == "serve":
        _become_server(arguments.host, arguments.port, arguments.seed)
    print(install_toxiproxy())
    return 0


def _become_server(host: str, port: int, seed: int) -> NoReturn:
    """Replace this process with the server, so that whatever ends the command ends the server."""
    command = [*roots.program("faults.plane"), "--host", host, "--port", str(port), "--seed", str(seed)]
    sys.stdout.flush()
    os.execve(command[0], command, roots.environment())  # noqa: S606 - an argument vector; no shell reads it
