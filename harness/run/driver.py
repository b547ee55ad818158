"""Drive a run during its load: hold every fault window on schedule, and watch the generator, the guard and the fault plane."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Final

from harness.checkers.guard_held import STOPPED
from harness.model.environment import Environment
from harness.model.fault_window import FaultWindow
from harness.model.guard import Guard, Look, Watch
from harness.run.generator_client import GeneratorClient
from harness.run.injector import hold
from harness.run.observer import Observer
from harness.run.schedule import PlannedWindow

LOOK_EVERY_S: Final = 0.25


async def drive(
    environment: Environment,
    generator: GeneratorClient,
    watching: Sequence[Coroutine[object, object, None]],
    windows: Sequence[PlannedWindow],
    start_ns: int,
    observer: Observer,
    guard: Guard | None,
    note: Callable[[str, str, str], None],
) -> tuple[list[FaultWindow], bool]:
    """Hold every window on schedule until the load is over and every fault is healed.

    The `watching` coroutines run meanwhile; if one raises, the run ends. `note` records an event: node, kind and detail.
    Returns the windows, and whether the guard stopped the drill.
    """
    stopped = asyncio.Event()

    async def watch_load() -> None:
        watch = Watch(guard) if guard else None
        while not (progress := await generator.progress()).finished:
            at_s = (environment.monotonic_ns() - start_ns) / 1e9
            observer.on_progress(at_s, progress)
            look = Look(at_s=at_s, due=progress.due, ok=progress.ok, latencies_ms=progress.latencies_ms)
            if watch and guard and (passed := watch.passed(look)):
                note("", STOPPED, f"{passed} (guard: {guard.text})")
                stopped.set()
                await generator.stop()
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async with asyncio.TaskGroup() as tasks:
        watches = [tasks.create_task(watch) for watch in watching]
        held = [tasks.create_task(hold(environment, window, start_ns, observer, stopped)) for window in windows]
        # Not gather: if the run is cancelled, gather would cancel every window a second time while it heals.
        await asyncio.wait([tasks.create_task(watch_load()), *held])
        for task in watches:
            task.cancel()
    return [task.result() for task in held], stopped.is_set()
