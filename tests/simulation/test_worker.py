"""The processes that simulate seeds."""

from __future__ import annotations

import signal
import subprocess
import sys

import msgspec
import pytest

from harness.simulation.worker import Reply, Task
from tests.helpers.engine import environment

TASK = Task(drill="quorum/isolated", settings=("load.rate=20", "load.seconds=3.5"), seed=1)


@pytest.mark.slow
def test_ctrl_c_is_left_to_the_parent() -> None:
    """A terminal sends it to all processes of a command; the parent then ends its own."""
    command = [sys.executable, "-P", "-m", "harness.launch", "harness.simulation.worker"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment(), stdin=pipe, stdout=pipe, stderr=pipe) as worker:

        def asked() -> Reply:
            assert worker.stdin is not None and worker.stdout is not None
            worker.stdin.write(msgspec.json.encode(TASK) + b"\n")
            worker.stdin.flush()
            return msgspec.json.decode(worker.stdout.readline(), type=Reply)

        first = asked()
        worker.send_signal(signal.SIGINT)
        assert asked().outcome == first.outcome is not None
        _, errors = worker.communicate()
    assert (worker.returncode, errors) == (0, b"")
