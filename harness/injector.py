"""One fault window: begin it on time, end it on time or when anything goes wrong, and keep what was seen of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from harness.drill import Evidence, HasLeader, Targets
from harness.errors import FaultError
from harness.schedule import PlannedWindow, targets_of

if TYPE_CHECKING:
    from harness.cluster import Cluster

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


async def hold(cluster: Cluster, planned: PlannedWindow, start_ns: int, watcher: Watcher) -> WindowRecord:
    """Carry out one window of a run that began at `start_ns`; heals also when it is cancelled."""
    window, fault = planned.window, planned.window.fault
    record = WindowRecord(
        label=planned.label, fault=_text(fault), selector=fault.target, targets="", from_s=window.from_s, to_s=window.to_s
    )
    await _sleep_until(start_ns, window.from_s)
    try:
        targets = planned.targets or await _leader(cluster, planned.label)
    except FaultError as error:
        record.acted, record.evidence = False, str(error)
        watcher.on_window(record)
        return record
    record.targets = " ".join(targets.nodes or [link.name for link in targets.links])
    record.injected_ns = time.monotonic_ns()
    injected, limit_s = Evidence(acted=False, text="the run ended while it began"), None
    try:
        injected = await fault.inject(cluster, targets)
        watcher.on_window(record)
        await _sleep_until(start_ns, window.to_s)
    except FaultError as error:
        injected = Evidence(acted=False, text=f"{type(fault).__name__} did not act: {error}")
    except asyncio.CancelledError:
        limit_s = _HASTE_S
        raise
    finally:
        seen = await _heal(cluster, planned, targets, injected, limit_s)
        record.healed_ns = time.monotonic_ns()
        record.acted, record.evidence = seen.acted, seen.text
        watcher.on_window(record)
    return record


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
    addresses = {name: cluster.address(name) for name in cluster.nodes if cluster.runs(name)}
    try:
        leader = await asyncio.wait_for(system.leader(addresses), timeout=2.0)
    except Exception as error:  # whatever a system's own code comes upon
        raise FaultError(f"the system did not say who leads: {str(error) or type(error).__name__}") from error
    return targets_of(system, label, leader)


async def _sleep_until(start_ns: int, at_s: float) -> None:
    await asyncio.sleep((start_ns - time.monotonic_ns()) / 1e9 + at_s)


def _text(fault: object) -> str:
    """A fault as it is written in a drill, without its target: "Latency(delay_ms=50)"."""
    fields = {name: value for name, value in asdict(fault).items() if name != "target"}  # type: ignore[call-overload]
    inside = ", ".join(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in fields.items())
    return f"{type(fault).__name__}({inside})" if inside else type(fault).__name__
