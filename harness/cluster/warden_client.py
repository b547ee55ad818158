"""The harness's side of the warden: start nodes, signal them, learn how they ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from harness import roots
from harness.cluster import warden
from harness.cluster.forks import OUTER_PYTHONPATH, kill_group
from harness.model.errors import HarnessError, UsageError
from harness.node.context import NodeSpec

END_TIMEOUT_S: Final = 10.0
"""The warden normally kills all nodes and ends well within this time; after it, the warden is killed."""

_END_BYTES: Final = 1 << 16
"""How much of a log's end is read to find its last lines."""

_LONGEST: Final = 400
"""A program that prints its progress without line breaks logs one line of any length."""

HARNESS_RUN: Final = "HARNESS_RUN"
"""An environment variable of every process of a run: the folder of its logs. `harness heal` finds leftovers of runs by it."""

HARNESS_PID: Final = "HARNESS_PID"
"""Another one: the pid of the run's harness."""


class WardenClient:
    """The running nodes of one run. Use `opened`."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.on_exit: Callable[[str, int, int], None] = lambda name, pid, code: None
        """Called with name, pid and exit code (-N for signal N) when a node's process ends, however it ended."""
        self.on_broken: Callable[[HarnessError], None] = lambda error: None
        """Called when the warden itself has ended too early, and all nodes with it."""
        self._broken: HarnessError | None = None
        self._closing = False
        self._process = process
        self._log = log
        self._pids: dict[str, int] = {}
        self._started: dict[str, asyncio.Future[int]] = {}
        self._exited: dict[str, asyncio.Future[int]] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, preload: Sequence[str], log: Path) -> AsyncIterator[WardenClient]:
        """A warden that has imported `preload`; every node is dead when this ends."""
        environment = {
            **roots.environment(),
            OUTER_PYTHONPATH: os.environ.get("PYTHONPATH", ""),
            HARNESS_RUN: str(log.parent.absolute()),
            HARNESS_PID: str(os.getpid()),
        }
        with log.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                # -P: modules in the working directory are no part of the harness
                sys.executable, "-P", "-m", "harness.cluster.warden", *map(str, roots.added()), "--", *preload,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=stderr,
                env=environment, start_new_session=True,
            )  # fmt: skip
        processes = cls(process, log)
        reader = asyncio.create_task(processes._read_reports())
        try:
            yield processes
        finally:
            assert process.stdin is not None  # noqa: S101 - it was asked for
            processes._closing = True
            process.stdin.close()
            try:
                async with asyncio.timeout(END_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
            await reader

    async def start(self, spec: NodeSpec) -> int:
        """Fork the node's process and return its pid. Does not wait until the node answers.

        Raises `UsageError` if its settings cannot be sent to it.
        """
        try:
            msgspec.json.encode(spec.config)
        except (TypeError, ValueError) as error:
            raise UsageError(f"Node {spec.name!r}: its config= is not JSON: {error}.") from error
        self._started[spec.name] = asyncio.get_running_loop().create_future()
        self._exited[spec.name] = asyncio.get_running_loop().create_future()
        self._send(warden.Start(spec))
        return await asyncio.shield(self._started[spec.name])

    def pid(self, name: str) -> int | None:
        """The node's pid, or None while it does not run."""
        return self._pids.get(name)

    def signal(self, name: str, number: int) -> None:
        """Send a signal to the node's process group. Does nothing if the node does not run."""
        self._send(warden.Signal(name, number))

    def has_ended(self, name: str) -> bool:
        """Whether the node's latest process has ended."""
        return self._exited[name].done()

    async def exit_code(self, name: str) -> int:
        """Wait until the node's latest process has ended. Returns its exit code, or -N if signal N ended it."""
        return await asyncio.shield(self._exited[name])

    def delete_at_end(self, command: warden.DeleteAtEnd) -> None:
        """Have the warden delete proxies when the run is over, even if the harness is killed before."""
        self._send(command)

    def remove_at_end(self, group: Path) -> None:
        """Have the warden remove a control group when the run is over, even if the harness is killed before."""
        self._send(warden.RemoveAtEnd(str(group)))

    def _send(self, command: warden.Command) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        if self._broken is not None:
            raise self._broken
        self._process.stdin.write(msgspec.json.encode(command) + b"\n")

    async def _read_reports(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        decode = msgspec.json.Decoder(warden.Report).decode
        async for line in self._process.stdout:
            match decode(line):
                case warden.Started(name, pid):
                    self._pids[name] = pid
                    self._started[name].set_result(pid)
                case warden.Exited(name, pid, code):
                    self._pids.pop(name, None)
                    self._exited[name].set_result(code)
                    self.on_exit(name, pid, code)
        self._broken = HarnessError(
            f"The process that starts the nodes has ended, and all nodes with it. Its log ends: {last_lines(self._log, 3)}"
        )
        for pid in () if self._closing else self._pids.values():
            kill_group(pid)  # the kernel has killed the node itself, and not what it had started
        self._pids.clear()
        for future in (*self._started.values(), *self._exited.values()):
            if not future.done():
                future.set_exception(self._broken)
                future.exception()  # marks it as retrieved, because no task may be waiting for it
        if not self._closing:
            self.on_broken(self._broken)


def last_lines(log: Path, count: int) -> str:
    """The end of a log file on one line, without the middle of long lines, or a note that it is empty."""
    with contextlib.suppress(FileNotFoundError), log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _END_BYTES))
        lines = file.read().decode(errors="replace").strip().splitlines()
        if lines:
            return " | ".join(shortened(line.strip()) for line in lines[-count:])
    return "(nothing was logged)"


def shortened(line: str) -> str:
    """A line without its middle if it is very long."""
    half = _LONGEST // 2
    return line if len(line) <= _LONGEST else f"{line[:half]} … {line[-half:]}"
