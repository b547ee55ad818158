"""The context of node code, and how it runs: a node is a module with `async def main(node: NodeContext) -> None`.

Node code takes monotonic time from the running loop, and wall-clock time, randomness, network and disk only from `node`. So
the same code runs on a simulated loop (`harness.simulation`).
"""

from __future__ import annotations

import asyncio
import importlib
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from random import Random
from typing import Final, TypeVar, cast

import msgspec
import uvloop

from harness.http import batched_server
from harness.http.batched_server import BatchHandler, RequestBatch
from harness.http.message import Request, Response
from harness.http.moments import set_watch
from harness.http.pool import OpenConnections, account
from harness.http.server import Handler, connection, listen
from harness.http.writing import encode_response
from harness.model.seeds import stream
from harness.model.steering import Counter, Setting
from harness.model.system import Address
from harness.node.disk import Disk
from harness.node.journal import Journal
from harness.node.machine import Machine, Pacer, RealMachine
from harness.node.moments import Moments

T = TypeVar("T")

NODE_PATH: Final = "/-/node"
SHARED: Final = "shared"
"""The folder of a run whose folders all its nodes share."""


class NodePage(msgspec.Struct, frozen=True, kw_only=True):
    """Every node's report about itself at `NODE_PATH`."""

    name: str
    pid: int
    time_ns: int
    """The time on its wall clock."""
    tasks: int
    """Unfinished tasks of its event loop."""
    connections: OpenConnections
    unsettled: dict[str, int] | None = None
    """The counts of `NodeContext.report_unsettled` that are not 0; None if the node does not report any."""


class NodeSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a node's process needs, as sent to the warden. Exactly one of `code` and `command` is set."""

    name: str
    start: int
    """How often this node was started before in this run; each start has its own random stream."""
    host: str
    port: int
    data: str
    log: str
    seed: int
    code: str | None = None
    command: tuple[str, ...] = ()
    setup: str | None = None
    """The module that prepares each start of a foreign program; see `harness.model.system.Node`."""
    internal_port: int | None = None
    """The port on which a foreign program listens for other nodes, if it has a separate one."""
    peers: dict[str, Address] = {}
    config: dict[str, object] = {}
    control: str | None = None
    """The file of the control page, which steers disk and clock; None if no fault can target this node."""
    clock: str | None = None
    """The file with the error of a foreign program's clock; None if its clock is right."""
    network: str | None = None
    """The file of its network namespace; None for the warden's."""
    events: str | None = None
    """The file of the events that the node reports; None if they are not recorded."""


class NodeContext:
    """One node, seen from inside its own process."""

    def __init__(self, spec: NodeSpec, machine: Machine | None = None) -> None:
        """Run on `machine`, the real one if none is given."""
        self._machine = machine = machine or RealMachine(_path(spec.control), _path(spec.events))
        self.name = spec.name
        self.listen: Address = (spec.host, spec.port)
        self.peers: Mapping[str, Address] = spec.peers
        """The address at which to reach each peer: that of its link, not the peer's own."""
        self.random: Random = stream(spec.seed, f"{spec.name}/{spec.start}")
        self.data = Path(spec.data)
        self.disk = Disk(machine.files(self.data))
        self.monotonic_ns: Callable[[], int] = machine.monotonic_ns
        """The monotonic clock in nanoseconds, shared by all processes of a machine; finer than `clock`."""
        self._config = spec.config
        self._shared: dict[str, Disk] = {}
        self._error_debt = 0
        self._unsettled: Callable[[], Mapping[str, int]] | None = None

    @property
    def moments(self) -> Moments:
        """The moments at which it stops itself, for its connections to check."""
        return self._machine.control.moments

    def shared(self, name: str) -> Disk:
        """A folder that all nodes of the run share, as on a network file system. This node's disk faults act on it.

        Whether data there is durable is tracked only for this node's own writes. It is the same object at each call: a write
        that fails leaves its file open for the next one.
        """
        if name not in self._shared:
            self._shared[name] = Disk(self._machine.files(self.data.parent.parent / SHARED / name))
        return self._shared[name]

    def config(self, kind: type[T]) -> T:
        """The node's settings with their types. Raises `msgspec.ValidationError` if they do not fit."""
        return msgspec.convert(self._config, kind)

    def clock(self) -> float:
        """Seconds of the loop's monotonic clock, for durations and timers. It is always right."""
        return asyncio.get_running_loop().time()

    def time(self) -> float:
        """Seconds since 1970 by this node's wall clock, which may be wrong, run fast or slow, and jump either way."""
        self._machine.control.count(Counter.CLOCK_READS)
        return self._time_ns() / 1e9

    def log(self, text: str) -> None:
        """Write a line to the node's log file."""
        self._machine.write_log(f"{self.clock():.3f} {self.name}: {text}")

    def request_failed(self, traceback: str) -> None:
        """Log that handling a request raised an error that nobody expected, and report it as an event, `internal_error`."""
        self.log(traceback)
        self.event("internal_error", traceback.rsplit("\n", 1)[-1])

    def event(self, kind: str, detail: object) -> None:
        """Report something that just happened inside the node: a row of the history's `events`, with `detail` as JSON.

        It is for checkers that look inside a system, such as those of `harness.model.consensus_events`. The event is written at
        once, so it survives even if the node is killed right after.
        """
        self._machine.write_event(self.monotonic_ns(), kind, detail)

    @property
    def memory_watched(self) -> bool:
        """Whether a fault waits for `computed`. If calling it is costly, do so only when this is true."""
        return self._machine.control.memory.armed

    def computed(self, name: str, contents: Sequence[memoryview]) -> None:
        """Report a value that was just computed or is kept in memory, so that a fault can flip bits of it (see `Flips`).

        `contents` are writable buffers that together hold the value called `name`, such as "gradient". Each flip is reported as
        an event, `bit_flipped`, before this returns. Costs next to nothing while there is no such fault.
        """
        for flipped in self._machine.control.memory.passes(name, contents):
            self.event("bit_flipped", {"of": name, **flipped._asdict()})

    def journal(self) -> Journal:
        """The journal that the system's `trained` reads; see `harness.model.system.HasSteps`."""
        return self._machine.journal(self.data)

    def thread(self) -> Executor:
        """A new thread for blocking calls, beside the loop: it runs what is submitted to it, one after another.

        In simulation it takes turns with the loop at each operation of its disk. End it with `shutdown`.
        """
        return self._machine.thread()

    def worked(self, seconds: float) -> None:
        """Say that the node has just computed something that takes about this long, so that it takes as long in simulation."""
        self._machine.worked(seconds)

    def pacer(self) -> Pacer:
        """A pacer that sleeps until exact times of `monotonic_ns`; the loop's own timers have millisecond resolution."""
        return self._machine.pacer()

    def show(self, state: Callable[[], object]) -> None:
        """Register a function that returns the node's state, for the system's invariant in simulation
        (`harness.model.simulated`)."""
        self._machine.show(state)

    def must_recover(self, forgotten: Callable[[Disk], str | None]) -> None:
        """Register a function that says what this node would have forgotten if it started on a disk; None if nothing.

        Simulation calls it again and again, also in the middle of the node's disk operations, with copies of `disk` as crashes
        at that moment may leave it: with what a power loss takes, but no other damage.
        """
        self._machine.must_recover(self.data, forgotten)

    def settle(self) -> None:
        """Collect garbage now and freeze what is left: collecting it later would show as latency."""
        self._machine.settle()

    def report_unsettled(self, tell: Callable[[], Mapping[str, int]]) -> None:
        """Register counts, by name, that must return to 0 once there are no requests and no faults; `/-/node` shows them.

        Examples are pending operations, waiting requests, and peers out of service. The check `all_settled` reads them at the
        end of a run, together with how many requests the node's handler has left without an answer, which stay for ever.
        """
        self._unsettled = tell

    async def serve(self, handler: Handler) -> None:
        """Answer requests on the node's own address until the node is stopped.

        `GET /-/node` is answered for every node with its `NodePage`, which proves that it is up.
        """

        await self._serve(await listen(self._identified(handler), self.listen, self.request_failed))

    def connection(self, handler: Handler) -> asyncio.Protocol:
        """As `serve`, for one connection that the node accepted itself, because it also speaks another protocol there."""
        return connection(self._identified(handler), self.request_failed)

    async def serve_batches(self, handler: BatchHandler) -> None:
        """As `serve`, for a handler that takes all requests of one read together: see `harness.http.batched_server`."""

        def handle(batch: RequestBatch) -> None:
            erring = self._machine.control[Setting.ERRORS_PERMILLE] > 0  # read once per batch: this is the hot path
            for message in batch.messages:
                if message.head.path == NODE_PATH:
                    message.answer = encode_response(self._identity())
                elif erring and self._errs():
                    message.answer = encode_response(self._error())
            handler(batch)

        await self._serve(await batched_server.listen(handle, self.listen, self.request_failed))

    def _identified(self, handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            if request.path == NODE_PATH:
                return self._identity()
            return self._error() if self._errs() else await handler(request)

        return handle

    def _errs(self) -> bool:
        """Whether to answer this request with an error: `ERRORS_PERMILLE` of a thousand requests, evenly spaced."""
        permille = self._machine.control[Setting.ERRORS_PERMILLE]
        if not permille:
            return False
        self._error_debt += min(permille, 1000)
        if self._error_debt < 1000:
            return False
        self._error_debt -= 1000
        self._machine.control.count(Counter.ERROR_ANSWERS)
        return True

    def _error(self) -> Response:
        return Response(self._machine.control[Setting.ERROR_STATUS] or 500, b"an injected error")

    async def _serve(self, server: asyncio.Server) -> None:
        self.log(f"listening on {self.listen[0]}:{self.listen[1]}")
        try:
            await asyncio.get_running_loop().create_future()  # until the node ends
        finally:
            server.close()  # and not `wait_closed`: from Python 3.12.1 on that waits for the clients to hang up

    def _identity(self) -> Response:
        page = NodePage(
            name=self.name,
            pid=self._machine.pid,
            time_ns=self._time_ns(),
            tasks=len(asyncio.all_tasks()),
            connections=account().seen(),
            unsettled=self._left(),
        )
        return Response.json(page)

    def _left(self) -> dict[str, int] | None:
        """The counts that are not 0; None if the node does not report any."""
        if self._unsettled is None:
            return None
        left = {**self._unsettled(), "requests without an answer": account().unanswered}
        return {what: n for what, n in left.items() if n}

    def _time_ns(self) -> int:
        return self._machine.time_ns() + self._machine.control.deviation_ns(self.monotonic_ns())


def _path(name: str | None) -> Path | None:
    return Path(name) if name else None


def run(spec: NodeSpec) -> None:
    """Run a node's code in this process until it ends or SIGTERM cancels it."""
    assert spec.code is not None  # noqa: S101 - the warden runs commands itself
    main = cast(Callable[[NodeContext], Awaitable[None]], importlib.import_module(spec.code).main)

    async def until_terminated() -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine run by a loop has one
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        node = NodeContext(spec)
        set_watch(node.moments)
        try:
            await main(node)
        except asyncio.CancelledError:
            return

    uvloop.run(until_terminated())
