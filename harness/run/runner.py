"""One run of one drill: start the system, load it, break it on schedule, heal it, and judge the recorded history."""

from __future__ import annotations

import asyncio
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from harness.cluster.cluster import Cluster, prepare
from harness.cluster.interrupts import run_to_its_end
from harness.cluster.usage import UsageLog
from harness.model.codec import describe
from harness.model.drill import Drill
from harness.model.errors import HarnessError, broke_off
from harness.model.guard import Guard
from harness.model.history import History
from harness.model.system import CLIENT, START_TIMEOUT_S
from harness.run import schedule_file
from harness.run.driver import LOOK_EVERY_S, drive
from harness.run.first_error import first_of
from harness.run.generator_client import GeneratorClient
from harness.run.judging import conclude
from harness.run.node_logs import count_from
from harness.run.observer import NullObserver, Observer
from harness.run.recording import history_of
from harness.run.schedule import plan
from harness.run.schedule_file import SCHEDULE
from harness.run.settled import MOST_S, SETTLE_S, left
from harness.run.spec import RunSpec
from harness.run.training import with_control
from results.record.result import Result
from results.record.store import new_run_dir, save
from workloads.load.fits import check_drill
from workloads.load.generator import OPLOG
from workloads.load.oplog import read_oplog

_FULL_BYTES: Final = 4096
_OVERTIME_S: Final = 90.0
"""The time for the final calls, which are over after a minute, and for everything else that has no limit of its own."""


@dataclass(frozen=True, kw_only=True)
class CompletedRun:
    """A completed run, and where it is kept."""

    run_dir: Path
    result: Result
    history: History


def run(spec: RunSpec, *, runs: Path, observer: Observer | None = None) -> CompletedRun:
    """Run a drill and keep the run under `runs`. Whatever happens, nothing that was started is left running.

    Raises `HarnessError` if no verdict can be given: a node that does not start, a fault plane that dies, a full disk.
    """
    check_drill(spec.drill.load)
    started = datetime.now(UTC)
    begun_s = time.monotonic()
    for value in (spec.drill.system, spec.drill.workload):
        describe(value)  # if it cannot be sent to the generator, the drill is wrong: say so before the start
    prepare(spec.drill.system, namespaces=spec.drill.namespaces)  # before the event loop, so that Ctrl-C ends it at once
    run_dir = new_run_dir(runs, spec.name, spec.seed, started)
    try:
        recorded = run_to_its_end(_record(spec, run_dir, observer or NullObserver()))
    except OSError as error:
        raise broke_off(str(run_dir), error) from error
    except HarnessError as error:
        if shutil.disk_usage(run_dir).free < _FULL_BYTES:  # the disk is the likely cause, and no log could record it
            raise type(error)(f"{error} No space left on device: the run is kept in {run_dir}.") from error
        raise
    recorded = with_control(spec.drill.system, recorded)
    result = conclude(spec, recorded, started, time.monotonic() - begun_s)
    save(run_dir, result, recorded)
    return CompletedRun(run_dir=run_dir, result=result, history=recorded)


def limit_s(drill: Drill) -> float:
    """How long a run of a drill may take, from the start of its system to its end; then it is stuck.

    Nodes may start late, and again after the last fault; a call may be given up late, of the load and of the final calls.
    """
    starts_s = max((node.starts_within_s for node in drill.system.nodes()), default=START_TIMEOUT_S)
    return drill.load.seconds + 2 * (starts_s + drill.load.timeout_ms / 1e3) + _OVERTIME_S


async def _record(spec: RunSpec, run_dir: Path, observer: Observer) -> History:
    """The run itself, up to its history."""
    drill = spec.drill
    windows = plan(drill, spec.seed) if spec.windows is None else spec.windows
    (run_dir / SCHEDULE).write_bytes(schedule_file.encode(windows, spec.name, spec.seed))
    try:
        async with (
            asyncio.timeout(limit_s(drill)),
            Cluster.opened(drill.system, run_dir, seed=spec.seed, plane=spec.plane, namespaces=drill.namespaces) as cluster,
        ):
            observer.on_start(spec, windows)
            generator, usage = GeneratorClient(cluster.address(CLIENT), cluster.lost), UsageLog(cluster)
            await usage.look()
            start_ns = await generator.start(drill, spec.seed)
            guard = None if drill.guard is None else Guard.parse(drill.guard)
            watching = (cluster.lost(), cluster.links.plane.watch(), _keep_looking(usage))
            records, stopped = await drive(cluster, generator, watching, windows, start_ns, observer, guard, cluster.note)
            await usage.look()  # the last fault may have ended only now, and started a node again
            await generator.finish(drill.system, asking=not stopped)
            await usage.last_look(left, SETTLE_S, MOST_S)
            ops = read_oplog((run_dir / "nodes" / CLIENT / OPLOG).read_bytes(), start_ns)
            history = await history_of(cluster, ops, records, usage.rows, start_ns)
    except BaseExceptionGroup as group:
        raise first_of(group) from group
    except TimeoutError as error:
        raise HarnessError(
            f"{spec.name} was not over after {limit_s(drill):g} s and was ended. See the logs in {run_dir}."
        ) from error
    count_from(start_ns, run_dir / "nodes")  # only now: the nodes write there until they end
    return history


async def _keep_looking(usage: UsageLog) -> None:
    while True:
        await usage.look()
        await asyncio.sleep(LOOK_EVERY_S)
