"""Unnamed network namespaces: each exists only as long as a process is in it or holds a file descriptor to it.

So the kernel itself cleans up after a run that was killed. See network_namespaces(7), unshare(2) and setns(2).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")

_CLONE_NEWNET: Final = 0x40000000
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def create() -> int:
    """Make a namespace and return the descriptor that keeps it. Raises `OSError` if this user may not."""

    def unshare() -> int:
        _check(_LIBC.unshare(_CLONE_NEWNET))
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    return _in_a_thread(unshare)


def enter(descriptor: int) -> None:
    """Move the calling thread into a namespace; processes that it starts from now on are in it too. Raises `OSError`."""
    _check(_LIBC.setns(descriptor, _CLONE_NEWNET))


def within(descriptor: int, do: Callable[[], T]) -> T:
    """Call a function inside a namespace and return its result."""

    def enter_and_do() -> T:
        enter(descriptor)
        return do()

    return _in_a_thread(enter_and_do)


def _in_a_thread(do: Callable[[], T]) -> T:
    """Call a function in a new thread. The namespace is the thread's own and the thread ends here, so no other code moves."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(do).result()


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
