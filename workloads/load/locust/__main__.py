"""The process that runs locust for `harness ui`: locust's own `main`, with our runners, statistics and tab."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from locust import env, events, main  # first: it makes the standard library cooperative

# isort: split
import gevent
import msgspec

from workloads.load.locust import statistics
from workloads.load.locust.faults_tab import FaultsTab
from workloads.load.locust.load import EngineLoad, EngineRunner, EngineWorkerRunner
from workloads.load.locust.setup import LENGTH, Setup


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _read_setup() -> Setup:
    def exactly(count: int) -> bytes:
        content = b""
        while len(content) < count:
            content += os.read(0, count - len(content)) or sys.exit(0)  # who started this has gone
        return content

    (length,) = LENGTH.unpack(exactly(LENGTH.size))
    return msgspec.msgpack.decode(exactly(length), type=Setup)


def run() -> None:
    """Read the setup, then be locust."""
    _die_with_parent()
    os.register_at_fork(after_in_child=_die_with_parent)  # locust's `--processes`
    setup = _read_setup()
    statistics.configure()
    if setup.exchanges:
        env.LocalRunner, env.WorkerRunner = EngineRunner, EngineWorkerRunner  # locust has no other place to name them

    def begin(environment: env.Environment, **_: object) -> None:
        # gevent's timers count from when its loop last ran, which is before the imports: --run-time would be shorter by them.
        gevent.get_hub().loop.update_now()
        load: EngineLoad | None = None
        if isinstance(environment.runner, EngineRunner | EngineWorkerRunner):
            load = environment.runner.load = EngineLoad(setup, environment)
            environment.events.quit.add_listener(lambda **_: load.close())
        if environment.web_ui is not None:
            FaultsTab(setup, load).add_to(environment.web_ui)

    events.init.add_listener(begin)
    sys.argv = ["harness ui", *setup.arguments]
    main.main()


run()
