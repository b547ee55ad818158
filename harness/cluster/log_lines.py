"""Follow the lines of a log file without polling: the kernel says when there is more."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Final

_IN_MODIFY: Final = 0x2
_CHUNK_BYTES: Final = 1 << 16


async def lines_from(path: Path, offset: int) -> AsyncGenerator[str, None]:
    """Each complete line from a byte offset on, endlessly. Raises `OSError` if the file cannot be watched."""
    rest = b""
    with _changes(path) as changed, path.open("rb") as log:
        log.seek(offset)
        while True:
            changed.clear()
            while chunk := log.read(_CHUNK_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield line.decode(errors="replace")
            await changed.wait()


@contextlib.contextmanager
def _changes(path: Path) -> Iterator[asyncio.Event]:
    """An event that is set whenever the file has been written to (inotify(7); Python has no binding for it)."""
    libc, loop, changed = ctypes.CDLL(None, use_errno=True), asyncio.get_running_loop(), asyncio.Event()
    watch = _checked(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), path)

    def drain() -> None:
        os.read(watch, _CHUNK_BYTES)
        changed.set()

    try:
        _checked(libc.inotify_add_watch(watch, os.fsencode(path), _IN_MODIFY), path)
        loop.add_reader(watch, drain)
        yield changed
    finally:
        loop.remove_reader(watch)
        os.close(watch)


def _checked(result: int, path: Path) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    return result
