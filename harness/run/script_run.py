"""One run of a user's training script: start it, break it on schedule, watch its steps, and leave nothing running."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from harness.cluster.fault_plane import EMBEDDED, PLANE, opened_plane
from harness.cluster.network_namespaces import NetworkNamespaces
from harness.cluster.ports import reserved
from harness.cluster.script.environment import ScriptEnvironment, journals_folder, launcher_spec
from harness.cluster.script.gatekeeper import Gatekeeper
from harness.cluster.script.journals import Journals
from harness.cluster.script.system import TorchScript
from harness.cluster.toxiproxy import FaultPlane
from harness.cluster.warden_client import WardenClient
from harness.model.errors import FaultError, HarnessError
from harness.model.fault_window import FaultWindow
from harness.run.injector import Watcher, hold
from harness.run.schedule import PlannedWindow, plan_faults
from harness.run.script_failure import aborted_at_exit, cause_of
from harness.run.script_spec import ORPHANS_S, Ended, ScriptRecord, ScriptSpec
from harness.run.script_start import LOOK_S, check_connected, check_faults, first_step, ranks_known
from results.analysis.lineage import place
from results.record.train_result import SCRIPT_LOG
from torch_drills.host import LAUNCHER


class ScriptRun:
    """A running script. Call `record`."""

    def __init__(self, spec: ScriptSpec, run_dir: Path, watcher: Watcher) -> None:
        self._spec = spec
        self._run_dir = run_dir
        self._watcher = watcher
        self._log = run_dir / SCRIPT_LOG
        self._journals = Journals(journals_folder(run_dir))
        self._gates = Gatekeeper(journals_folder(run_dir))
        self._planned: Sequence[PlannedWindow] = ()
        self._placed: set[int] = set()
        self._holding: set[str] = set()
        """The labels of the windows that hold now."""
        self._exit_code: int | None = None
        self._gone_ns: int | None = None
        self._lost: HarnessError | None = None

    async def record(self) -> ScriptRecord:
        """Run the script to its end. Raises a `HarnessError` if it makes no step, or the fault plane dies."""
        journals_folder(self._run_dir).mkdir()
        async with AsyncExitStack() as stack:
            [port] = stack.enter_context(reserved(1))
            machines = stack.enter_context(NetworkNamespaces.opened([LAUNCHER])) if self._spec.namespaces else None
            preload = [EMBEDDED] if self._spec.plane == "embedded" else []
            opened = WardenClient.opened(preload, self._run_dir / "nodes" / "warden.log")
            warden = await stack.enter_async_context(opened)
            warden.on_exit, warden.on_broken = self._exited, self._lose
            plane = await stack.enter_async_context(
                opened_plane(self._spec.plane, warden, port, self._run_dir, self._spec.seed)
            )
            started_ns = time.monotonic_ns()
            outer = os.environ.get("PYTHONPATH", "")
            await warden.start(launcher_spec(self._spec.command, self._run_dir, outer, self._spec.seed, machines))
            environment, first_ns = await self._begun(plane, warden, machines)
            stack.push_async_callback(environment.background.cancel)
            windows, ended = await self._drive(environment, first_ns)
            orphans = await self._orphans() if ended == "by itself" else []
            ended_ns = time.monotonic_ns() if orphans or self._gone_ns is None else max(self._gone_ns, self._stepped_ns())
            return ScriptRecord(
                ranks=environment.system.ranks,
                processes=list(self._journals.processes.values()),
                windows=windows,
                links=await environment.traffic(),
                started_ns=started_ns,
                first_ns=first_ns,
                ended_ns=ended_ns,
                ended=ended,
                exit_code=self._exit_code,
                launcher_gone_ns=self._gone_ns,
                orphans=orphans,
                cause=cause_of(self._log),
                aborted_at_exit=aborted_at_exit(self._log),
            )

    async def _begun(
        self, plane: FaultPlane, warden: WardenClient, machines: NetworkNamespaces | None
    ) -> tuple[ScriptEnvironment, int]:
        """Wait for the first step. Meanwhile, connect the ranks as soon as their number is known."""
        spec = self._spec
        by_s = time.monotonic() + spec.start_s
        waiting = (self._journals, self._log, spec.command, self._ended, by_s)
        system = TorchScript(command=spec.command, ranks=await ranks_known(*waiting), namespaces=spec.namespaces)
        check_faults(spec.faults, system)
        self._planned = plan_faults(spec.faults, system, spec.limit_s, spec.seed)
        self._gates.close((one.window.steps.begin, one.label) for one in self._planned if one.window.steps)
        environment = ScriptEnvironment(system, self._journals, plane, warden, self._log, spec.seed, machines)
        await environment.connect(journals_folder(self._run_dir))

        def looked() -> None:
            self._place(environment)
            check_connected(spec.faults, system, self._journals)

        return environment, await first_step(*waiting, looked)

    async def _drive(self, environment: ScriptEnvironment, first_ns: int) -> tuple[list[FaultWindow], Ended]:
        """Hold every window on schedule, until the command has ended or was given up."""
        stopped = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            held = [tasks.create_task(hold(environment, one, first_ns, self, stopped)) for one in self._planned]
            ended = await self._over(environment, first_ns)
            stopped.set()
        return [task.result() for task in held], ended

    async def _over(self, environment: ScriptEnvironment, first_ns: int) -> Ended:
        """Wait until the command has ended, makes no more steps, or takes too long."""
        limit_ns, steps, stepped_ns = first_ns + round(self._spec.limit_s * 1e9), 0, time.monotonic_ns()
        while self._ended() is None:
            self._journals.read()
            self._place(environment)
            now_ns = time.monotonic_ns()
            if steps != (steps := sum(len(one.steps) for one in self._journals.processes.values())):
                stepped_ns = now_ns
            counted = not any(one.not_counted for one in self._journals.processes.values())
            if counted and now_ns - stepped_ns > self._spec.stall_s * 1e9:
                return "held up" if self._holding else "stalled"
            if now_ns > limit_ns:
                return "too long"
            await asyncio.sleep(LOOK_S)
        return "by itself"

    def _place(self, environment: ScriptEnvironment) -> None:
        """Find the step at which each new process resumed the training, and tell it where to wait."""
        processes = self._journals.processes.values()
        if new := [one.pid for one in processes if one.began_ns is not None and one.pid not in self._placed]:
            environment.position = {one.process.pid: one.start or 0 for one in place(processes)}
            for pid in new:
                self._placed.add(pid)
                self._gates.answer(pid, environment.position[pid])

    def on_window(self, record: FaultWindow) -> None:
        """Open the gate of a window that begins or ends, and pass the window on."""
        if record.injected_s is not None and record.healed_s is None:
            self._holding.add(record.label)
        else:
            self._holding.discard(record.label)
        self._gates.passed(record.label)
        self._watcher.on_window(record)

    async def _orphans(self) -> list[str]:
        """The ranks that still run after their launcher has ended, each with what it did meanwhile."""
        self._journals.read()
        before = {one.pid: len(one.steps) for one in self._journals.processes.values()}
        deadline_s = time.monotonic() + ORPHANS_S
        while left := [one for one in self._journals.processes.values() if one.gone_ns is None]:
            if time.monotonic() > deadline_s:
                return [
                    f"rank{one.rank} (pid {one.pid}) ran on and did {len(one.steps) - before.get(one.pid, 0)} steps in"
                    f" {ORPHANS_S:g} s"
                    for one in left
                ]
            await asyncio.sleep(LOOK_S)
            self._journals.read()
        return []

    def _stepped_ns(self) -> int:
        """When the last step was done: ranks may outlive their launcher for a moment."""
        return max((one.steps[-1].done_ns for one in self._journals.processes.values() if one.steps), default=0)

    def _exited(self, name: str, pid: int, code: int) -> None:
        if name == LAUNCHER:
            self._exit_code, self._gone_ns = code, time.monotonic_ns()
        elif name == PLANE:
            self._lose(FaultError("The fault plane ended during the run; what it would have shown is unknown."))

    def _ended(self) -> int | None:
        """The command's exit code; None while it runs. Raises a `HarnessError` if the fault plane or the warden has died."""
        if self._exit_code is None and self._lost is not None:
            raise self._lost
        return self._exit_code

    def _lose(self, error: HarnessError) -> None:
        self._lost = error
