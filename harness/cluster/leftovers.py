"""Find and clean up what runs leave behind if both they and their wardens were killed or stopped.

A run's processes carry a mark in their environment, which only their descendants inherit. They are found by this mark, not by
their names; processes whose harness still runs are left alone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psutil
import requests

from harness.cluster import warden
from harness.cluster.cgroups import sweep
from harness.cluster.fault_plane import parse_url
from harness.cluster.warden_client import HARNESS_PID, HARNESS_RUN
from harness.model.errors import HarnessError

REPLY_TIMEOUT_S: Final = 5.0
_KILL_TIMEOUT_S: Final = 5.0
_ROUNDS: Final = 10


@dataclass(frozen=True, kw_only=True)
class Marked:
    """A process of a run."""

    process: psutil.Process
    run: str
    harness: int | None
    """The pid of the run's harness; None if it has ended. In a container, its pid there: whether it has ended is not known."""
    toxiproxy_url: str


def marked() -> Iterator[Marked]:
    """Every process of any run, as far as this user may inspect it."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ValueError):
            environment = process.environ()
            if {HARNESS_RUN, HARNESS_PID} <= environment.keys() and process.status() != psutil.STATUS_ZOMBIE:
                yield Marked(
                    process=process,
                    run=environment[HARNESS_RUN],
                    harness=_harness(process, int(environment[HARNESS_PID])),
                    toxiproxy_url=environment.get("TOXIPROXY_URL", ""),
                )


def _harness(process: psutil.Process, pid: int) -> int | None:
    if _pids_of(process.pid) != _pids_of(os.getpid()):
        return pid
    try:
        harness = psutil.Process(pid)
        alive = harness.status() != psutil.STATUS_ZOMBIE and harness.create_time() <= process.create_time()
    except psutil.NoSuchProcess:
        return None
    return pid if alive else None  # otherwise another process has its pid by now


def _pids_of(pid: int) -> str:
    """The namespace of a process's pid: a container has its own."""
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError as error:  # it has just ended
        raise psutil.NoSuchProcess(pid) from error


def heal() -> Iterator[str]:
    """Clean everything up. Yields a line for each thing done or left alone."""
    yield from _kill_processes()
    yield from (f"removed the control group {group}" for group in sweep())
    if url := os.environ.get("TOXIPROXY_URL"):
        yield from _delete_proxies(url)


def _kill_processes() -> Iterator[str]:
    yield from _resume_wardens()
    for _ in range(_ROUNDS):  # a process that one of them was just starting is killed in the next round
        left = [one for one in marked() if one.harness is None]
        if not left:
            break
        for one in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.process.kill()
                yield f"killed pid {one.process.pid}, left of the run in {one.run}"
        psutil.wait_procs([one.process for one in left], timeout=_KILL_TIMEOUT_S)
    else:
        raise HarnessError(f"Processes of the run in {left[0].run} come back after each of {_ROUNDS} rounds of killing them.")
    runs = {(one.run, one.harness) for one in marked()}
    yield from (f"left alone: the run in {run}, whose harness still runs as pid {pid}" for run, pid in sorted(runs))


def _resume_wardens() -> Iterator[str]:
    """Resume stopped wardens: each then notices that its harness is gone, and cleans up by itself."""
    left = {one.process.pid: one for one in marked() if one.harness is None}
    resumed = []
    for one in left.values():
        with contextlib.suppress(psutil.NoSuchProcess):
            process = one.process  # a node has its warden's command line too, but its parent is a warden
            if (
                process.status() == psutil.STATUS_STOPPED
                and process.ppid() not in left
                and warden.__name__ in process.cmdline()
            ):
                one.process.resume()
                resumed.append(one.process)
                yield f"resumed pid {one.process.pid}, stopped in the run in {one.run}"
    psutil.wait_procs(resumed, timeout=_KILL_TIMEOUT_S)


def _delete_proxies(url: str) -> Iterator[str]:
    """Delete the proxies named `source>target`, which are links; nothing else in a Toxiproxy is ours."""
    host, port = parse_url(url)
    base = f"http://{host}:{port}/proxies"
    try:
        names = [name for name in requests.get(base, timeout=REPLY_TIMEOUT_S).json() if _is_link(name)]
        if names and (using := [one for one in marked() if one.toxiproxy_url == url]):
            yield f"left alone: {len(names)} proxies at {host}:{port}, while the run in {using[0].run} goes on"
            return
        for name in names:
            requests.delete(f"{base}/{quote(name, safe='')}", timeout=REPLY_TIMEOUT_S).raise_for_status()
            yield f"deleted the proxy {name} at {host}:{port}"
    except (requests.RequestException, ValueError) as error:
        raise HarnessError(
            f"The Toxiproxy at TOXIPROXY_URL={url} does not answer or reports an error. Is it running?"
        ) from error


def _is_link(name: str) -> bool:
    source, arrow, target = name.partition(">")
    return bool(source and arrow and target) and ">" not in target
