"""The load generator: a separate process that makes the calls on time and logs how they ended.

`POST /prepare` with a `Task` comes first, then `POST /start` with the monotonic time to begin at; `GET /progress` says how far
it is; `POST /stop` ends the load early; `POST /final` makes the calls after everything is healed; `POST /save` writes the log.
The reader of the log computes latency from `due_ns`, so that a system that stops cannot hide the calls that queued up
meanwhile (coordinated omission; Tene, "How NOT to Measure Latency", 2013).
"""

from __future__ import annotations

import asyncio
import traceback
from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice
from pathlib import PurePath
from typing import Final, cast

import msgspec

from harness.http.message import Request, Response, TransportError
from harness.model.codec import Described, restore
from harness.model.load import NEVER_SENT, Load
from harness.model.seeds import stream
from harness.model.system import (
    Answer,
    Call,
    CallFailed,
    Client,
    HasAttempts,
    HasUnderWay,
    Outcome,
    OutcomeUnknown,
    System,
)
from harness.model.workload import Drains, HasFinalCalls, Workload
from harness.node.context import NodeContext
from harness.node.machine import Pacer
from workloads.load.oplog import OpLog

OPLOG: Final = "ops.msgpack"
UNUSABLE: Final = 422
"""The status if the workload or the system's client, which are user code, break or make what cannot be used."""
FINAL_CALLS_DEADLINE_S: Final = 10.0
"""How long final calls are made again that failed, or left something."""
FINAL_CALLS_END_S: Final = 60.0
"""After this long, those that are left are not made. A system that is down at the end would let each time out, one by one."""
_FINAL_PAUSE_S: Final = 0.05
_LEFT_OUT: Final = f"not sent: final calls were over after {FINAL_CALLS_END_S:g} s"


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """The load to generate."""

    system: Described
    workload: Described
    load: Load
    seed: int


class Begin(msgspec.Struct, frozen=True):
    """When to begin, in nanoseconds of the monotonic clock."""

    start_ns: int


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the load is. The latencies are those of the calls that ended since the last `GET /progress`."""

    due: int
    ok: int
    failed: int
    unknown: int
    finished: bool
    latencies_ms: list[float]


class Generator:
    """One load, made by its clients. A client takes the next call when it is free, and waits until the call is due."""

    def __init__(self, node: NodeContext, task: Task) -> None:
        from workloads.load.arrivals import due_ns  # NumPy takes its time, and nodes are forked from what has imported this

        self._node = node
        self._now_ns = node.monotonic_ns
        self._load = task.load
        self._system = cast(System, restore(task.system))
        self._workload = cast(Workload, restore(task.workload))
        self._due: list[int] = due_ns(task.load, stream(task.seed, "arrivals")).tolist()
        self._calls = list(islice(self._workload.calls(stream(task.seed, "calls")), len(self._due)))
        if len(self._calls) < len(self._due):
            raise ValueError(f"the workload ends after {len(self._calls)} calls; this load needs {len(self._due)}")
        _check_calls(self._calls)
        load = task.load
        self._clients = [self._system.client(index, load.reached(index, node.peers)) for index in range(load.clients)]
        self._asking_again = [client if isinstance(client, HasAttempts) else None for client in self._clients]
        self._under_way = [client if isinstance(client, HasUnderWay) else None for client in self._clients]
        self._left = 0
        """How many calls were over before their requests."""
        if any(self._under_way):
            node.report_unsettled(lambda: {"calls that were over before their requests": self._left})
        self._log = OpLog()
        self._next = 0
        self._counts: dict[Outcome, int] = {"ok": 0, "failed": 0, "unknown": 0}
        self._recent_ms: list[float] = []
        self._running: asyncio.Task[None] | None = None
        self._stopped = False
        self.finished = False

    def start(self, start_ns: int) -> None:
        """Begin at a time in the future."""
        self._pacer = self._node.pacer()
        self._due = [start_ns + at_ns for at_ns in self._due]
        self._node.settle()
        self._running = asyncio.create_task(self._run(start_ns))

    def progress(self) -> Progress:
        """How far the load is. Raises the error that ended it too early, such as one of the client's own code."""
        if self._running is not None and self._running.done():
            self._running.result()
        now_ns, recent = self._now_ns(), self._recent_ms
        self._recent_ms = []
        due = bisect_right(self._due, now_ns)
        return Progress(due=due, finished=self.finished, latencies_ms=recent, **self._counts)

    async def final(self) -> int:
        """Make the workload's final calls, each until it succeeds and leaves nothing; returns how many there were.

        After the first deadline none is made again, and after the second one none at all.
        """
        calls = list(self._workload.final_calls()) if isinstance(self._workload, HasFinalCalls) else []
        _check_calls(calls)
        give_up_s = self._node.clock() + FINAL_CALLS_DEADLINE_S
        end_s = self._node.clock() + FINAL_CALLS_END_S

        async def use(index: int) -> None:
            for call in calls[index :: len(self._clients)]:
                while True:
                    if self._node.clock() >= end_s:
                        self._record(call, "final", index, Answer(), "failed", _LEFT_OUT, (self._now_ns(),) * 4)
                        break
                    answer = await self._invoke(index, call, self._now_ns(), "final")
                    if (answer is not None and not self._left_more(answer)) or self._node.clock() >= give_up_s:
                        break
                    if answer is None:
                        await asyncio.sleep(_FINAL_PAUSE_S)

        async with asyncio.TaskGroup() as clients:
            for index in range(len(self._clients)):
                clients.create_task(use(index))
        return len(calls)

    def _left_more(self, answer: Answer) -> bool:
        return isinstance(self._workload, Drains) and self._workload.left_more(answer)

    def save(self) -> None:
        """Write the log of all calls that are over."""
        self._node.disk.replace(OPLOG, self._log.encode())

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
        for client in self._clients:
            await client.close()

    async def stop(self) -> None:
        """Make no more calls; returns when those in progress are over."""
        self._stopped = True
        if self._running is not None and not self.finished:
            self._pacer.wake_all()
            await asyncio.wait([self._running])

    async def _run(self, start_ns: int) -> None:
        pacer = self._pacer
        end_ns = start_ns + round(self._load.seconds * 1e9)
        # Calls that queued up behind a slow system are still sent for one more timeout; after that they are given up.
        last_ns = end_ns + round(self._load.timeout_ms * 1e6)
        async with asyncio.TaskGroup() as clients:
            for index in range(len(self._clients)):
                clients.create_task(self._use(index, pacer, last_ns))
        pacer.close()
        self.finished = True

    async def _use(self, index: int, pacer: Pacer, last_ns: int) -> None:
        """One client's life: take the next call, wait until it is due, make it."""
        free_ns = 0
        while self._next < len(self._due) and not self._stopped:
            number = self._next
            self._next += 1
            due, call = self._due[number], self._calls[number]
            await pacer.sleep_until(due)
            if self._stopped:
                return
            ready = max(due, free_ns)
            if (now_ns := self._now_ns()) > last_ns:
                self._record(call, "load", index, Answer(), "failed", NEVER_SENT, (due, ready, now_ns, now_ns))
            else:
                await self._invoke(index, call, due, "load", ready)
            free_ns = self._now_ns()

    async def _invoke(self, index: int, call: Call, due: int, phase: str, ready: int | None = None) -> Answer | None:
        """Make a call and log it. Returns its answer; None if it brought none."""
        client: Client = self._clients[index]
        answer = Answer()
        outcome: Outcome = "ok"
        error: str | None = None
        sent = self._now_ns()
        limit = asyncio.timeout(self._load.timeout_ms / 1e3)
        try:
            async with limit:
                answer = await client.invoke(call)
        except CallFailed as reason:
            outcome, error = "failed", str(reason)
        except OutcomeUnknown as reason:
            outcome, error, answer = "unknown", str(reason), Answer(reason.value)
        except TimeoutError as reason:
            own = f": {reason}" if str(reason) else ""
            outcome, error = "unknown", f"the client gave up before the load's timeout{own}"
            if limit.expired():
                error = f"no answer within {self._load.timeout_ms:g} ms"
        except asyncio.CancelledError as reason:
            task = asyncio.current_task()
            if task is None or task.cancelling():  # the run ends
                raise
            outcome, error = "unknown", f"what the client waited for was cancelled{_where(reason)}"
        except Exception as reason:  # whatever went wrong, the call may have taken effect
            outcome, error = "unknown", f"{type(reason).__name__}: {reason}{_where(reason)}"
        if not _is_answer(answer):
            outcome, error, answer = "unknown", f"invoke must return an Answer with a text or None, not {answer!r}", Answer()
        asking = self._under_way[index]
        self._left += asking is not None and asking.under_way > 0
        times_ns = (due, due if ready is None else ready, sent, self._now_ns())
        again = self._asking_again[index]
        self._record(call, phase, index, answer, outcome, error, times_ns, 1 if again is None else again.attempts)
        return answer if outcome == "ok" else None

    def _record(
        self,
        call: Call,
        phase: str,
        index: int,
        answer: Answer,
        outcome: Outcome,
        error: str | None,
        times_ns: tuple[int, int, int, int],
        attempts: int = 1,
    ) -> None:
        written = answer.value is None and call.expected is None
        value = call.value if written else answer.value
        self._log.add(
            call,
            phase=phase,
            client=index,
            value=value,
            outcome=outcome,
            error=None if error is None else error.encode(errors="backslashreplace").decode(),
            node=answer.node,
            attempts=attempts,
            times_ns=times_ns,
        )
        if phase == "load":
            self._counts[outcome] += 1
            if outcome != "failed":
                self._recent_ms.append((times_ns[3] - times_ns[0]) / 1e6)


def _check_calls(calls: Sequence[object]) -> None:
    """Raise `ValueError` about a call that cannot be logged. A workload is user code, so its types are not to be relied on."""
    if odd := [call for call in calls if not _is_call(call)]:
        raise ValueError(f"the workload makes {odd[0]!r}; kind and key must be texts, and value and expected texts or None")


def _is_call(call: object) -> bool:
    return isinstance(call, Call) and _are_texts((call.kind, call.key), (call.value, call.expected))


def _is_answer(answer: object) -> bool:
    """Whether this is an answer that can be logged. A client is user code, too."""
    return isinstance(answer, Answer) and _are_texts((answer.node,), (answer.value,))


def _are_texts(texts: Sequence[object], or_none: Sequence[object]) -> bool:
    return all(map(_is_text, texts)) and all(one is None or _is_text(one) for one in or_none)


def _is_text(value: object) -> bool:
    """Whether this is a text that can be written: one with half of a surrogate pair, which JSON may hold, cannot."""
    try:
        return isinstance(value, str) and (value.isascii() or bool(value.encode()))
    except UnicodeEncodeError:
        return False


def _where(error: BaseException) -> str:
    """Where in the user's own file an error was raised, unless it is a network error."""
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    frames = [(file, line) for file, line in frames if file != __file__]
    if isinstance(error, OSError | TransportError) or not frames:
        return ""
    line = next(line for file, line in reversed(frames) if file == frames[0][0])
    return f" ({PurePath(frames[0][0]).name}, line {line})"


def _first(error: Exception) -> str:
    """What the error says, or the first one of a group, and where it was raised."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}{_where(error)}"


async def main(node: NodeContext) -> None:
    """Answer the runner's requests until the run is over."""
    generator: Generator | None = None

    async def handle(request: Request) -> Response:
        try:
            return await answer(request)
        except Exception as error:  # the user's code: a system, a client, a workload
            traceback.print_exc()
            return Response(UNUSABLE, _first(error).encode())

    async def answer(request: Request) -> Response:
        nonlocal generator
        match request.method, request.path:
            case "POST", "/prepare":
                generator = Generator(node, request.decode(Task))
                return Response.json({})
            case _ if generator is None:
                return Response(409, b"nothing is prepared: POST /prepare first")
            case "POST", "/start":
                generator.start(request.decode(Begin).start_ns)
                return Response.json({})
            case "GET", "/progress":
                return Response.json(generator.progress())
            case "POST", "/stop":
                await generator.stop()
                return Response.json({})
            case "POST", "/final":
                return Response.json({"calls": await generator.final()})
            case "POST", "/save":
                try:
                    generator.save()
                except OSError as error:
                    return Response(507, f"cannot write the op log: {error.strerror}".encode())
                return Response.json({})
            case _:
                return Response(404, b"no such route")

    try:
        await node.serve(handle)
    finally:
        if generator is not None:
            await generator.close()
