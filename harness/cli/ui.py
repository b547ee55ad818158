"""Serve locust's web UI over a drill's running system, with a Faults tab."""

from __future__ import annotations

import argparse

from harness.cli.ui_options import add_options as add_options
from harness.ui.command import ui_command


def execute(arguments: argparse.Namespace) -> int:
    """Serve it until locust ends or is interrupted."""
    return ui_command(arguments)
