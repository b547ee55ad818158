"""The `harness` command in a process of its own that need not import it first: it is forked from one that has.

The imports take longer than most commands that a test runs. A test that is about the start itself, about signals or about
streams needs a new interpreter: `tests.helpers.engine.harness_running`, or `subprocess`.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from harness.cli.main import main
from harness.cli.registry import commands

_ENDS_WITHIN_S: Final = 120.0
FORKS: Final = multiprocessing.get_context("forkserver")
"""Processes of a test's own start quickly in it, too: they need not import what commands import."""
FORKS.set_forkserver_preload(["__main__", *(f"harness.cli.{name}" for name in commands())])


def forked(folder: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command line in a folder. Raises `subprocess.TimeoutExpired` if it does not end."""
    with tempfile.TemporaryDirectory() as kept:
        output, errors = Path(kept, "output"), Path(kept, "errors")
        process = FORKS.Process(target=_run, args=(folder, arguments, dict(environment), output, errors))
        process.start()
        process.join(_ENDS_WITHIN_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(arguments), _ENDS_WITHIN_S, output.read_bytes(), errors.read_bytes())
        return subprocess.CompletedProcess(list(arguments), process.exitcode, output.read_text(), errors.read_text())


def _run(folder: Path, arguments: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path) -> None:
    """What `python -m harness.cli` does, in the process that is forked."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, file in ((1, output), (2, errors)):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv = ["harness", *arguments]
    sys.orig_argv = [sys.executable, "-m", "harness.cli", *arguments]  # `harness simulate` starts itself again with these
    main()
