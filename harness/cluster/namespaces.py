"""Network namespaces without a name: one exists for as long as a process is in it or holds its descriptor, and no longer.

So the kernel itself removes what is left of a run that was killed. See network_namespaces(7), unshare(2) and setns(2).
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
    """A new namespace; returns the descriptor that keeps it. Raises `OSError` if this user may not make one."""

    def unshare() -> int:
        _check(_LIBC.unshare(_CLONE_NEWNET))
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    return _in_a_thread(unshare)


def enter(descriptor: int) -> None:
    """Move the calling thread into a namespace; what it starts from now on begins there. Raises `OSError`."""
    _check(_LIBC.setns(descriptor, _CLONE_NEWNET))


def within(descriptor: int, do: Callable[[], T]) -> T:
    """What a function returns, or raises, when it is called inside a namespace."""

    def enter_and_do() -> T:
        enter(descriptor)
        return do()

    return _in_a_thread(enter_and_do)


def _in_a_thread(do: Callable[[], T]) -> T:
    """A thread has a namespace of its own and ends here, so no other code is ever moved."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(do).result()


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
