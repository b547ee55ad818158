"""A simulated machine: its name and address, its disk, its processor, and the process that runs on it, if any."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context, copy_context
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.model.steering import Counter
from harness.model.system import Address
from harness.node.context import SHARED
from harness.node.control import ControlPage
from harness.node.disk import Disk
from harness.node.files import FileOperations, SteeredFiles
from harness.node.journal import Journal
from harness.node.machine import Pacer
from harness.simulation.crashes import Crashes
from harness.simulation.disk import HostFiles, MemoryDisk
from harness.simulation.journal import MemoryJournal
from harness.simulation.loop import HostDied, HostLoop, Sockets
from harness.simulation.pacer import SimulatedPacer
from harness.simulation.rewriting import Rewriting
from harness.simulation.thread import NORMAL_CALLBACK_S, SimulatedThread
from harness.simulation.world import BEGIN_S, EPOCH_S, World

SIGKILL: Final = -9

Main = Callable[[], Coroutine[Any, Any, None]]
Exited = Callable[[str, int, int], None]
"""Called with a process that ended: the host's name, its pid, its exit code."""


class Host:
    """One machine. It runs one process at a time: a life, with its own loop."""

    def __init__(self, world: World, network: Sockets, number: int, name: str, address: Address) -> None:
        self.world = world
        self.network = network
        self.number = number
        self.name = name
        self.address = address
        self.control = ControlPage(None, self._stops_itself)
        self.disk = MemoryDisk(world.random(f"{name}/disk"))
        self.shared = self.disk
        """Has the folders that all nodes share: the own disk of a host that is alone."""
        self.callback_s = NORMAL_CALLBACK_S
        """The duration of each callback."""
        self.clock_step_ns = 1
        """The resolution of its wall clock."""
        self.threads = False
        """Whether its process may use threads."""
        self.ran_s = 0.0
        """The time that its processor has worked in this life."""
        self.loop: HostLoop | None = None
        self.pid = 0
        self.powered = True
        """Whether the kernel answers: it does if only the process is dead."""
        self.dies_with_power = False
        """Whether the machine loses power when its process dies next."""
        self.log: list[str] = []
        self.raised: str | None = None
        """What the first callback raised that raised something, and when."""
        self.events: list[tuple[int, str, str]] = []
        """The events that its processes reported: the monotonic time, the kind, and the details as JSON."""
        self.journal = MemoryJournal()
        self.context: Context = copy_context()
        self.counted: Callable[[str], bool] | None = None
        """Called with the name of each send, sync and rename; returns whether the host dies in it."""
        self.shown: Callable[[], object] | None = None
        """Returns the state that the process shows, if it shows any."""
        self.crashes = Crashes(self.disk, self.control, world.random(f"{name}/crashes"))
        self.rewriting = Rewriting(lambda: self.control[Counter.FAILED_SYNCS] + self.control[Counter.REFUSED_WRITES])
        self.on_exit: Exited = lambda name, pid, code: None
        self._wakes = world.random(f"{name}/wakes")
        self._main: asyncio.Task[None] | None = None

    # --------------------------------------------------------------------------------------------------------- process

    def start(self, main: Main) -> int:
        """Start a process; returns its pid."""
        self.pid = 1000 * self.number + self.world.next_number()
        loop = self.loop = HostLoop(self.world, self)  # type: ignore[abstract]  # what it lacks raises NotImplementedError
        self.world.hold(loop)
        self.powered, self.ran_s, self.context = True, 0.0, copy_context()
        self.rewriting.begin()
        self.world.note("start", self.name, f"pid {self.pid}")

        def begin() -> None:
            self._main = loop.create_task(main())
            self._main.add_done_callback(self._over)

        loop.call_soon(begin)
        return self.pid

    @property
    def runs(self) -> bool:
        return self.loop is not None

    @property
    def halted(self) -> bool:
        """Whether its process has stopped itself, and may be ahead of what has happened."""
        return self.loop is not None and self.loop.halted

    def kill(self) -> None:
        """Kill the process, like SIGKILL: the kernel resets or ends its connections."""
        self._end(SIGKILL, self.world.now)

    def cut_power(self) -> str:
        """Turn the machine off: it sends nothing, and unsynced data may be lost. Returns what was lost, as text."""
        return self._cut_power(self.world.now)

    def _cut_power(self, at_s: float) -> str:
        self.powered = False
        self._end(SIGKILL, at_s)
        lost = self.disk.lose_power({tracked.name: tracked.holes for tracked in self.control.tracked()})
        for name, length in self.disk.lengths():  # what is left is on the disk: mark it as synced
            tracked = self.control.track(name, length)
            if tracked is not None:
                tracked.replaced()
                tracked.synced_bytes = length
        self.world.note("power", self.name, f"lost {lost}")
        return lost

    def doom(self, within_s: float) -> None:
        """Let its process die `within_s` seconds from now, even in the middle of a blocking call."""
        loop = self.loop
        if loop is not None:
            loop.dies_at_s = min(loop.dies_at_s, self.world.now + within_s)
            self.world.at(loop.dies_at_s, self._die_if, loop)

    def _die_if(self, loop: HostLoop) -> None:
        """Kill the process unless that life is already over."""
        if self.loop is loop:
            self.died_by_itself()

    def terminate(self) -> None:
        """SIGTERM: cancel the node's main task, unless the node handles it itself."""
        if self.loop is not None and self._main is not None:
            callback, arguments = self.loop.on_signal.get(signal.SIGTERM, (self._main.cancel, ()))
            self.loop.deliver(callback, *arguments)

    def _stops_itself(self) -> None:
        """Stop the process at the point of its own work at which a fault begins."""
        if self.loop is not None:
            files, told_of_files = self.disk.kept(), self.control.kept_files()

            def undo() -> None:
                files()
                told_of_files()

            self.loop.stop_running(undo)

    def died_by_itself(self) -> None:
        """The process has died as announced."""
        with_power, self.dies_with_power = self.dies_with_power, False
        died_s = self.world.now if self.loop is None else self.loop.dies_at_s
        if with_power:
            self._cut_power(died_s)
        else:
            self._end(SIGKILL, died_s)

    def exits(self, error: SystemExit) -> None:
        """The node's code ends its process."""
        if self.loop is None:
            return
        code = error.code
        if code is not None and not isinstance(code, int):  # a text, which the interpreter prints
            self.complain(str(code))
        self._end(0 if code is None else code if isinstance(code, int) else 1, self.loop.time())

    def forget(self) -> None:
        """Release what its process was doing, without reports of its end."""
        if self.loop is not None:
            self.loop.drop(self.world.now)
        self.loop = self._main = self.shown = None
        self.on_exit, self.counted, self.context = lambda name, pid, code: None, None, copy_context()
        self.crashes.end()

    def _over(self, main: asyncio.Task[None]) -> None:
        if self.loop is None or (not main.cancelled() and isinstance(main.exception(), HostDied)):
            return
        error = None if main.cancelled() else main.exception()
        if error is not None:
            self.complain(f"the node's main ended: {_named(error)}")
        loop, code = self.loop, 1 if error is not None else 0
        left = sorted(asyncio.all_tasks(loop), key=hash)  # in the order in which they began: see `tasks`
        for task in left:
            task.cancel()

        async def end() -> None:
            """End as `asyncio.run` and the interpreter do: when all other tasks are over, and what the threads have to do."""
            if left:
                await asyncio.gather(*left, return_exceptions=True)
            for thread in loop.threads:
                thread.shutdown()
            self._end(code, loop.time())

        if left or loop.threads:
            loop.create_task(end())
        else:
            self._end(code, loop.time())

    def _end(self, code: int, died_s: float) -> None:
        """End the process, which may be ahead of the world: what it did after its death at `died_s` did not happen."""
        loop, self.loop, self.shown = self.loop, None, None
        if loop is None:
            return
        running, self.world.turning = self.world.turning, loop  # what it is asked may want its loop
        self.crashes.imagine(loop.time() - BEGIN_S)
        self.world.turning = running
        self.crashes.end()
        loop.drop(died_s)
        died_ns = round(loop.dies_at_s * 1e9)
        while self.events and self.events[-1][0] > died_ns:
            self.events.pop()
        self.journal.forget_after(died_ns)
        self.world.note("end", self.name, f"pid {self.pid} {'without power' if not self.powered else f'code {code}'}")
        self.network.host_ended(loop)
        self.on_exit(self.name, self.pid, code)

    # --------------------------------------------------------------------------------------------------------- counting

    def begin(self, operation: str, seconds: float) -> None:
        """The process begins a disk operation of this duration. Raises `HostDied` if it does not survive that."""
        loop = self.loop
        if loop is None:
            raise HostDied
        self.count(operation)
        self.crashes.count(operation, loop.time() - BEGIN_S)
        loop.block(seconds)
        if self.world.happenings is not None and not operation.startswith("read"):
            self.world.note("disk", self.name, operation)

    def count(self, operation: str) -> None:
        """Count an operation at which the process may have to die."""
        if self.counted is not None and self.loop is not None and self.counted(operation):
            self.loop.dies_at_s = self.loop.time()
            raise HostDied

    def reads_first(self) -> bool:
        return self._wakes.random() < 0.5

    def callback_raised(self, error: BaseException) -> None:
        """Note an error that nothing awaits: whatever waits for what the callback should have done waits forever."""
        told = f"{type(error).__name__}: {error}"
        self.raised = self.raised or f"at {self.world.now - BEGIN_S:.3f} s, a callback raised {told}"
        self.complain(f"a callback raised: {told}")

    def complain(self, text: str) -> None:
        """Log something that its process did wrong, like a traceback."""
        self.log.append(f"{self.world.now - BEGIN_S:.3f} {self.name}: {text}")
        self.world.note("log", self.name, text)


class HostMachine:
    """The machine as a node sees it; see `harness.node.machine.Machine`."""

    def __init__(self, host: Host) -> None:
        assert host.loop is not None  # noqa: S101 - created by the process that runs on it
        self.control = host.control
        self.pid = host.pid
        self._host = host
        self._loop = host.loop

    def monotonic_ns(self) -> int:
        return round(self._loop.time() * 1e9)

    def time_ns(self) -> int:
        now_ns = self.monotonic_ns() + round((EPOCH_S - BEGIN_S) * 1e9)
        return now_ns - now_ns % self._host.clock_step_ns

    def files(self, folder: Path) -> FileOperations:
        disk = self._host.shared if folder.parts[0] == SHARED else self._host.disk
        files = HostFiles(disk, str(folder), self._host.begin, self._host.rewriting)
        return SteeredFiles(files, self.control, self._loop.block)

    def journal(self, folder: Path) -> Journal:
        return self._host.journal.of(self.monotonic_ns)

    def thread(self) -> Executor:
        thread = SimulatedThread(self._loop)
        self._loop.threads.append(thread)
        self._host.world.hold(thread)
        return thread

    def worked(self, seconds: float) -> None:
        self._loop.block(seconds * self._host.callback_s / NORMAL_CALLBACK_S)

    def pacer(self) -> Pacer:
        return SimulatedPacer(self._loop)

    def settle(self) -> None:
        """Do nothing: the garbage collector is off during a simulation."""

    def show(self, state: Callable[[], object]) -> None:
        self._host.shown = state

    def must_recover(self, folder: Path, forgotten: Callable[[Disk], str | None]) -> None:
        self._host.crashes.begin(str(folder), forgotten)

    def write_event(self, at_ns: int, kind: str, detail: object) -> None:
        self._host.events.append((at_ns, kind, msgspec.json.encode(detail).decode()))

    def write_log(self, line: str) -> None:
        self._host.log.append(line)
        self._host.world.note("log", self._host.name, line)


def _named(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
