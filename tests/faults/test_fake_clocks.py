"""Clocks of a foreign program: the time that a real redis-server reports before, during and after a clock fault."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from faults.clock_drift import ClockDrift
from faults.clock_jump import ClockJump
from faults.clock_skew import ClockSkew
from harness.cluster import fake_clocks
from harness.cluster.cluster import Cluster, prepare
from harness.cluster.requirements import missing_for
from harness.model.drill import Drill
from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Targets
from harness.model.fault import Fault
from harness.model.load import Load
from harness.model.steering import Term
from systems.foreign.redis import Redis
from tests.helpers.echo import Numbers
from tests.helpers.keeper import Keeper
from tests.helpers.subject import DEADLINE_S

SYSTEM = Redis(fsync=False, fake_clock=True)
MISSING = missing_for(SYSTEM, namespaces=False)
needs_faketime = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

_SURELY_S = 0.002
"""Of a time that is cut to microseconds and read in another process."""


async def off_s(cluster: Cluster) -> tuple[float, float]:
    """The bounds of redis-server's clock error, by its own answers."""
    before = time.time()
    shown = await SYSTEM.time_ns(cluster.address("redis")) / 1e9
    return shown - time.time() - _SURELY_S, shown - before + _SURELY_S


async def is_off_by(cluster: Cluster, seconds: float) -> bool:
    least, most = await off_s(cluster)
    return least <= seconds <= most


def targets(label: str = "w0") -> Targets:
    return Targets(label=label, nodes=("redis",), links=())


@needs_faketime
def test_skews_of_a_foreign_program_add_up_and_end(tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(DEADLINE_S), Cluster.opened(SYSTEM, tmp_path, seed=1, plane="embedded") as cluster:
            assert await is_off_by(cluster, 0)
            one, other = ClockSkew("redis", by_ms=-90_000), ClockSkew("redis", by_ms=500.5)
            began = await one.inject(cluster, targets())
            assert began.acted
            assert began.text.startswith("redis's clock -")
            assert await is_off_by(cluster, -90)
            began_too = await other.inject(cluster, targets("w1"))
            assert await is_off_by(cluster, -89.4995)
            assert (await one.heal(cluster, targets(), began)).acted
            assert await is_off_by(cluster, 0.5005)
            assert (await other.heal(cluster, targets("w1"), began_too)).acted
            assert await is_off_by(cluster, 0)

    asyncio.run(scene())


@pytest.mark.slow
@needs_faketime
def test_clock_of_a_foreign_program_that_starts_again_meanwhile_is_wrong_from_its_start(tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(DEADLINE_S), Cluster.opened(SYSTEM, tmp_path, seed=1, plane="embedded") as cluster:
            await cluster.processes.kill("redis", "k")
            began = await ClockSkew("redis", by_ms=60_000).inject(cluster, targets())
            assert began.acted is None
            await cluster.processes.restart("redis", "k")
            assert await is_off_by(cluster, 60)
            assert (await ClockSkew("redis").heal(cluster, targets(), began)).acted

    asyncio.run(scene())


@needs_faketime
def test_clock_of_a_foreign_program_jumps_back_and_forth(tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(DEADLINE_S), Cluster.opened(SYSTEM, tmp_path, seed=1, plane="embedded") as cluster:
            fault, seen = ClockJump("redis", by_ms=60_000, every_ms=20), set[float]()
            began = await fault.inject(cluster, targets())
            while len(seen) < 2:
                seen.update([by for by in (0, 60) if await is_off_by(cluster, by)])
            await fault.heal(cluster, targets(), began)
            assert await is_off_by(cluster, 0)

    asyncio.run(scene())


@pytest.mark.slow
@needs_faketime
def test_clock_of_a_foreign_program_goes_ever_more_wrong(tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(DEADLINE_S), Cluster.opened(SYSTEM, tmp_path, seed=1, plane="embedded") as cluster:
            fault = ClockDrift("redis", parts_per_million=1e8)
            began = await fault.inject(cluster, targets())
            _, soon = await off_s(cluster)
            while (await off_s(cluster))[0] < soon + 5:
                await asyncio.sleep(0.005)
            assert (await fault.heal(cluster, targets(), began)).acted
            assert await is_off_by(cluster, 0)

    asyncio.run(scene())


class Unimpressed:
    """The clocks of programs that ignore libfaketime, as statically linked ones do."""

    def __init__(self) -> None:
        self._term: Term | None = None

    def deviate(self, label: str, names: Sequence[str], term: Term) -> None:
        self._term = term

    async def end_deviation(self, label: str, names: Sequence[str]) -> None:
        self._term = None

    def deviation_ns(self, name: str, now_ns: int) -> int:
        return self._term.deviation_ns(now_ns) if self._term else 0

    def resolution_ns(self, name: str) -> int:
        return 1_000_000

    def reads(self, name: str) -> int | None:
        return None

    async def shown_ns(self, name: str) -> int | None:
        return time.time_ns()


@pytest.mark.parametrize("fault", [ClockDrift("redis"), ClockSkew("redis"), ClockJump("redis")])
def test_a_program_that_ignores_the_library_shows_no_fault(fault: Fault) -> None:
    async def scene() -> None:
        faked = SimpleNamespace(clocks=Unimpressed(), time_ns=time.time_ns, monotonic_ns=time.monotonic_ns)
        environment = cast(Environment, faked)
        injected = await fault.inject(environment, targets())
        await asyncio.sleep(0.1)
        assert not (await fault.heal(environment, targets(), injected)).acted

    asyncio.run(scene())


def test_a_program_that_ignores_the_library_shows_no_jump_while_its_clock_would_be_right() -> None:
    async def scene() -> None:
        now_ns = [0]
        faked = SimpleNamespace(clocks=Unimpressed(), time_ns=time.time_ns, monotonic_ns=lambda: now_ns[0])
        environment, fault = cast(Environment, faked), ClockJump("redis", by_ms=60_000, every_ms=200)
        injected = await fault.inject(environment, targets())
        assert injected.acted is None
        now_ns[0] = 300_000_000  # it has jumped back
        assert not (await fault.heal(environment, targets(), injected)).acted

    asyncio.run(scene())


def test_without_libfaketime_it_is_said_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake_clocks, "library", lambda: None)
    monkeypatch.setattr(Redis, "missing", lambda self: None)
    with pytest.raises(UsageError, match=r"cannot .* here, because libfaketime is not installed: apt install faketime$"):
        prepare(SYSTEM)
    prepare(Redis())


@pytest.mark.parametrize("fault", [ClockSkew("n1"), ClockJump("one"), ClockDrift("all")], ids=repr)
def test_a_foreign_program_with_an_unprepared_clock_is_refused(fault: Fault) -> None:
    with pytest.raises(
        UsageError, match=r"n1 is a foreign program, whose clock the harness does not control\. Give the node fake_clock=True"
    ):
        Drill(system=Keeper(foreign=True), workload=Numbers(), load=Load(rate=10, seconds=2), faults=[fault.between(0, 1)])


WAITS_ON_A_CONDITION = """
import ctypes, time

class Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]

c = ctypes.CDLL(None)
attributes, condition, mutex = (ctypes.create_string_buffer(64) for _ in range(3))
c.pthread_condattr_init(attributes)
c.pthread_condattr_setclock(attributes, time.CLOCK_MONOTONIC)
c.pthread_cond_init(condition, attributes)
c.pthread_mutex_init(mutex, None)
c.pthread_mutex_lock(mutex)
before_s = time.monotonic()
until = Timespec(int(before_s), int(before_s % 1 * 1e9))
until.nanoseconds += 50_000_000
if until.nanoseconds >= 10**9:
    until.seconds, until.nanoseconds = until.seconds + 1, until.nanoseconds - 10**9
c.pthread_cond_timedwait(condition, mutex, ctypes.byref(until))
print(time.monotonic() - before_s, time.time())
"""


@needs_faketime
def test_timers_of_a_program_whose_clock_is_wrong_are_right(tmp_path: Path) -> None:
    """Like Java's timers, which use the monotonic clock: they end no earlier than they should."""
    (tmp_path / "clock").write_text("+600.000000000\n")
    environment = {**os.environ, **fake_clocks.environment(str(tmp_path / "clock"))}
    told = subprocess.run(
        [sys.executable, "-c", WAITS_ON_A_CONDITION], env=environment, capture_output=True, text=True, check=True
    )
    waited_s, shown_s = map(float, told.stdout.split())
    assert waited_s >= 0.05
    assert shown_s - time.time() > 500
