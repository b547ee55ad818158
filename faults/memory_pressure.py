"""MemoryPressure: a process may grow only a little; allocations beyond that fail."""

from __future__ import annotations

import asyncio
import re
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import psutil

from harness.model.environment import Environment
from harness.model.errors import FaultError, UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.window_work import over_within, seen_on_each

_MIB: Final = 1 << 20
_LOOK_AGAIN_S: Final = 0.01

_USED_UP_MIB: Final = 1.0
"""With less room than this left, allocators, which get memory from the kernel in large pieces, get no more."""

_VM_PEAK: Final = re.compile(r"^VmPeak:\s+(\d+) kB$", re.MULTILINE)

_REFUSED: Final = re.compile(
    r"MemoryError|bad_alloc|ENOMEM|cannot allocate memory|not enough memory|out of memory", re.IGNORECASE
)

_UNPRESSED: Final = {True: "; its room was not used up", False: "; nothing shows that it asked for more"}


@dataclass(frozen=True)
class MemoryPressure(Fault):
    """The node may grow only by `headroom_mib`: its address space is limited from outside (RLIMIT_AS).

    Allocations beyond that fail, and the node has to handle it: 92% of the catastrophic failures studied by Yuan et al.,
    "Simple Testing Can Prevent Most Critical Failures", OSDI 2014, came from wrong handling of signalled errors. (A control
    group's memory limit would signal nothing: it ends in the kernel's SIGKILL, which is the fault `Kill`.)

    It acted if the node ran into the limit: its address space had a MiB of room and grew until it had less, or its log reports
    a refusal. With no headroom, this shows only if the node logs a refusal, or frees memory and allocates it again. A node that
    allocates nothing was not under pressure.
    """

    headroom_mib: float = 0.0

    aims_at: ClassVar[Aim] = "nodes"
    on_process_limits: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.headroom_mib < 1 << 20:
            raise UsageError(f"MemoryPressure(headroom_mib={self.headroom_mib:g}): must be from 0 to below {1 << 20:,} MiB.")

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        pressed = [self._press(environment, name, targets.label) for name in targets.nodes]
        environment.background.begin(
            targets.label, lambda over: seen_on_each(_watch(environment, one, over) for one in pressed)
        )
        return Evidence(acted=None, text="")

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """Evidence is that the limit held to the end, and that the room below it was used up or an allocation was refused."""
        try:
            seen = await environment.background.end(targets.label)
        finally:
            environment.processes.unlimit(targets.label)
        return seen or injected

    def _press(self, environment: Environment, name: str, label: str) -> _Pressed:
        pid = environment.processes.pid(name)
        try:
            size = psutil.Process(pid).memory_info().vms
            limit = size + round(self.headroom_mib * _MIB)
            environment.processes.limit(name, resource.RLIMIT_AS, label, limit)
        except (psutil.Error, FaultError) as error:
            raise FaultError(f"the memory of {name} could not be limited: {error}") from error
        return _Pressed(name, pid, size, _peak(pid), limit, environment.processes.log(name).stat().st_size)


@dataclass(frozen=True)
class _Pressed:
    """One node at the time when its memory was limited."""

    name: str
    pid: int
    size: int
    peak: int
    """Its largest address space before."""
    limit: int
    log_size: int

    def has_room(self, size: int) -> bool:
        """Whether something could still be allocated at this size."""
        return self.limit - size >= _USED_UP_MIB * _MIB


async def _watch(environment: Environment, pressed: _Pressed, over: asyncio.Event) -> tuple[bool, str]:
    largest, stood, end, done = pressed.size, True, "", False
    had_room, used_up = pressed.has_room(pressed.size), False
    try:
        while not done:
            done = await over_within(over, _LOOK_AGAIN_S)
            size, peak = psutil.Process(pressed.pid).memory_info().vms, _peak(pressed.pid)
            # The peak also shows growth between two looks, if it was below the limit before.
            largest = max(largest, size, peak if peak > pressed.peak else 0)
            had_room = had_room or pressed.has_room(size)
            used_up = used_up or (had_room and not pressed.has_room(size))
            used_up = used_up or (pressed.has_room(pressed.peak) and not pressed.has_room(peak))
            stood = stood and environment.processes.limit_of(pressed.name, resource.RLIMIT_AS) <= pressed.limit
    except (psutil.NoSuchProcess, FaultError):
        end = ", until it ended"
    refused = _refusals(environment, pressed)
    sizes = [f"{size / _MIB:.1f}" for size in (pressed.size, largest, pressed.limit)]
    what = f"{pressed.name} had {sizes[0]}, reached {sizes[1]}, and was allowed {sizes[2]} MiB{end}"
    told = f"; {refused} refusals in its log" if refused else ("" if used_up else _UNPRESSED[had_room])
    lifted = "" if stood else "; it lifted its own limit"
    return stood and (used_up or refused > 0), f"{what}{told}{lifted}"


def _refusals(environment: Environment, pressed: _Pressed) -> int:
    """How many lines the node has logged since then that report a refused allocation."""
    with environment.processes.log(pressed.name).open("rb") as log:
        log.seek(pressed.log_size)
        return sum(bool(_REFUSED.search(line.decode(errors="replace"))) for line in log)


def _peak(pid: int) -> int:
    """The largest address space that a process ever had. Raises `psutil.NoSuchProcess` if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError) as error:
        raise psutil.NoSuchProcess(pid) from error
    if not (found := _VM_PEAK.search(status)):
        raise psutil.NoSuchProcess(pid)  # a zombie has no memory
    return int(found[1]) << 10
