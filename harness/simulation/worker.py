"""A process that simulates seeds: it reads a `Task` from each line of its input, and writes a `Reply` to its output."""

from __future__ import annotations

import gc
import signal
import sys
import time
from pathlib import Path

import msgspec

from harness import roots
from harness.cluster.cluster import prepare
from harness.model.errors import HarnessError
from harness.run import catalog
from harness.simulation.cluster import preload
from harness.simulation.mutation.reach import reached
from harness.simulation.seed_run import Outcome, run_seed


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One seed of one drill."""

    drill: str
    """The name of the drill, or its file."""
    settings: tuple[str, ...] = ()
    seed: int
    record: bool = False
    """Whether to return every event as well."""
    watched: tuple[str, ...] = ()
    """Files of which to return the lines that ran."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a task."""

    seed: int
    cpu_s: float
    outcome: Outcome | None = None
    error: str | None = None
    """Why there is no outcome."""
    trail: list[str] | None = None
    """Everything that happened, if the task asked for it."""
    lines: dict[str, set[int]] = {}
    """The lines that ran, by file, of the files that the task watches."""


def work(task: Task) -> Reply:
    """Simulate a seed."""
    begun_s = time.process_time()
    try:
        named = catalog.find_drill(task.drill, task.settings)
        with reached(task.watched) as lines:
            judged = run_seed(named.name, named.drill, task.seed, record=task.record)
    except HarnessError as error:
        return Reply(seed=task.seed, cpu_s=time.process_time() - begun_s, error=f"{type(error).__name__}: {error}")
    trail = judged.run.world.trail if task.record else None
    return Reply(seed=task.seed, cpu_s=time.process_time() - begun_s, outcome=judged.outcome, trail=trail, lines=lines)


def main() -> None:
    """Work until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is sent to the parent as well, which decides
    roots.add(Path.cwd())
    out, sys.stdout = sys.stdout, sys.stderr  # what a system prints must not look like a reply
    first = True
    for line in sys.stdin:
        task = msgspec.json.decode(line, type=Task)
        if first:
            system = catalog.find_drill(task.drill, task.settings).drill.system
            prepare(system)
            preload(system)
            gc.collect()
            gc.freeze()  # collect only what seeds leave behind, not the loaded modules
            first = False
        out.write(msgspec.json.encode(work(task)).decode() + "\n")
        out.flush()


if __name__ == "__main__":
    main()
