"""`harness ui`, running as a user runs it."""

from __future__ import annotations

import contextlib
import http.client
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.cluster.ports import reserved

DEADLINE_S = 60.0
"""Far above what anything here takes, so that a busy machine does not decide."""


@dataclass(frozen=True)
class Served:
    """One that answers at `port`."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None
    ) -> tuple[int, str, dict[str, str]]:
        """Status, body, and headers by their names in lower case."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        with contextlib.closing(connection):
            connection.request(method, path, body.encode(), dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}

    def token(self) -> str:
        found = re.search(r'name="harness-token" content="([^"]+)"', self.ask("GET", "/")[1])
        assert found
        return found[1]

    def family(self) -> list[psutil.Process]:
        """It and everything that it started."""
        me = psutil.Process(self.process.pid)
        return [me, *me.children(recursive=True)]


@contextlib.contextmanager
def served(folder: Path, *options: str) -> Iterator[Served]:
    """`harness ui`, ready; ended with SIGTERM where it has not ended."""
    with reserved(1) as (port,):
        pass
    command = [sys.executable, "-m", "harness.cli", "ui", "--port", str(port), "--runs", str(folder / "runs"), *options]
    with (folder / "ui.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=Path(__file__).parents[2])
    one = Served(port, process)
    try:
        deadline_s = time.monotonic() + DEADLINE_S
        while True:
            assert process.poll() is None, (folder / "ui.log").read_text()
            assert time.monotonic() < deadline_s, (folder / "ui.log").read_text()
            with contextlib.suppress(OSError):
                one.ask("GET", "/")
                break
            time.sleep(0.05)
        yield one
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE_S)


def gone(processes: list[psutil.Process]) -> bool:
    """Whether all of them end."""
    _, alive = psutil.wait_procs(processes, timeout=DEADLINE_S)
    return not alive
