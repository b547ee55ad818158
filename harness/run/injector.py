"""One fault window: begin it on time, end it on time or when anything goes wrong, and keep the evidence."""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import fields
from typing import Final, Protocol

from harness.model.environment import Environment
from harness.model.errors import FaultError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Fault, Window
from harness.model.fault_window import FaultWindow, Parameter
from harness.model.moment import Moment
from harness.model.system import HasLeader
from harness.model.window_work import over_within
from harness.run.schedule import PlannedWindow, targets_of

_ASK_LEADER_S: Final = 0.5
_LOOK_FOR_STEPS_S: Final = 0.002
_LOOK_FOR_MOMENT_S: Final = 0.001
_STANDS_STILL_S: Final = 0.1
"""A node that stopped itself is resumed after this long even if the fault has not begun: some faults query the node first."""
_NO_STEP_S: Final = 10.0
_NO_STEPS: Final = 20
"""A window that is to end with a step ends without it after this long, and the time of this many steps, without any: the
fault itself may keep that step from coming, such as a frozen rank for which all others wait."""
_HASTE_S: Final = 5.0
"""The limit on healing when the run is aborted; all nodes and proxies end with the run anyway."""


class Watcher(Protocol):
    """Gets each window as it begins and ends."""

    def on_window(self, record: FaultWindow) -> None: ...


async def hold(
    environment: Environment, planned: PlannedWindow, start_ns: int, watcher: Watcher, stopped: asyncio.Event
) -> FaultWindow:
    """Carry out one window of a run that began at `start_ns`, until it is over or the drill is `stopped`.

    If cancelled, it still heals.
    """
    window, fault = planned.window, planned.window.fault
    record = FaultWindow(
        kind=type(fault).__name__,
        parameters=_parameters(fault),
        label=planned.label,
        selector=fault.target,
        from_s=window.from_s,
        to_s=window.to_s,
    )
    if await over_within(stopped, _seconds_until(environment, start_ns, window.from_s)):
        record.evidence = f"the run ended after {-_seconds_until(environment, start_ns, 0.0):.3g} s, before this began"
        return record
    if window.steps is not None:
        done = await _reached(environment, window.steps.begin, _at_ns(start_ns, window.to_s), stopped)
        if done < window.steps.begin:
            record.acted, record.evidence = False, f"step {window.steps.begin} was never reached: {done} steps were done"
            watcher.on_window(record)
            return record
        record.evidence = f"began with {done} steps done"
    try:
        hit = planned.targets or await _leader(environment, planned.label)
    except FaultError as error:
        record.acted, record.evidence = False, str(error)
        watcher.on_window(record)
        return record
    if window.moment is not None and not await _came(environment, planned, window.moment, hit, start_ns, record, stopped):
        watcher.on_window(record)
        return record
    targets: Targets | None = hit
    while targets is not None:
        targets = await _hold_on(environment, planned, targets, start_ns, record, watcher, stopped)
    return record


async def _came(
    environment: Environment,
    planned: PlannedWindow,
    moment: Moment,
    targets: Targets,
    start_ns: int,
    record: FaultWindow,
    stopped: asyncio.Event,
) -> bool:
    """Wait until a node stops itself at the moment. If none does, record how often each did what the moment counts."""
    label, limit_ns, name = planned.label, _at_ns(start_ns, planned.window.to_s), None
    try:
        environment.moments.expect(label, [moment.at] if moment.at else targets.nodes, moment)
        while (name := environment.moments.reached(label)) is None and environment.monotonic_ns() < limit_ns:
            if await over_within(stopped, _LOOK_FOR_MOMENT_S):
                break
        seen = environment.moments.seen(label)
    except FaultError as error:
        record.acted, record.evidence = False, str(error)
        return False
    finally:
        if name is None:
            with contextlib.suppress(FaultError):  # recorded above
                environment.moments.go_on(label)
    if name is not None:
        record.evidence = f"began as {name} reached: {moment.event} {moment.match or 'anything'} #{moment.nth}"
        return True
    often = ", ".join(f"{node} {times}×" for node, times in seen.items())
    record.acted, record.evidence = False, f"never reached {moment.event} {moment.match or 'anything'} #{moment.nth}: {often}"
    return False


async def _begin(environment: Environment, planned: PlannedWindow, targets: Targets) -> Evidence:
    """Inject. A node that stopped itself for this fault goes on once the fault has begun, if the fault lets it."""
    fault = planned.window.fault
    if planned.window.moment is None:
        return _evidence(fault, "inject", await fault.inject(environment, targets))
    waking = asyncio.get_running_loop().call_later(_STANDS_STILL_S, environment.moments.go_on, planned.label)
    try:
        return _evidence(fault, "inject", await fault.inject(environment, targets))
    finally:
        waking.cancel()
        environment.moments.go_on(planned.label)


async def _hold_on(
    environment: Environment,
    planned: PlannedWindow,
    targets: Targets,
    start_ns: int,
    record: FaultWindow,
    watcher: Watcher,
    stopped: asyncio.Event,
) -> Targets | None:
    """Inject, wait, heal. Returns the targets that the fault moves to next, or None if the window is over."""
    window, fault = planned.window, planned.window.fault
    hit = targets.nodes or [link.name for link in targets.links]
    record.targets = tuple(dict.fromkeys([*record.targets, *hit]))
    record.healed_s = None
    first = record.injected_s is None
    if record.injected_s is None:
        record.injected_s = -_seconds_until(environment, start_ns, 0.0)
    injected, limit_s, moved_to = Evidence(acted=False, text="the run ended while it began"), None, None
    try:
        injected = await _begin(environment, planned, targets)
        if first and injected.began_ns is not None:
            record.injected_s = (injected.began_ns - start_ns) / 1e9
        watcher.on_window(record)
        if window.follows:
            moved_to = await _next_leader(environment, targets, start_ns, window.to_s, stopped)
        if moved_to is None:
            ended = await _until_over(environment, window, start_ns, stopped)
            record.evidence = "; ".join(filter(None, [record.evidence, ended]))
    except (FaultError, TimeoutError) as error:
        injected = Evidence(acted=False, text=f"{type(fault).__name__} did not act: {_said(error)}")
    except asyncio.CancelledError:
        limit_s = _HASTE_S
        raise
    finally:
        seen = await _heal(environment, planned, targets, injected, limit_s)
        record.healed_s = -_seconds_until(environment, start_ns, 0.0)
        if window.steps is not None or window.moment is not None:  # no time was planned: record when it happened
            record.from_s, record.to_s = round(record.injected_s, 3), round(record.healed_s, 3)
        record.acted = seen.acted if record.acted is not False else False
        record.evidence = "; ".join(filter(None, [record.evidence, seen.text]))
        watcher.on_window(record)
    return moved_to


async def _until_over(environment: Environment, window: Window, start_ns: int, stopped: asyncio.Event) -> str:
    """Wait for the end of a window that has just begun. Returns why it ended early, if it did."""
    left_s = _seconds_until(environment, start_ns, window.to_s)
    if window.moment is not None:
        await over_within(stopped, min(left_s, window.moment.for_s))
    elif window.steps is None:
        await over_within(stopped, left_s)
    elif window.steps.end is None:
        await over_within(stopped, min(left_s, math.inf if window.steps.for_s is None else window.steps.for_s))
    else:
        return await _until_step(environment, window.steps.end, start_ns, _at_ns(start_ns, window.to_s), stopped)
    return ""


async def _until_step(environment: Environment, steps: int, start_ns: int, limit_ns: int, stopped: asyncio.Event) -> str:
    """Wait until a training that began at `start_ns` has done `steps` steps or the time is over.

    It does not wait for a training that stands still; returns why then.
    """
    done, now_ns = environment.steps_done(), environment.monotonic_ns()
    patience_s = max(_NO_STEP_S, _NO_STEPS * (now_ns - start_ns) / 1e9 / max(done, 1))
    done = await _reached(environment, steps, limit_ns, stopped, patience_s)
    if done >= steps or stopped.is_set() or environment.monotonic_ns() >= limit_ns:
        return ""
    return f"ended without step {steps}, because no step came for {patience_s:.0f} s"


async def _reached(
    environment: Environment, steps: int, limit_ns: int, stopped: asyncio.Event, patience_s: float = math.inf
) -> int:
    """Wait until a training has done `steps` steps, the time is over, or no step has come for `patience_s`.

    Returns how many it has done by then.
    """
    seen, moved_ns = -1, 0
    while (done := environment.steps_done()) < steps and (now_ns := environment.monotonic_ns()) < limit_ns:
        if done > seen:
            seen, moved_ns = done, now_ns
        if now_ns - moved_ns > patience_s * 1e9 or await over_within(stopped, _LOOK_FOR_STEPS_S):
            break
    return done


async def _next_leader(
    environment: Environment, targets: Targets, start_ns: int, to_s: float, stopped: asyncio.Event
) -> Targets | None:
    """Wait until another node leads, with time left to act on it; None if that does not happen."""
    while _seconds_until(environment, start_ns, to_s) > 2 * _ASK_LEADER_S and not await over_within(stopped, _ASK_LEADER_S):
        with contextlib.suppress(FaultError):  # no node leads now: the fault stays where it is
            leading = await _leader(environment, targets.label)
            if leading.nodes != targets.nodes:
                return leading
    return None


async def _heal(
    environment: Environment, planned: PlannedWindow, targets: Targets, injected: Evidence, limit_s: float | None
) -> Evidence:
    try:
        async with asyncio.timeout(limit_s):
            fault = planned.window.fault
            healed = _evidence(fault, "heal", await fault.heal(environment, targets, injected))
    except (FaultError, TimeoutError) as error:
        return Evidence(acted=False, text=f"{injected.text} could not be healed or measured: {_said(error)}".strip())
    return injected if injected.acted is False else healed


def _evidence(fault: Fault, method: str, found: object) -> Evidence:
    """What a fault has returned. Raises `FaultError` if it is no evidence: faults may be user code."""
    if isinstance(found, Evidence) and found.acted in (True, False, None) and isinstance(found.text, str):
        return found
    raise FaultError(f"{type(fault).__name__}.{method} returned {found!r}, which is no Evidence that says whether it acted")


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


async def _leader(environment: Environment, label: str) -> Targets:
    system = environment.system
    if not isinstance(system, HasLeader):
        raise FaultError("this system cannot say who leads")
    addresses = {name: environment.address(name) for name in environment.nodes if environment.processes.runs(name)}
    try:
        async with asyncio.timeout(2.0):
            leader = await system.leader(addresses)
    except Exception as error:  # a system's own code may raise anything
        raise FaultError(f"the system did not say who leads: {_said(error)}") from error
    if leader not in environment.nodes:
        raise FaultError(f"the system says that {leader!r} leads, which is none of its nodes")
    return targets_of(system, label, leader)


def _at_ns(start_ns: int, at_s: float) -> int:
    return start_ns + round(at_s * 1e9)


def _seconds_until(environment: Environment, start_ns: int, at_s: float) -> float:
    return (start_ns - environment.monotonic_ns()) / 1e9 + at_s


def described(planned: PlannedWindow) -> str:
    """A planned window in one line: "w0  1.5–4 s  Isolate on n2 (one)"."""
    window, targets = planned.window, planned.targets
    hit = " ".join(targets.nodes or [link.name for link in targets.links]) if targets else ""
    selector = window.fault.target
    on = f"{hit} ({selector})" if hit and hit != selector else selector
    when = str(window.steps or window.moment or f"{window.from_s:g}–{window.to_s:g} s")
    fault = window.fault
    text = FaultWindow(
        kind=type(fault).__name__, parameters=_parameters(fault), label="", selector=selector, from_s=0.0, to_s=0.0
    ).text
    return f"{planned.label}  {when}  {text} on {on}"


def _parameters(fault: Fault) -> dict[str, Parameter]:
    found = {field.name: getattr(fault, field.name) for field in fields(fault) if field.name != "target"}
    return {name: value if isinstance(value, Parameter) else str(value) for name, value in found.items()}
