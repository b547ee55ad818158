"""The fence around a simulation: anything that would make a run depend on more than its seed raises, and names its line.

Python's audit hook (PEP 578) sees sockets, child processes and writes to files, even from C code. Threads, clocks and random
numbers have no audit events: the fence replaces the standard library's functions for them meanwhile, and NumPy's. PyTorch's
default stream begins anew in each run, as in a new process.
Reading files is allowed, because nodes import modules and load models.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import random
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np

from harness.simulation.world import SimulationError

_CLOCKS: Final = (
    "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep", "clock_gettime",
    "clock_gettime_ns", "process_time", "process_time_ns", "thread_time", "thread_time_ns",
)  # fmt: skip
_CALENDAR: Final = {"localtime": 0, "gmtime": 0, "ctime": 0, "asctime": 0, "strftime": 1}
"""Functions of `time` that ask the clock if they are given no time, and the place of that among their arguments."""
_NOW: Final = ("now", "utcnow")
"""Methods of `datetime` that ask the clock by themselves. The others, and `date.today`, call `time.time`."""
_DRAWS: Final = tuple(
    name
    for name in random.__all__
    if getattr(getattr(random, name), "__self__", None) is random.random.__self__  # type: ignore[attr-defined]
)
"""The functions of `random` that use its one global stream."""
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
_TORCH_SEED: Final = 67280421310721
"""The seed of PyTorch's default stream in a new process."""
_PYTHONS: Final = str(Path(os.__file__).parent)
_INSTALLED: Final = ("site-packages", "dist-packages")
_INSIDE: Final = tuple(map(os.path.dirname, (__file__, asyncio.__file__)))  # compared with the names that frames carry

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
    for name, place in _CALENDAR.items():
        what = f"asks the machine's clock (time.{name} without a time); nodes ask their loop, or `node`"
        replaced.append((time, name, getattr(time, name)))
        setattr(time, name, _refusing_now(what, getattr(time, name), place))
    for name in _DRAWS:
        replace(random, name, f"draws from a shared random stream (random.{name}); nodes have `node.random`")
    for name in _shared_draws_of_numpy():
        replace(np.random, name, f"draws from a shared random stream (numpy.random.{name}); nodes have `node.random`")
    replace(threading.Thread, "start", "starts a thread; nodes use none")
    replace(os, "urandom", "draws from the machine's entropy (os.urandom); nodes have `node.random`")
    replace(os, "getrandom", "draws from the machine's entropy (os.getrandom); nodes have `node.random`")
    replace(uuid, "uuid1", "asks the machine's clock (uuid.uuid1); nodes ask their loop, or `node`")
    replace(random, "_urandom", "draws from the machine's entropy (secrets, random.SystemRandom); nodes have `node.random`")
    replace(os, "_exit", "ends its process (os._exit), which all nodes share; nodes raise SystemExit")
    replaced += _replaced_in_modules({id(was): getattr(owner, name) for owner, name, was in replaced})
    plain_init = random.Random.__init__

    def seeded(self: random.Random, x: Any = None) -> None:
        if x is None and type(self) is random.Random:
            refuse("makes a random stream without a seed; nodes have `node.random`")
        plain_init(self, x)

    replaced.append((random.Random, "__init__", plain_init))
    random.Random.__init__ = seeded  # type: ignore[method-assign]
    replaced.append((sys, "dont_write_bytecode", sys.dont_write_bytecode))
    sys.dont_write_bytecode = True  # what is imported for the first time would be compiled into a real file
    _up = True
    try:
        with _no_present(), _torch_as_new():
            yield
    finally:
        _up = False
        for owner, name, was in replaced:
            setattr(owner, name, was)


def _replaced_in_modules(refusing: Mapping[int, object]) -> list[tuple[Any, str, Any]]:
    """Replace what modules have taken by name, as in `from time import monotonic`; returns each module, name and value.

    `refusing`: what to put in the place of each function, by its `id`. Python's own modules and installed ones are left alone.
    """
    found = []
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None) or _PYTHONS
        if not file.startswith(_PYTHONS) and not any(folder in file for folder in _INSTALLED):
            found += [(module, name, value) for name, value in vars(module).items() if id(value) in refusing]
    for module, name, value in found:
        setattr(module, name, refusing[id(value)])
    return found


@contextmanager
def _no_present() -> Iterator[None]:
    """Let `datetime` refuse to tell the present time.

    A type that is implemented in C takes no attributes, but its dictionary does. The interpreter remembers what it has found in
    types, so it has to be told.
    """
    [attributes] = gc.get_referents(datetime.__dict__)
    were = {name: attributes[name] for name in _NOW}

    def put(methods: dict[str, Any]) -> None:
        attributes.update(methods)
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime))

    told = "asks the machine's clock (datetime.{}); nodes ask their loop, or `node`"
    put({name: staticmethod(_refusing(told.format(name))) for name in _NOW})
    try:
        yield
    finally:
        put(were)


@contextmanager
def _torch_as_new() -> Iterator[None]:
    """Begin PyTorch's default stream anew, if it has been imported: else a run would depend on those before it."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    was = torch.default_generator.get_state()
    torch.default_generator.manual_seed(_TORCH_SEED)
    try:
        yield
    finally:
        torch.default_generator.set_state(was)


def _shared_draws_of_numpy() -> list[str]:
    """The functions of `numpy.random` that draw from its one global stream."""
    shared = np.random.random.__self__  # type: ignore[attr-defined]  # a bound method, say its stubs not
    return ["seed", *(name for name in np.random.__all__ if getattr(getattr(np.random, name), "__self__", None) is shared)]


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
            refuse(f"writes a real file ({arguments[0]}); nodes have `node.disk`")
    elif event in _AUDITED:
        refuse(f"{_AUDITED[event]} ({event})")


def _refusing(what: str) -> Callable[..., NoReturn]:
    def refusing(*_: object, **__: object) -> NoReturn:
        refuse(what)

    return refusing


def _refusing_now(what: str, function: Callable[..., object], place: int) -> Callable[..., object]:
    def of_a_time(*arguments: object) -> object:
        if len(arguments) <= place or arguments[place] is None:
            refuse(what)
        return function(*arguments)

    return of_a_time


def refuse(what: str) -> NoReturn:
    """Refuse what some code does; the run fails even if that code goes on."""
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
