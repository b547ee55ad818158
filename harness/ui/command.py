"""`harness ui`: runs a drill's system behind locust's web UI, extended with a Faults tab, until it is stopped."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import os
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from harness import roots
from harness.cluster.cluster import Cluster, prepare
from harness.cluster.interrupts import run_to_its_end
from harness.cluster.ports import HOST, check_free
from harness.http.server import listen
from harness.model.errors import UsageError
from harness.model.system import Address
from harness.run import catalog
from harness.run.catalog import NamedDrill
from harness.run.first_error import first_of
from harness.run.schedule import plan
from harness.run.spec import SEED_BITS
from harness.ui.control import Control
from results.record.store import new_run_dir
from workloads.load.exchanges import HasExchanges
from workloads.load.locust.setup import Setup, encoded, too_much
from workloads.load.target import target_of

_GRACE_S: Final = 8.0


def ui_command(arguments: argparse.Namespace) -> int:
    """Start the system and locust. When locust ends, or on Ctrl-C or SIGTERM, stop everything."""
    if importlib.util.find_spec("locust") is None:
        raise UsageError("harness ui needs locust, which is not installed: pip install 'distributed-ml-harness[ui]'")
    named = catalog.find_drill(arguments.drill, arguments.settings)
    if not arguments.locustfile and not isinstance(named.drill.workload, HasExchanges):
        kind = type(named.drill.workload).__name__
        raise UsageError(
            f"{named.name}: its workload {kind} has no `exchanges` (see `workloads.load.exchanges.HasExchanges`), so the engine"
            " cannot load this system. Add them, pass --locustfile, or use a serving drill."
        )
    if arguments.locustfile and not arguments.locustfile.is_file():
        raise UsageError(f"--locustfile {arguments.locustfile}: no such file.")
    if not arguments.locustfile and (message := too_much(arguments.users, arguments.per_user)):
        raise UsageError(f"--users {arguments.users}: {message}")
    if arguments.worker and arguments.master:
        raise UsageError("--worker and --master: a process can be only one of them.")
    seed = secrets.randbits(SEED_BITS) if arguments.seed is None else arguments.seed
    if arguments.worker:
        target = target_of(arguments.worker, allow_remote=False)
        return run_to_its_end(_on_sigterm(_locust(_setup(arguments, named, target.address, seed, None, ""))))
    if not arguments.headless:
        check_free(arguments.port, "--port")
    if arguments.master or arguments.processes > 1:
        check_free(arguments.master_port, "--master-port")
    prepare(named.drill.system, namespaces=named.drill.namespaces)
    run_dir = new_run_dir(arguments.runs, f"ui/{named.name}", seed, datetime.now(UTC))
    try:
        return run_to_its_end(_on_sigterm(_serve(arguments, named, seed, run_dir)))
    except BaseExceptionGroup as group:
        raise first_of(group) from group


async def _on_sigterm(running: Awaitable[int]) -> int:
    """Make SIGTERM act like Ctrl-C."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os.kill, os.getpid(), signal.SIGINT)
    return await running


async def _serve(arguments: argparse.Namespace, named: NamedDrill, seed: int, run_dir: Path) -> int:
    drill = named.drill
    secret = secrets.token_urlsafe(32)
    async with (
        Cluster.opened(drill.system, run_dir, seed=seed, plane=arguments.fault_plane, namespaces=drill.namespaces) as cluster,
        asyncio.TaskGroup() as tasks,
    ):
        control = Control(named.title, drill, cluster, plan(drill, seed), tasks, secret)
        server = await listen(control.answer, (HOST, 0))
        try:
            address: Address = server.sockets[0].getsockname()[:2]
            entry = next(iter(cluster.links.entries.values()))
            watching = [tasks.create_task(cluster.lost()), tasks.create_task(cluster.links.plane.watch())]
            if not arguments.headless:
                print(f"{named.name}: http://{HOST}:{arguments.port}  (logs in {run_dir}; Ctrl-C ends it)", flush=True)
            if arguments.master:
                print(f"workers: harness ui {named.again} --worker http://{entry[0]}:{entry[1]}"
                      f" --master-port {arguments.master_port}", flush=True)  # fmt: skip
            code = await _locust(_setup(arguments, named, entry, seed, address, secret))
            for task in watching:
                task.cancel()
            control.heal_all()
        finally:
            server.close()
    return code


def _setup(
    arguments: argparse.Namespace, named: NamedDrill, entry: Address, seed: int, control: Address | None, secret: str
) -> Setup:
    drill = named.drill
    engine = arguments.locustfile is None and isinstance(drill.workload, HasExchanges)
    exchanges = tuple(drill.workload.exchanges(entry)) if engine and isinstance(drill.workload, HasExchanges) else ()
    return Setup(
        title=named.title,
        entry=entry,
        exchanges=exchanges,
        load=replace(drill.load, clients=arguments.connections or drill.load.clients, shape=None),
        seed=seed,
        depth=arguments.depth,
        per_user=arguments.per_user,
        slos=tuple(drill.slos),
        control=control,
        secret=secret,
        arguments=tuple(_locust_arguments(arguments, entry)),
    )


def _locust_arguments(arguments: argparse.Namespace, entry: Address) -> list[str]:
    from workloads.load import locust

    user = Path(locust.__path__[0]) / "user.py"
    words = ["-f", str(arguments.locustfile or user), "--host", f"http://{entry[0]}:{entry[1]}"]
    if arguments.worker:
        words += ["--worker", "--master-host", HOST, "--master-port", str(arguments.master_port)]
        return words + (["--processes", str(arguments.processes)] if arguments.processes > 1 else [])
    words += ["--users", str(arguments.users), "--spawn-rate", f"{arguments.spawn_rate or arguments.users:g}"]
    words += ["--headless"] if arguments.headless else ["--web-host", HOST, "--web-port", str(arguments.port)]
    words += ["--run-time", arguments.run_time] if arguments.run_time else []
    if arguments.master or arguments.processes > 1:
        words += ["--master-bind-host", HOST, "--master-bind-port", str(arguments.master_port)]
        words += ["--master-host", HOST, "--master-port", str(arguments.master_port)]
    if arguments.master:
        words += ["--master"]
    elif arguments.processes > 1:
        words += ["--processes", str(arguments.processes)]
    return words


async def _locust(setup: Setup) -> int:
    """Run locust in a child process, which ends with this one, and return its exit code."""
    async with _started(setup) as process:
        return await process.wait()


@contextlib.asynccontextmanager
async def _started(setup: Setup) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *roots.program("workloads.load.locust"),
        env=roots.environment(),
        stdin=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        if process.stdin is not None:
            process.stdin.write(encoded(setup))
            await process.stdin.drain()
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(_GRACE_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
