"""Ctrl-C while the `harness` command is still importing itself."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

START = """
import os, signal, sys
from importlib import import_module

_, interrupted_at, handler, script, *arguments = sys.argv

class Interrupts:
    def find_spec(self, name, path, target=None):
        if name == interrupted_at:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, getattr(signal, handler))
sys.meta_path.insert(0, Interrupts())
module, function = script.split(":")
sys.argv[:] = ["harness", *arguments]
sys.exit(getattr(import_module(module), function)())
"""


def started(interrupted_at: str, *arguments: str, handler: str = "default_int_handler") -> subprocess.CompletedProcess[str]:
    """Start the command as its installed script does, and send SIGINT as it imports that module."""
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["harness"]
    command = [sys.executable, "-c", START, interrupted_at, handler, script, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("module", ["harness", "harness.cli.main", "harness.cli.registry"])
def test_an_interrupt_while_it_is_imported_is_one_line(module: str) -> None:
    done = started(module, "drill", "quorum/isolated")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted: nothing was started yet\n")


def test_an_interrupt_while_a_command_is_imported_is_one_line() -> None:
    done = started("harness.cli.drill", "drill", "quorum/isolated")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "interrupted: everything that was started has been stopped\n"


def test_whoever_ignores_interrupts_is_not_interrupted() -> None:
    done = started("harness.cli.registry", "--version", handler="SIG_IGN")
    assert (done.returncode, done.stderr, done.stdout[:7]) == (0, "", "harness")
