"""The resources that processes hold and the CPU time they get, by `/proc` and, for nodes in Python, by their own reports.

Sources: proc(5) for `/proc/PID/fd`, `/proc/PID/stat`, `/proc/PID/status` (VmHWM) and `/proc/stat`;
Documentation/scheduler/sched-stats.rst of the Linux kernel for `/proc/PID/schedstat`, whose second number is the time during
which the main thread was runnable but waited for a CPU.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from harness.cluster.cpu_time import TICK_NS, cpu_ns_of
from harness.cluster.fault_plane import PLANE
from harness.cluster.sockets import descriptors_of, is_socket, sockets_of
from harness.http.client import HttpClient
from harness.http.message import TransportError
from harness.model.system import CLIENT, Address, HasProbe
from harness.node.context import NODE_PATH, NodePage

if TYPE_CHECKING:
    from harness.cluster.cluster import Cluster

MACHINE: Final = ""
"""The machine itself, in `Usage.node`."""

_ANSWER_S: Final = 0.5
_AGAIN_S: Final = 0.1
_UTIME, _STIME = 11, 12
"""Fields of `/proc/PID/stat`, counted after the program's name, which may itself contain spaces."""


class Usage(msgspec.Struct, kw_only=True):
    """A row of the history's `usage`; `at_ns` is on the monotonic clock until the history is built."""

    at_ns: int
    node: str
    pid: int
    moment: str
    ran_ns: int | None = None
    waited_ns: int | None = None
    descriptors: int | None = None
    sockets: int | None = None
    tasks: int | None = None
    accepted: int | None = None
    in_use: int | None = None
    idle: int | None = None
    surplus: int | None = None
    opened: int | None = None
    cpu_ns: int | None = None
    peak_bytes: int | None = None
    unsettled: str | None = None
    abandoned: int | None = None

    @property
    def looked_into(self) -> bool:
        """Whether it is known what the process holds: by its own report, or as seen from outside."""
        return self.tasks is not None or self.abandoned is not None

    def take(self, page: NodePage) -> None:
        """Fill in what a node says of itself."""
        self.tasks = page.tasks
        self.unsettled = None if page.unsettled is None else msgspec.json.encode(page.unsettled).decode()
        for name in ("accepted", "in_use", "idle", "surplus", "opened"):
            setattr(self, name, getattr(page.connections, name))


class UsageLog:
    """The usage of a run's processes, look by look."""

    def __init__(self, cluster: Cluster) -> None:
        self.rows: list[Usage] = []
        self._cluster = cluster
        self._begun: set[tuple[str, int]] = set()
        """The processes that were inspected soon after their start."""

    async def look(self) -> None:
        """Look at every process and at the machine; inspect what a process holds only if it is new."""
        self.rows.append(machine("load"))
        running = self._running()
        new = [(name, pid) for name, pid in running if (name, pid) not in self._begun and name != PLANE]
        known = [given_to(name, pid, "load") for name, pid in running if (name, pid) not in new]
        with_all_below([row for row in known if row.node != PLANE and not self._reports(row.node)])
        self.rows += known
        self.rows += await self._inside(new, "start")

    async def last_look(self, left: Callable[[Sequence[Usage]], int], within_s: float, most_s: float) -> None:
        """Inspect what every process holds at the end, as `with_last_looks` does."""
        nodes = [(name, pid) for name, pid in self._running() if name != PLANE]

        async def look() -> list[Usage]:
            return [machine("end"), *await self._inside(nodes, "end")]

        self.rows = await with_last_looks(self.rows, look, left, within_s=within_s, most_s=most_s, again_s=_AGAIN_S)

    async def _inside(self, nodes: Sequence[tuple[str, int]], moment: str) -> list[Usage]:
        seen = await asyncio.gather(*(self._held(name, pid, moment) for name, pid in nodes))
        self._begun |= {(row.node, row.pid) for row in seen if row.looked_into}
        return seen

    async def _held(self, name: str, pid: int, moment: str) -> Usage:
        if self._reports(name):
            return await held_by(name, pid, self._cluster.address(name), moment)
        return seen_at(name, pid, moment)

    def _running(self) -> list[tuple[str, int]]:
        processes = self._cluster.processes
        return [(name, processes.pid(name)) for name in (*self._cluster.nodes, CLIENT, PLANE) if processes.runs(name)]

    def _reports(self, name: str) -> bool:
        """Whether it reports about itself at `NODE_PATH`."""
        nodes = self._cluster.nodes
        ours = name in nodes and nodes[name].code is not None and not isinstance(self._cluster.system, HasProbe)
        return ours or name == CLIENT


async def with_last_looks(
    earlier: Sequence[Usage],
    look: Callable[[], Awaitable[Sequence[Usage]]],
    left: Callable[[Sequence[Usage]], int],
    *,
    within_s: float,
    most_s: float,
    again_s: float,
) -> list[Usage]:
    """Earlier rows, and what `look` sees in the end: once nothing is left to do, else at first ("over") and in the end.

    The end is when there was not less to do than ever before for `within_s`, or after `most_s`.
    """
    clock = asyncio.get_running_loop().time
    rows, latest_s, overs = list(earlier), clock() + most_s, list[Usage]()
    least, give_up_s = math.inf, latest_s
    while True:
        seen = await look()
        if (now := left([*rows, *overs, *seen])) < least:
            least, give_up_s = now, min(clock() + within_s, latest_s)
        if not now or clock() >= give_up_s:
            return [*rows, *overs, *seen]
        overs = overs or [msgspec.structs.replace(row, moment="over") for row in seen if row.node != MACHINE]
        await asyncio.sleep(again_s)


async def held_by(node: str, pid: int, address: Address, moment: str) -> Usage:
    """What a node's process holds, by the kernel and by the node's own report; null if neither says."""
    client = HttpClient(address)
    try:
        page = (await client.request("GET", NODE_PATH, timeout_s=_ANSWER_S)).decode(NodePage)
    except (TransportError, msgspec.MsgspecError):
        return _descriptors(given_to(node, pid, moment))
    finally:
        client.close()
    found = _descriptors(given_to(node, pid, moment))
    found.take(page)
    return found


def seen_at(node: str, pid: int, moment: str) -> Usage:
    """What a program that does not report about itself holds, with all processes below it; null if it is gone."""
    found = given_to(node, pid, moment)
    with_all_below([found])
    if held := sockets_of(pid):
        found.descriptors, found.sockets, found.abandoned = held.descriptors, held.sockets, held.abandoned
    return found


def given_to(node: str, pid: int, moment: str) -> Usage:
    """The CPU time and peak memory of a process, and how long it waited for a CPU; null if it is gone."""
    found = Usage(at_ns=time.monotonic_ns(), node=node, pid=pid, moment=moment)
    try:
        ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        peak = next((line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM:")), None)
    except (OSError, ValueError):
        return found
    found.ran_ns, found.waited_ns = int(ran), int(waited)
    found.cpu_ns = (int(stat[_UTIME]) + int(stat[_STIME])) * TICK_NS
    found.peak_bytes = None if peak is None else int(peak.split()[1]) * 1024
    return found


def with_all_below(rows: Sequence[Usage]) -> None:
    """Add the CPU time of all processes below these, as a program that serves by child processes uses no other."""
    if rows:
        used_ns = cpu_ns_of(row.pid for row in rows)
        for row in rows:
            row.cpu_ns = used_ns.get(row.pid, row.cpu_ns)


def machine(moment: str) -> Usage:
    """The machine's own row: how long its CPUs ran in total, and how long its hypervisor took them away (steal), on average."""
    total, *each = [line.split()[1:] for line in Path("/proc/stat").read_text().splitlines() if line.startswith("cpu")]
    user, nice, system, _idle, _iowait, irq, softirq, steal, *_ = map(int, total)
    cpus = max(1, len(each))
    ran_ns, stolen_ns = (user + nice + system + irq + softirq) * TICK_NS, steal * TICK_NS // cpus
    return Usage(at_ns=time.monotonic_ns(), node=MACHINE, pid=0, moment=moment, ran_ns=ran_ns, waited_ns=stolen_ns)


def _descriptors(found: Usage) -> Usage:
    with contextlib.suppress(OSError):
        targets = list(descriptors_of(found.pid))
        found.descriptors, found.sockets = len(targets), sum(map(is_socket, targets))
    return found
