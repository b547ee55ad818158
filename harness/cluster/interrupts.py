"""Ctrl-C: the first one ends a run, in order; more of them do not cut that short."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


def run_to_its_end(main: Coroutine[object, object, T]) -> T:
    """`asyncio.run` for what must put things right when it is cancelled, which the first SIGINT does.

    `asyncio.run` itself leaves at the second SIGINT, wherever that strikes. Raises `KeyboardInterrupt` when all is done.
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

        with contextlib.suppress(ValueError, RuntimeError):  # not in the main thread: what runs there gets the signal
            loop.add_signal_handler(signal.SIGINT, interrupt)
        try:
            return await main
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    try:
        return asyncio.run(guarded())
    except BaseException:
        if interrupted:  # what else went wrong on the way out does not matter
            raise KeyboardInterrupt from None
        raise
