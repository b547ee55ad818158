"""One fault window: begin it on time, end it on time or when anything goes wrong, and keep what was seen of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from harness.model.errors import FaultError
from harness.model.evidence import Evidence, Targets
from harness.model.system import HasLeader
from harness.model.window_work import over_within
from harness.run.schedule import PlannedWindow, targets_of

if TYPE_CHECKING:
    from harness.cluster.cluster import Cluster

_ASK_LEADER_S: Final = 0.5
_HASTE_S: Final = 5.0
"""Healing takes no longer than this where the run is broken off; all nodes and proxies end with it anyway."""


class WindowRecord(msgspec.Struct, kw_only=True):
    """A row of the history's `windows`; times are of the monotonic clock until the history is put together."""

    label: str
    fault: str
    selector: str
    targets: str
    from_s: float
    to_s: float
    injected_ns: int | None = None
    healed_ns: int | None = None
    acted: bool | None = None
    evidence: str = ""


class Watcher(Protocol):
    """Whoever wants to know of windows as they begin and end."""

    def on_window(self, record: WindowRecord) -> None: ...


async def hold(
    cluster: Cluster, planned: PlannedWindow, start_ns: int, watcher: Watcher, stopped: asyncio.Event
) -> WindowRecord:
    """Carry out one window of a run that began at `start_ns`, until it is over or the drill is `stopped`.

    Heals also when it is cancelled.
    """
    window, fault = planned.window, planned.window.fault
    record = WindowRecord(
        label=planned.label, fault=_text(fault), selector=fault.target, targets="", from_s=window.from_s, to_s=window.to_s
    )
    if await over_within(stopped, _seconds_until(start_ns, window.from_s)):
        record.evidence = "the drill was stopped before it began"
        return record
    try:
        targets: Targets | None = planned.targets or await _leader(cluster, planned.label)
    except FaultError as error:
        record.acted, record.evidence = False, str(error)
        watcher.on_window(record)
        return record
    while targets is not None:
        targets = await _hold_on(cluster, planned, targets, start_ns, record, watcher, stopped)
    return record


async def _hold_on(
    cluster: Cluster,
    planned: PlannedWindow,
    targets: Targets,
    start_ns: int,
    record: WindowRecord,
    watcher: Watcher,
    stopped: asyncio.Event,
) -> Targets | None:
    """Inject, wait, heal. Returns what the fault is to move to, or None where the window is over."""
    window, fault = planned.window, planned.window.fault
    hit = targets.nodes or [link.name for link in targets.links]
    record.targets = " ".join(dict.fromkeys([*record.targets.split(), *hit]))
    record.injected_ns, record.healed_ns = record.injected_ns or time.monotonic_ns(), None
    injected, limit_s, moved_to = Evidence(acted=False, text="the run ended while it began"), None, None
    try:
        injected = await fault.inject(cluster, targets)
        watcher.on_window(record)
        if window.follows:
            moved_to = await _next_leader(cluster, targets, start_ns, window.to_s, stopped)
        if moved_to is None:
            await over_within(stopped, _seconds_until(start_ns, window.to_s))
    except FaultError as error:
        injected = Evidence(acted=False, text=f"{type(fault).__name__} did not act: {error}")
    except asyncio.CancelledError:
        limit_s = _HASTE_S
        raise
    finally:
        seen = await _heal(cluster, planned, targets, injected, limit_s)
        record.healed_ns = time.monotonic_ns()
        record.acted = seen.acted if record.acted is not False else False
        record.evidence = "; ".join(filter(None, [record.evidence, seen.text]))
        watcher.on_window(record)
    return moved_to


async def _next_leader(
    cluster: Cluster, targets: Targets, start_ns: int, to_s: float, stopped: asyncio.Event
) -> Targets | None:
    """Wait until another node leads, with time left to act on it; None where that does not come about."""
    while _seconds_until(start_ns, to_s) > 2 * _ASK_LEADER_S and not await over_within(stopped, _ASK_LEADER_S):
        with contextlib.suppress(FaultError):  # nobody leads now: the fault stays where it is
            leading = await _leader(cluster, targets.label)
            if leading.nodes != targets.nodes:
                return leading
    return None


async def _heal(
    cluster: Cluster, planned: PlannedWindow, targets: Targets, injected: Evidence, limit_s: float | None
) -> Evidence:
    try:
        async with asyncio.timeout(limit_s):
            healed = await planned.window.fault.heal(cluster, targets, injected)
    except (FaultError, TimeoutError) as error:
        return Evidence(acted=False, text=f"{injected.text} could not be healed or measured: {error}".strip())
    return injected if injected.acted is False else healed


async def _leader(cluster: Cluster, label: str) -> Targets:
    system = cluster.system
    if not isinstance(system, HasLeader):
        raise FaultError("this system cannot say who leads")
    addresses = {name: cluster.address(name) for name in cluster.nodes if cluster.processes.runs(name)}
    try:
        async with asyncio.timeout(2.0):
            leader = await system.leader(addresses)
    except Exception as error:  # whatever a system's own code comes upon
        raise FaultError(f"the system did not say who leads: {str(error) or type(error).__name__}") from error
    return targets_of(system, label, leader)


def _seconds_until(start_ns: int, at_s: float) -> float:
    return (start_ns - time.monotonic_ns()) / 1e9 + at_s


def described(planned: PlannedWindow) -> str:
    """A planned window in a line: "w0  1.5–4 s  Isolate on n2 (one)"."""
    window, targets = planned.window, planned.targets
    hit = " ".join(targets.nodes or [link.name for link in targets.links]) if targets else ""
    selector = window.fault.target
    on = f"{hit} ({selector})" if hit and hit != selector else selector
    return f"{planned.label}  {window.from_s:g}–{window.to_s:g} s  {_text(window.fault)} on {on}"


def _text(fault: object) -> str:
    """A fault as it is written in a drill, without its target: "Latency(delay_ms=50)"."""
    fields = {name: value for name, value in asdict(fault).items() if name != "target"}  # type: ignore[call-overload]
    inside = ", ".join(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in fields.items())
    return f"{type(fault).__name__}({inside})" if inside else type(fault).__name__
