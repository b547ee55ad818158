"""Notices code that never returns to its loop: virtual time stands still while real time passes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from harness.simulation.world import SimulationError, World

STILL_S = 10.0
"""A callback that takes longer than this is considered endless."""


class Stuck(SystemExit):
    """Raised in the code that hangs. It is a `SystemExit`, so an `except Exception` in that code does not catch it."""


@contextmanager
def watched(world: World) -> Iterator[None]:
    """End the simulation with the stack of the code that hangs. Works in a process's main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    last, still_s = -1, STILL_S

    def look(number: int, frame: FrameType | None) -> None:
        nonlocal last
        if world.steps != last:
            last = world.steps
            return
        _raise(world, frame, still_s)

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, still_s, still_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _raise(world: World, frame: FrameType | None, still_s: float) -> NoReturn:
    lines: list[str] = []
    while frame is not None and len(lines) < 8:
        lines.append(f"{frame.f_code.co_filename}, line {frame.f_lineno}, in {frame.f_code.co_name}")
        frame = frame.f_back
    stack = "; called by ".join(lines)
    world.fail(SimulationError(f"Virtual time has stood still for {still_s:g} s: some code never gives its loop back. {stack}"))
    raise Stuck
