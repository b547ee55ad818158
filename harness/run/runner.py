"""One run of one drill: start the system, load it, break it on schedule, heal it, and judge what was recorded."""

from __future__ import annotations

import asyncio
import shutil
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol, cast

import msgspec
import pandas as pd

from harness.checkers.calls_done import calls_done
from harness.checkers.faults_acted import faults_acted
from harness.checkers.generator_kept_up import generator_kept_up
from harness.checkers.guard_held import STOPPED, guard_held
from harness.checkers.nodes_stayed_up import nodes_stayed_up
from harness.cluster.cluster import Cluster, Event, prepare
from harness.cluster.fault_plane import PlaneKind
from harness.cluster.interrupts import run_to_its_end
from harness.http.client import HttpClient
from harness.http.message import Response, TransportError
from harness.model.codec import describe
from harness.model.drill import Drill
from harness.model.errors import HarnessError
from harness.model.guard import Guard, Look, Watch
from harness.model.history import History
from harness.model.invocation import Invocation
from harness.model.reasons import reasons
from harness.model.slo import SLO
from harness.model.system import CLIENT
from harness.model.verdict import Checker, Verdict
from harness.run import provenance, schedule_file
from harness.run.catalog import NamedDrill
from harness.run.injector import Watcher, WindowRecord, hold
from harness.run.node_logs import count_from
from harness.run.schedule import PlannedWindow, plan
from harness.run.schedule_file import SCHEDULE
from harness.run.training import trained, with_control
from results.analysis.judge import judge
from results.analysis.metrics import measure
from results.record.result import VERSION, CheckResult, Result, faults_of, verdict_of
from results.record.store import new_run_dir, save
from workloads.load.generator import OPLOG, Begin, Progress, Task
from workloads.load.oplog import read_oplog

ALWAYS: Final[tuple[Checker, ...]] = (calls_done, nodes_stayed_up, faults_acted, generator_kept_up)
"""What every run is checked for, besides what its drill asks."""

SEED_BITS: Final = 31
"""A seed that is not given is drawn from so many bits: short enough to be read out."""

_LEAD_S: Final = 0.2
"""Between "begin" and the first call, so that every part has heard it."""
_FULL_BYTES: Final = 4096
_TICK_S: Final = 0.25
_PLANE_TICK_S: Final = 1.0
_OVERTIME_S: Final = 120.0
"""A run that is not over this long after its load is stuck."""


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """What is to be run: a drill with its name, title and seed, on a fault plane."""

    name: str
    title: str
    drill: Drill
    seed: int
    plane: PlaneKind = "embedded"
    windows: tuple[PlannedWindow, ...] | None = None
    """The schedule to carry out; None if the drill and the seed decide."""
    invocation: Invocation | None = None
    """The command that orders the same run again; None if the drill is not in a file."""


def run_spec_of(
    named: NamedDrill, seed: int, settings: Sequence[str], plane: PlaneKind, schedule: Path | None = None
) -> RunSpec:
    """The order for a drill of the catalogue, with its own schedule or that of a file.

    `settings` are those that were applied to the drill already; the invocation repeats them.
    """
    return RunSpec(
        name=named.name,
        title=named.title,
        drill=named.drill,
        seed=seed,
        plane=plane,
        windows=schedule_file.read(schedule, named.drill) if schedule else None,
        invocation=Invocation(
            drill=named.again,
            seed=seed,
            settings=tuple(settings),
            fault_plane=plane,
            schedule=None if schedule is None else str(schedule),
        ),
    )


class Observer(Watcher, Protocol):
    """Whoever watches a run: the terminal, the web UI, nobody."""

    def on_start(self, order: RunSpec, windows: Sequence[PlannedWindow]) -> None: ...

    def on_progress(self, at_s: float, progress: Progress) -> None: ...


class NullObserver:
    """An observer that does nothing."""

    def on_start(self, order: RunSpec, windows: Sequence[PlannedWindow]) -> None: ...

    def on_progress(self, at_s: float, progress: Progress) -> None: ...

    def on_window(self, record: WindowRecord) -> None: ...


@dataclass(frozen=True, kw_only=True)
class CompletedRun:
    """A run that is over, and where it is kept."""

    run_dir: Path
    result: Result
    history: History


def run(order: RunSpec, *, runs: Path, observer: Observer | None = None) -> CompletedRun:
    """Run a drill and keep the run under `runs`. Whatever happens, nothing that was started is left running.

    Raises `HarnessError` where no verdict can be given: a node that does not start, a fault plane that dies, a full disk.
    """
    started = datetime.now(UTC)
    begun_s = time.monotonic()
    for value in (order.drill.system, order.drill.workload):
        describe(value)  # what cannot travel to the generator is a mistake in the drill: say so before the start
    prepare(order.drill.system, hosts=order.drill.hosts)  # not yet in the event loop, so that Ctrl-C ends it at once
    run_dir = new_run_dir(runs, order.name, order.seed, started)
    try:
        recorded = run_to_its_end(_record(order, run_dir, observer or NullObserver()))
    except OSError as error:
        raise HarnessError(f"The run in {run_dir} broke off: {error.strerror or error}.") from error
    except HarnessError as error:
        if shutil.disk_usage(run_dir).free < _FULL_BYTES:  # then whatever failed could not even say so
            raise type(error)(f"{error} No space left on device: the run is kept in {run_dir}.") from error
        raise
    recorded = with_control(order.drill.system, recorded)
    result = _conclude(order, recorded, started, time.monotonic() - begun_s)
    save(run_dir, result, recorded)
    return CompletedRun(run_dir=run_dir, result=result, history=recorded)


def check(history: History, checks: Iterable[Checker]) -> tuple[CheckResult, ...]:
    """What each checker finds in a history."""
    found = []
    for checker in checks:
        try:
            verdict = checker(history)
        except Exception as error:  # anybody's code; the run is worth keeping all the same
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(last.filename).name}, line {last.lineno}"
            verdict = Verdict(valid=None, why=f"the check itself failed: {type(error).__name__}: {error} ({where})")
        found.append(CheckResult(name=checker.__name__, valid=verdict.valid, why=verdict.why, ops=verdict.ops))
    return tuple(found)


async def _record(order: RunSpec, run_dir: Path, observer: Observer) -> History:
    """Everything up to the history: the run itself."""
    drill = order.drill
    windows = plan(drill, order.seed) if order.windows is None else order.windows
    (run_dir / SCHEDULE).write_bytes(schedule_file.encode(windows, order.name, order.seed))
    limit_s = drill.load.seconds + _OVERTIME_S
    try:
        async with (
            asyncio.timeout(limit_s),
            Cluster.opened(drill.system, run_dir, seed=order.seed, plane=order.plane, hosts=drill.hosts) as cluster,
        ):
            observer.on_start(order, windows)
            generator = _GeneratorControl(cluster)
            start_ns = await generator.start(drill, order.seed)
            guard = None if drill.guard is None else Guard.parse(drill.guard)
            records, stopped = await _drive(cluster, generator, windows, start_ns, observer, guard)
            await generator.finish(asking=not stopped)
            ops = read_oplog((run_dir / "nodes" / CLIENT / OPLOG).read_bytes(), start_ns)
            history = await _history(cluster, ops, records, start_ns)
    except BaseExceptionGroup as group:
        raise _first(group) from group
    except TimeoutError as error:
        raise HarnessError(
            f"{order.name} was not over after {limit_s:g} s and was ended. See the logs in {run_dir}."
        ) from error
    count_from(start_ns, run_dir / "nodes")  # only now: until the nodes have ended, they write there
    return history


async def _drive(
    cluster: Cluster,
    generator: _GeneratorControl,
    windows: Sequence[PlannedWindow],
    start_ns: int,
    observer: Observer,
    guard: Guard | None,
) -> tuple[list[WindowRecord], bool]:
    """The time of the load: every window on schedule, until the load is over and all is healed; whether a guard stopped it."""
    stopped = asyncio.Event()

    async def watch_load() -> None:
        watch = Watch(guard) if guard else None
        while not (progress := await generator.progress()).finished:
            now_ns = time.monotonic_ns()
            at_s = (now_ns - start_ns) / 1e9
            observer.on_progress(at_s, progress)
            look = Look(at_s=at_s, due=progress.due, ok=progress.ok, latencies_ms=progress.latencies_ms)
            if watch and guard and (passed := watch.passed(look)):
                cluster.events.append(Event(at_ns=now_ns, node="", kind=STOPPED, detail=f"{passed} (guard: {guard.text})"))
                stopped.set()
                await generator.stop()
                return
            await asyncio.sleep(_TICK_S)

    async def watch_plane() -> None:
        while True:
            await cluster.links.plane.check()
            await asyncio.sleep(_PLANE_TICK_S)

    async with asyncio.TaskGroup() as tasks:
        watching = [tasks.create_task(cluster.lost()), tasks.create_task(watch_plane())]
        held = [tasks.create_task(hold(cluster, window, start_ns, observer, stopped)) for window in windows]
        # Not gather: where the run breaks off, that would cancel every window once more, amid its healing.
        await asyncio.wait([tasks.create_task(watch_load()), *held])
        for task in watching:
            task.cancel()
    return [task.result() for task in held], stopped.is_set()


class _GeneratorControl:
    """The load generator, as the runner talks to it."""

    def __init__(self, cluster: Cluster) -> None:
        self._client = HttpClient(cluster.address(CLIENT))

    async def start(self, drill: Drill, seed: int) -> int:
        """Begin the load; returns when it begins, in nanoseconds of the monotonic clock."""
        system, workload = describe(drill.system), describe(drill.workload)
        await self._post("/prepare", Task(system=system, workload=workload, load=drill.load, seed=seed))
        start_ns = time.monotonic_ns() + round(_LEAD_S * 1e9)
        await self._post("/start", Begin(start_ns))
        return start_ns

    async def progress(self) -> Progress:
        return (await self._ask("GET", "/progress", b"")).decode(Progress)

    async def stop(self) -> None:
        """End the load now."""
        await self._post("/stop", None)

    async def finish(self, *, asking: bool) -> None:
        """The final calls, unless nothing more is to be asked; then the log is written."""
        if asking:
            await self._post("/final", None)
        await self._post("/save", None)
        self._client.close()

    async def _post(self, path: str, body: object) -> None:
        await self._ask("POST", path, msgspec.json.encode(body))

    async def _ask(self, method: str, path: str, body: bytes) -> Response:
        try:
            response = await self._client.request(method, path, body, timeout_s=_OVERTIME_S)
        except TransportError as error:
            raise HarnessError(f"The load generator did not answer {method} {path}: {error}.") from error
        if response.status != 200:
            reason = response.body.decode(errors="replace")
            raise HarnessError(f"The load generator refused {method} {path}: {reason}")
        return response


async def _history(cluster: Cluster, ops: pd.DataFrame, records: Sequence[WindowRecord], start_ns: int) -> History:
    windows: list[dict[str, object]] = []
    for record in records:
        row: dict[str, object] = msgspec.to_builtins(record)
        for name in ("injected_ns", "healed_ns"):
            value = getattr(record, name)
            row[name] = None if value is None else value - start_ns
        windows.append(row)
    events: list[dict[str, object]] = [
        {"at_ns": event.at_ns - start_ns, "node": event.node, "kind": event.kind, "detail": event.detail}
        for event in cluster.events
    ]
    links: list[dict[str, object]] = [
        {
            "link": name,
            "connections": counters.connections,
            "received_bytes": sum(counters.received_bytes.values()),
            "sent_bytes": sum(counters.sent_bytes.values()),
        }
        for name, counters in (await cluster.links.counters()).items()
    ]
    log = trained(cluster, start_ns)
    events = sorted([*events, *log.events], key=lambda event: cast(int, event["at_ns"]))
    return History.of(ops, windows, events, links, log.steps)


def _conclude(order: RunSpec, history: History, started: datetime, duration_s: float) -> Result:
    drill = order.drill
    parsed = [SLO.parse(text) for text in drill.slos]
    measured = measure(history, parsed, drill.load.seconds)
    guard = [guard_held] if drill.guard else []  # first: where it stopped the drill, that is why others cannot decide
    checks = check(history, dict.fromkeys((*guard, *drill.checks, *ALWAYS)))
    slos = tuple(judge(slo, measured) for slo in parsed)
    return Result(
        drill=order.name,
        title=order.title,
        seed=order.seed,
        verdict=verdict_of(checks, slos),
        checks=checks,
        slos=slos,
        metrics=measured.metrics(),
        errors=reasons(history.load),
        recoveries=measured.recoveries,
        faults=faults_of(history),
        rerun="" if order.invocation is None else order.invocation.line(),
        version=VERSION,
        invocation=order.invocation,
        started_utc=started.isoformat(timespec="seconds"),
        duration_s=round(duration_s, 3),
        machine=provenance.machine(),
        versions=provenance.versions(),
        commit=provenance.commit(),
        fault_plane=order.plane,
        expected="pass" if drill.caught_by is None else "fail",
        caught_by=None if drill.caught_by is None else drill.caught_by.__name__,
    )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that says most: the harness's own before any other, the first otherwise."""
    leaves: list[BaseException] = []
    todo: list[BaseException] = [group]
    while todo:
        error = todo.pop(0)
        if isinstance(error, BaseExceptionGroup):
            todo.extend(error.exceptions)
        else:
            leaves.append(error)
    return next((leaf for leaf in leaves if isinstance(leaf, HarnessError)), leaves[0])
