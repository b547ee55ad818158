"""Runs many seeds in several processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from harness.model.errors import HarnessError
from harness.model.seeds import HASH_SEED, SIMULATION_HASH_SEED
from harness.run.first_error import first_of
from harness.simulation.worker import Reply, Task

_LINE_BYTES: Final = 1 << 28
"""A recorded run is one line."""


class OtherCode(NamedTuple):
    """Where a worker finds code other than this process's own."""

    folder: Path
    """Its working directory."""
    environment: Mapping[str, str]


class Worker:
    """One process; see `harness.simulation.worker`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, hash_seed: int = SIMULATION_HASH_SEED, *, code: OtherCode | None = None) -> AsyncIterator[Worker]:
        """`hash_seed` decides the order of its sets of strings, which must not matter. With other code, its standard error is
        dropped."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "harness.launch", "harness.simulation.worker",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LINE_BYTES,
            stderr=None if code is None else asyncio.subprocess.DEVNULL, cwd=None if code is None else code.folder,
            env={**(os.environ if code is None else code.environment), HASH_SEED: str(hash_seed)},
            process_group=0,  # Ctrl-C is for this process, which ends it
        )  # fmt: skip
        try:
            yield cls(process)
        finally:
            if process.stdout is None or not process.stdout.at_eof():  # it has not ended by itself
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await process.wait()

    async def work(self, task: Task) -> Reply:
        """Simulate a seed in the process. Raises `HarnessError` if the process has ended."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None  # noqa: S101 - it was asked for
        assert stdout is not None  # noqa: S101 - it was asked for
        stdin.write(msgspec.json.encode(task) + b"\n")
        line = await stdout.readline()
        if not line:
            raise HarnessError(f"A process that simulates ended amid seed {task.seed} of {task.drill}; what it said is above.")
        return msgspec.json.decode(line, type=Reply)


async def sweep(tasks: Iterator[Task], jobs: int, on_reply: Callable[[Task, Reply], bool]) -> None:
    """Simulate tasks until none are left, or `on_reply`, which is called with each reply, returns false.

    Raises `HarnessError` if a process has ended.
    """
    going = True

    async def keep_working() -> None:
        nonlocal going
        async with Worker.opened() as worker:
            while going and (task := next(tasks, None)) is not None:
                reply = await worker.work(task)
                if going:
                    going = on_reply(task, reply)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(jobs):
                group.create_task(keep_working())
    except BaseExceptionGroup as errors:
        raise first_of(errors) from errors


async def twice(task: Task) -> tuple[Reply, str | None]:
    """Simulate a task in two processes with different hash seeds: a reply, and the first event that differs, None if none."""
    async with Worker.opened(1) as one, Worker.opened(2) as other:
        first, second = await asyncio.gather(one.work(task), other.work(task))
        if (first.outcome, first.error) == (second.outcome, second.error):
            return first, None
        again = msgspec.structs.replace(task, record=True)
        first, second = await asyncio.gather(one.work(again), other.work(again))
    left, right = first.trail or [], second.trail or []
    for number, (one_did, other_did) in enumerate(zip(left, right, strict=False)):
        if one_did != other_did:
            return first, f"event {number} is {one_did!r} in one process, and {other_did!r} in another"
    return first, f"one run has {len(left)} events and the other one {len(right)}; up to there they are the same"
