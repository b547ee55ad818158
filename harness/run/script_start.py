"""Wait until a script makes its first step: find its ranks, and give one clear line if it never steps."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from harness.cluster.script.journals import Journals
from harness.cluster.script.system import TorchScript
from harness.cluster.warden_client import last_lines
from harness.model.drill import check_fault, check_needs_no_proxy
from harness.model.errors import FaultError, HarnessError, NodeDown, UsageError
from harness.model.fault import Composition, Fault
from harness.model.system import links_of
from harness.run.script_failure import cause_of
from torch_drills.host import LAUNCHER
from torch_drills.joining import MOST_RANKS
from torch_drills.links import STORE

LOOK_S: Final = 0.01
_PORT_TAKEN: Final = ("EADDRINUSE", "Address already in use", "address already in use")


def check_command(command: tuple[str, ...]) -> None:
    """Raise `UsageError` if there is no such program."""
    if shutil.which(command[0]) is None:
        raise UsageError(f"There is no program {command[0]!r} on PATH. Activate the environment that the script runs in.")


def check_within_reach(faults: tuple[Composition, ...], *, namespaces: bool) -> None:
    """Raise `UsageError` if a fault cannot act on a script, or in this kind of network, whatever the ranks."""
    for fault in (one for item in faults for one in item.faults):
        if fault.uses is not None:
            raise UsageError(
                f"{fault!r}: the harness does not control a script's {fault.uses}. Use a fault on processes, such as Kill"
                " or Pause, or on links."
            )
        if namespaces:
            check_needs_no_proxy(fault)
        elif fault.on_packets:
            raise UsageError(
                f"{fault!r}: the ranks share one network. Give --namespaces, or use Isolate, SilentDrop or SharedBandwidth"
                " on links."
            )


def check_faults(faults: tuple[Composition, ...], system: TorchScript) -> None:
    """Raise `UsageError` if a fault makes no sense for these ranks."""
    for fault in (one for item in faults for one in item.faults):
        if system.namespaces and STORE in fault.target.split(">"):
            raise UsageError(
                f"{fault!r}: with --namespaces the store is a part of rank0, or of {LAUNCHER!r}. Use one of these."
            )
        if fault.target == STORE and fault.aims_at == "nodes":
            raise UsageError(
                f"{fault!r}: the store is no process of its own: rank0 keeps it, or {LAUNCHER!r}. Use one of these."
            )
        reverse = ">".join(reversed(fault.target.split(">")))
        if not system.namespaces and reverse != fault.target and reverse in {link.name for link in links_of(system)}:
            raise UsageError(f"{fault!r}: two ranks share one connection, which the lower rank opens. Use {reverse!r}.")
        if fault.target.startswith("rank") and ">" not in fault.target and fault.target not in _ranks(system):
            raise UsageError(f"There is no {fault.target!r}: the script has {system.ranks} ranks, {_listed(_ranks(system))}.")
        check_fault(fault, system, namespaces=system.namespaces)


def check_connected(faults: tuple[Composition, ...], system: TorchScript, journals: Journals) -> None:
    """Raise a `HarnessError` if faults are asked for on connections that do not go through the fault plane or the router."""
    if system.namespaces:
        for process in journals.processes.values():
            if process.not_led:
                raise FaultError(f"{process.not_led[0]}. Leave --namespaces out.")
        return
    on_links = [fault for item in faults for fault in item.faults if fault.aims_at == "links" and not _on_store(fault)]
    if not on_links:
        return
    for process in journals.processes.values():
        if process.backend and "gloo" not in process.backend:
            raise UsageError(
                f"{on_links[0]!r}: the script's backend is {process.backend!r}, whose connections do not go through the fault"
                " plane. Use gloo, faults on packets with --namespaces, or faults on processes: Kill, Pause, SlowCpu."
            )
        if process.not_led:
            raise FaultError(f"{on_links[0]!r} cannot act on rank{process.rank}: {process.not_led[0]}.")


def _on_store(fault: Fault) -> bool:
    return fault.target.endswith(f">{STORE}")


async def ranks_known(
    journals: Journals, log: Path, command: tuple[str, ...], ended: Callable[[], int | None], by_s: float
) -> int:
    """Wait until a rank joins, and return the number of ranks. Raises a `HarnessError` if none joins."""
    while True:
        journals.read()
        if journals.world:
            _check_distributed(journals, command)
            if journals.world > MOST_RANKS:
                raise UsageError(f"The script has {journals.world} ranks; `harness train` takes {MOST_RANKS} at most.")
            return journals.world
        _check_alive(journals, log, command, ended(), by_s)
        await asyncio.sleep(LOOK_S)


async def first_step(
    journals: Journals,
    log: Path,
    command: tuple[str, ...],
    ended: Callable[[], int | None],
    by_s: float,
    looked: Callable[[], None],
) -> int:
    """Wait for the first step of any rank and return when it began. Raises a `HarnessError` if no rank makes one.

    `looked` is called each time the journals have been read.
    """
    while True:
        journals.read()
        looked()
        for one in journals.processes.values():
            if one.not_counted:
                raise UsageError(f"The steps of rank{one.rank} cannot be counted: {one.not_counted}.")
        begun = [one.steps[0].begun_ns for one in journals.processes.values() if one.steps]
        if begun:
            _check_distributed(journals, command)
            return min(begun)
        _check_alive(journals, log, command, ended(), by_s)
        await asyncio.sleep(LOOK_S)


def _check_distributed(journals: Journals, command: tuple[str, ...]) -> None:
    if any(one.began_ns is not None and not one.backend for one in journals.processes.values()):
        raise UsageError(
            f"`{shlex.join(command)}` steps without torch.distributed: no process group was initialised before the first step,"
            " so there are no ranks and no links between them."
        )


def _check_alive(journals: Journals, log: Path, command: tuple[str, ...], code: int | None, by_s: float) -> None:
    """Raise a `HarnessError` if the command has ended without a step, or its time is over."""
    line = shlex.join(command)
    if code is not None:
        raise _ended(journals, log, line, code)
    if time.monotonic() < by_s:
        return
    started, world = journals.started, journals.expected_world
    missing = [f"rank{rank}" for rank in range(world) if rank not in started]
    if not started:
        who = "no rank has imported torch"
    elif missing:
        there = [f"rank{rank}" for rank in sorted(started)]
        who = f"{_listed(missing)} of {world} ranks never appeared; {_listed(there)} did"
    else:
        who = f"all {world} ranks started, and none made a step"
    raise NodeDown(f"`{line}` made no step in time: {who}. See --start-timeout. Its output ends: {last_lines(log, 2)}")


def _ended(journals: Journals, log: Path, line: str, code: int) -> HarnessError:
    text = log.read_text(errors="replace") if log.exists() else ""
    if any(words in text for words in _PORT_TAKEN):
        found = next(one.strip() for one in text.splitlines() if any(words in one for words in _PORT_TAKEN))
        return UsageError(f"A port that `{line}` needs is in use ({found[-160:]}). Give torchrun another --master-port.")
    if code:
        return NodeDown(f"`{line}` ended with exit code {code} before its first step; {cause_of(log)}. Its output: {log}")
    if journals.started:
        return UsageError(
            f"`{line}` ended without a step of any torch.optim optimizer, so there is nothing to count. If it went on from a"
            " snapshot of a finished training, remove that, or ask for more steps."
        )
    return UsageError(
        f"`{line}` ended, and none of its processes was a rank that imported torch with the hook. With torch before 2.5 or"
        " TORCH_DEVICE_BACKEND_AUTOLOAD=0, run `-m torch_drills SCRIPT` in place of the script."
    )


def _ranks(system: TorchScript) -> list[str]:
    return [f"rank{number}" for number in range(system.ranks)]


def _listed(names: list[str]) -> str:
    return ", ".join(names)
