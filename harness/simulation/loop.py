"""The event loop of one life of a simulated host.

It keeps the promises of asyncio and uvloop: callbacks run in the order in which they were scheduled, and what becomes ready in
a turn runs in the next one. Each callback takes some time of the host's processor, so a busy host falls behind, and what
arrives meanwhile queues up. When the life ends the loop is dropped: nothing in it runs again, not even `finally`.
"""

from __future__ import annotations

import asyncio
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from math import inf
from typing import Any, Final, Protocol

import msgspec

from harness.model.system import Address
from harness.simulation.fence import refuse
from harness.simulation.tasks import CountedFuture, CountedTask
from harness.simulation.thread import SimulatedThread
from harness.simulation.world import World

_INSTANT_S: Final = 1e-9
"""Separates an event from the one before it."""


class Callback(msgspec.Struct):
    """A scheduled callback: like asyncio's `Handle`, but cheaper to create, because each callback of a run needs one."""

    what: Callable[..., object] | None
    """None if it was cancelled."""
    args: tuple[Any, ...]
    context: Context

    def cancel(self) -> None:
        self.what, self.args = None, ()

    def cancelled(self) -> bool:
        return self.what is None


class Timer(Callback):
    """A callback that is due at a time, like asyncio's `TimerHandle`."""

    when_s: float
    order: int
    loop: HostLoop

    def when(self) -> float:
        return self.when_s

    def ring(self) -> None:
        """Run the callback, because it is due."""
        loop = self.loop
        if self.what is not None and not loop.dead:
            loop._wake(self, more=True)


class HostDied(SystemExit):
    """The host dies here. It is a `SystemExit`, which asyncio's tasks do not catch, so it ends the turn that raises it."""


class Socket(Protocol):
    """One end of a connection."""

    loop: HostLoop


class Sockets(Protocol):
    """The network from the view of a loop and its host."""

    def listen(self, loop: HostLoop, address: Address, factory: Callable[[], asyncio.BaseProtocol]) -> object:
        """Accept connections on an address. Raises `OSError` if it is in use."""

    async def connect(
        self, loop: HostLoop, address: Address, factory: Callable[[], asyncio.BaseProtocol]
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """A connection to the process that listens there. Raises `OSError` if none does."""

    def gone(self, end: Socket) -> None:
        """A socket is closed."""

    def host_ended(self, loop: HostLoop) -> None:
        """A process has ended."""


class Owner(Protocol):
    """The host that a loop belongs to."""

    number: int
    name: str
    callback_s: float
    ran_s: float
    context: Context
    threads: bool

    @property
    def network(self) -> Sockets: ...

    def died_by_itself(self) -> None:
        """The process has died in what it just did."""

    def exits(self, error: SystemExit) -> None:
        """The process ends itself."""

    def reads_first(self) -> bool:
        """Whether the process, when it continues after a stop, takes all that has arrived before it looks at its timers."""

    def callback_raised(self, error: BaseException) -> None:
        """A callback raised an error, which nothing awaits."""

    def complain(self, text: str) -> None:
        """Something went wrong that the process did not handle."""

    def count(self, operation: str) -> None:
        """Count an operation in which the process may have to die. Raises `HostDied` if it does."""


class HostLoop(asyncio.AbstractEventLoop):
    """See the module. Its clock is the host's, which runs ahead of the world's while the host works or blocks."""

    def __init__(self, world: World, host: Owner) -> None:
        self.world = world
        self.host = host
        self.dead = False
        self.on_signal: dict[int, tuple[Callable[..., object], tuple[Any, ...]]] = {}
        """What the process itself does at a signal, by its number."""
        self.threads: list[SimulatedThread] = []
        """The process's threads beside this loop."""
        self.running: SimulatedThread | None = None
        """The thread that runs now, instead of the loop."""
        self.dies_at_s = inf
        """The time of an announced death; if the host blocks then, the blocking call raises."""
        self._local_s = world.now
        self._ready: deque[Callback] = deque()
        self._queued = False
        """Whether a turn is due, or under way."""
        self._stopped = False
        self._stopped_s = inf
        self._undo: Callable[[], None] | None = None
        """Takes back what the process has done since it stopped itself; None if it goes on, or something else stopped it."""
        self._held: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        """What others will see of that once it goes on."""

    # ------------------------------------------------------------------------------------------------------------ time

    def time(self) -> float:
        local, now = self._local_s, self.world.now
        return local if local > now else now

    def block(self, seconds: float) -> None:
        """Block what runs now, the loop or a thread, for this long. Raises `HostDied` if the host dies meanwhile."""
        if self.running is not None:
            self.running.block(seconds)
            return
        until = self.time() + seconds
        if self.dead or until >= self.dies_at_s:
            self._local_s = min(until, self.dies_at_s)
            raise HostDied
        self._local_s = until

    # ------------------------------------------------------------------------------------------------------- callbacks

    def call_soon(  # type: ignore[override]  # typeshed binds the arguments to the callback
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Callback:
        handle = Callback(callback, args, copy_context() if context is None else context)
        if not self.dead:
            self._ready.append(handle)
            if not self._queued and not self._stopped:
                self._queued = True
                self.world.at(self._local_s, self._turn)
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Callback:
        """Only for a node with a thread from `node.thread`."""
        if not self.threads:
            refuse(f"hands {callback!r} to {self.host.name}'s loop from another thread; nodes have `node.thread`")
        return self.call_soon(callback, *args, context=context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Timer:
        return self._timer(self.time() + delay, callback, args, context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Timer:
        return self._timer(when, callback, args, context)

    def _timer(self, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None) -> Timer:
        world = self.world
        timer = Timer(callback, args, copy_context() if context is None else context, when, next(world.order), self)
        world.set_timer(timer)
        return timer

    def deliver(self, callback: Callable[..., object], *args: Any) -> None:
        """Schedule a callback for something from outside: like `call_soon`, but from the world, and without its own context."""
        if not self.dead:
            self._wake(Callback(callback, args, self.host.context))

    def _wake(self, handle: Callback, *, more: bool = False) -> None:
        """Run a handle now, if the host has nothing else to do. `more`: see `_turn`; not if the caller goes on at this time."""
        self._ready.append(handle)
        if self._queued or self._stopped:
            return
        self._queued = True
        world = self.world
        if self._local_s > world.now or world.turning is not None:
            world.at(self._local_s, self._turn)
        else:
            self._turn(more)

    def _turn(self, more: bool = True) -> None:
        """Run what is ready now, and not what becomes ready meanwhile, like a turn of asyncio's loop.

        With `more`, also run the following turns while nothing else happens in the world: time advances inside.
        """
        world, ready = self.world, self._ready
        if self.dead:
            return
        if self._stopped:
            self._queued = False
            return
        if self._local_s > world.now:  # still busy with earlier work
            world.at(self._local_s, self._turn)
            return
        host = self.host
        world.turning = self
        if world.entered is not self:
            world.entered = self
            events._set_running_loop(self)
        try:
            while True:
                now = self._local_s = world.now
                number, cost_s = len(ready), host.callback_s
                world.count_turn(host.number, number)
                while number:
                    number -= 1
                    handle = ready.popleft()
                    if (what := handle.what) is None:
                        continue
                    self._local_s = local_s = self._local_s + cost_s
                    if local_s >= self.dies_at_s:
                        raise HostDied  # noqa: TRY301 - the turn ends here as it does inside a callback
                    if args := handle.args:
                        handle.context.run(what, *args)
                    else:
                        handle.context.run(what)
                    if self.dead or self._stopped:  # type: ignore[redundant-expr]  # a callback changes either
                        more = False
                        break
                if not more or not ready or not world.skip_to(self._local_s):
                    break
                host.ran_s += self._local_s - now
        except HostDied:
            self.host.died_by_itself()
        except SystemExit as error:
            self.host.exits(error)
        except (Exception, asyncio.CancelledError) as error:  # asyncio would report it, too, and go on
            if not self.dead:
                self.host.callback_raised(error)
        world.turning = None
        host.ran_s += self._local_s - world.now
        if self.dead:
            return
        if ready and not self._stopped:
            world.at_next(self._local_s, self._turn)
        else:
            self._queued = False

    # ------------------------------------------------------------------------------------------------------- from outside

    def stop_running(self, undo: Callable[[], None] | None = None) -> None:
        """Stop, like SIGSTOP: nothing runs, and everything queues up.

        A process that stops itself gives `undo`. Its callback under way finishes, but nothing of the rest is seen before the
        process continues: what is sent waits, and if the process dies before, `undo` takes back what else it did.
        """
        if not self._stopped:
            self._undo = undo
            self._stopped, self._stopped_s = True, self.time()
            self._local_s = self._stopped_s + _INSTANT_S

    def go_on(self) -> None:
        """Continue, like SIGCONT.

        Real loops take what has arrived first, and then the timers that are due. This one does so or keeps the order in which
        all of it came, as if it had woken up in between.
        """
        self._stopped, self._stopped_s, self._undo = False, inf, None
        held, self._held = self._held, []
        for act, args in held:
            act(*args)
        if len(self._ready) > 1 and self.host.reads_first():
            came = sorted(self._ready, key=lambda handle: isinstance(handle, Timer))
            self._ready.clear()
            self._ready.extend(came)
        if self._ready and not self._queued:
            self._queued = True
            self.world.at(self._local_s, self._turn)

    @property
    def stopped(self) -> bool:
        return self._stopped

    @property
    def halted(self) -> bool:
        """Whether the process has stopped itself: it may be ahead of what has happened."""
        return self._undo is not None

    def tell(self, act: Callable[..., object], *args: Any) -> None:
        """Do something that others see: now, or if the process has just stopped itself, once it goes on."""
        if self._stopped:
            self._held.append((act, args))
        else:
            act(*args)

    def drop(self, died_s: float) -> None:
        """The life is over since `died_s`."""
        self.dead = True
        self.dies_at_s = min(self._stopped_s, died_s)
        self._ready.clear()
        if self._undo is not None:
            self._undo()

    # ----------------------------------------------------------------------------------- what asyncio's own code asks of a loop

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def create_future(self) -> asyncio.Future[Any]:
        return CountedFuture(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        task = CountedTask(coro, loop=self, name=name or "task", context=context)
        self.world.hold_task(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, HostDied) or self.dead:
            return
        self.host.complain(f"{context.get('message')}: {type(error).__name__}: {error}" if error else str(context))

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.call_exception_handler(context)

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., object], *args: Any
    ) -> asyncio.Future[Any]:
        """Run a function in a thread of `node.thread`. The harness's own host may use others: there it takes no time."""
        if isinstance(executor, SimulatedThread):
            return asyncio.wrap_future(executor.submit(func, *args), loop=self)
        if not self.host.threads:
            refuse(f"runs {func!r} in a thread of {self.host.name}; nodes have `node.thread`")
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # raise it in the caller, as a thread does
            done.set_exception(error)
        return done

    def add_signal_handler(  # type: ignore[override]
        self, sig: int, callback: Callable[..., object], *args: Any
    ) -> None:
        self.on_signal[sig] = callback, args

    def remove_signal_handler(self, sig: int) -> bool:
        return self.on_signal.pop(sig, None) is not None

    async def create_server(
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        return self.host.network.listen(self, (host, port), protocol_factory)

    async def create_connection(
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        return await self.host.network.connect(self, (host, port), protocol_factory)
