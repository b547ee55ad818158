"""Ctrl-C: the first one ends a run cleanly; further ones do not cut the cleanup short."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


def run_to_its_end(main: Coroutine[object, object, T]) -> T:
    """`asyncio.run` for a coroutine that must clean up when the first SIGINT cancels it.

    `asyncio.run` itself aborts the cleanup at the second SIGINT. Raises `KeyboardInterrupt` once the cleanup is done.
    """
    interrupted = False

    async def guarded() -> T:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None  # noqa: S101 - a coroutine run by a loop has one

        def interrupt() -> None:
            nonlocal interrupted
            if not interrupted:
                interrupted = True
                task.cancel()

        with contextlib.suppress(ValueError, RuntimeError):  # not in the main thread, which gets the signal itself
            loop.add_signal_handler(signal.SIGINT, interrupt)
        try:
            return await main
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    try:
        return asyncio.run(guarded())
    except BaseException:
        if interrupted:  # other errors on the way out do not matter
            raise KeyboardInterrupt from None
        raise
