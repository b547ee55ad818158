"""The fence around a simulation: anything that would make a run depend on more than its seed raises, and names its line.

Python's audit hook (PEP 578) sees sockets, child processes and writes to files, even from C code. Threads, clocks and random
numbers have no audit events: the fence replaces the standard library's functions for them meanwhile.
Reading files is allowed, because nodes import modules and load models.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

from harness.simulation.world import SimulationError

_CLOCKS: Final = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep")
_DRAWS: Final = (
    "random", "uniform", "randint", "randrange", "choice", "choices", "shuffle", "sample", "getrandbits", "gauss",
    "normalvariate", "expovariate", "randbytes", "triangular", "betavariate", "seed",
)  # fmt: skip
_AUDITED: Final = {
    "socket.__new__": "opens a socket",
    "socket.connect": "opens a socket",
    "socket.bind": "opens a socket",
    "subprocess.Popen": "starts a process",
    "os.fork": "starts a process",
    "os.posix_spawn": "starts a process",
    "os.exec": "starts a process",
    "os.kill": "signals a process",
    "os.remove": "changes a real file",
    "os.rename": "changes a real file",
    "os.truncate": "changes a real file",
    "os.mkdir": "changes a real file",
}
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
_INSIDE: Final = os.path.dirname(__file__)  # noqa: PTH120 - compared with the names that frames carry

_offences: list[Fenced] = []
_up = False
_hooked = False


class Fenced(SimulationError):
    """A node did something that the seed does not determine."""


@contextmanager
def fence() -> Iterator[None]:
    """Put everything that runs inside behind the fence."""
    global _up
    _hook()
    _offences.clear()
    replaced: list[tuple[Any, str, Any]] = []

    def replace(owner: Any, name: str, what: str) -> None:
        if hasattr(owner, name):
            replaced.append((owner, name, getattr(owner, name)))
            setattr(owner, name, _refusing(what))

    for name in _CLOCKS:
        replace(time, name, f"asks the machine's clock (time.{name}); nodes ask their loop, or `node`")
    for name in _DRAWS:
        replace(random, name, f"draws from a shared random stream (random.{name}); nodes have `node.random`")
    replace(threading.Thread, "start", "starts a thread; nodes use none")
    replace(os, "urandom", "draws from the machine's entropy (os.urandom); nodes have `node.random`")
    replace(random, "_urandom", "draws from the machine's entropy (secrets, random.SystemRandom); nodes have `node.random`")
    plain_init = random.Random.__init__

    def seeded(self: random.Random, x: Any = None) -> None:
        if x is None and type(self) is random.Random:
            _refuse("makes a random stream without a seed; nodes have `node.random`")
        plain_init(self, x)

    replaced.append((random.Random, "__init__", plain_init))
    random.Random.__init__ = seeded  # type: ignore[method-assign]
    _up = True
    try:
        yield
    finally:
        _up = False
        for owner, name, was in replaced:
            setattr(owner, name, was)


def _hook() -> None:
    """Install the audit hook: hooks cannot be removed, so there is only one, which acts only while the fence is up."""
    global _hooked
    if not _hooked:
        _hooked = True
        sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _up:
        return
    if event == "open":
        if len(arguments) > 2 and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            _refuse(f"writes a real file ({arguments[0]}); nodes have `node.disk`")
    elif event in _AUDITED:
        _refuse(f"{_AUDITED[event]} ({event})")


def _refusing(what: str) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        _refuse(what)

    return refuse


def _refuse(what: str) -> NoReturn:
    frame = next((one for one in reversed(traceback.extract_stack()) if not one.filename.startswith(_INSIDE)), None)
    where = f"{frame.filename}, line {frame.lineno}: {frame.line}" if frame else "code without a line"
    error = Fenced(f"What runs in a simulation {what}. {where}")
    _offences.append(error)
    raise error


def take_offence() -> Fenced | None:
    """The first refusal since the last call, even if the code went on after it."""
    first = _offences[0] if _offences else None
    _offences.clear()
    return first
