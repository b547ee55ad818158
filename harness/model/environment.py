"""What faults act on: the processes, links, disks, clocks, packets and moments of a running system, as small protocols.

A cluster of real processes implements them (`harness.cluster`), and so does the simulator. A method that cannot do what it is
asked to raises `FaultError` with the reason.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

from harness.model.evidence import Evidence
from harness.model.flips import Flips, Seen
from harness.model.moment import Moment
from harness.model.packets import Dropped, Flow, Shaping
from harness.model.steering import Counter, Setting, Term, Tracked
from harness.model.system import Address, Link, Node, System
from harness.model.window_work import Work


class Processes(Protocol):
    """The system's processes. `label` names the window that asks, so that overlapping windows do not undo each other's work."""

    def pid(self, name: str) -> int:
        """The pid of the node's process. Raises `FaultError` while it does not run."""

    def runs(self, name: str) -> bool: ...

    def state(self, name: str) -> str:
        """The kernel's state of the process: "stopped", "running", "sleeping", …; "gone" if there is none."""

    async def kill(self, name: str, label: str) -> int:
        """SIGKILL a node, which stays down until every window that killed it has called `restart`; returns its exit code."""

    async def terminate(self, name: str, label: str, grace_s: float) -> int:
        """SIGTERM a node, then SIGKILL it if it still runs after `grace_s`; otherwise as `kill`."""

    async def restart(self, name: str, label: str) -> int | None:
        """End a window's `kill` or `terminate`; returns the new pid.

        None if this window does not hold the node down, if another window still does, or if another window killed it as it
        started. Raises `NodeDown` if it does not start.
        """

    def stop(self, name: str, label: str) -> int:
        """SIGSTOP a node until every window that stopped it has called `resume`; returns its pid."""

    def resume(self, name: str, label: str) -> bool:
        """End a window's `stop`. Returns whether this resumed the node."""

    def configure(self, name: str, config: Mapping[str, object]) -> None:
        """Change these settings of a node, and no others, from its next start on."""

    def limit(self, name: str, which: int, label: str, limit: int) -> None:
        """Set a soft limit of the node's process; `which` is one of `resource`'s RLIMIT_ constants. The strictest wins."""

    def limit_of(self, name: str, which: int) -> float:
        """The current soft limit of the node's process, infinity if there is none."""

    def unlimit(self, label: str) -> None:
        """End a window's limits. A process that no window limits any more gets its original limit back."""

    def limit_cpu(self, name: str, label: str, share: float) -> None:
        """Give a node this share of one CPU until `unlimit_cpu`. Raises `FaultError` if this machine cannot."""

    def throttled(self, name: str, pid: int) -> int:
        """How often a process of a node with a CPU limit has been throttled so far. It may have ended."""

    def cpu_s(self, name: str) -> float:
        """CPU time of the node's process and of all below it since its start; NaN if it has just ended."""

    def unlimit_cpu(self, label: str) -> None:
        """End a window's CPU limits."""

    async def answer_ms(self, name: str, timeout_s: float) -> float:
        """How long a node takes to answer on a new connection. Raises `FaultError` if it does not."""

    def log(self, name: str) -> Path:
        """The node's log, which all its starts append to. Raises `FaultError` if it is not a file."""

    def log_bytes(self, name: str) -> int:
        """The current length of that log."""

    def log_lines(self, name: str, offset: int) -> AsyncGenerator[str, None]:
        """Each complete line of the log from a byte offset on, as it is written. Endless."""


@dataclass(frozen=True, kw_only=True)
class LinkCounters:
    """One link's traffic: bytes read from either end, and bytes sent on to the other."""

    received_bytes: Mapping[str, int] = field(default_factory=dict)
    """By direction, "upstream" (to the link's target) and "downstream" (from it)."""
    sent_bytes: Mapping[str, int] = field(default_factory=dict)
    connections: int = 0

    def held_bytes(self, direction: str) -> int:
        """Bytes that came in and did not go out in one direction."""
        return self.received_bytes.get(direction, 0) - self.sent_bytes.get(direction, 0)


class Links(Protocol):
    """The system's links, each a proxy of the fault plane."""

    @property
    def all(self) -> Sequence[Link]: ...

    async def add_toxic(
        self, link: str, name: str, *, kind: str, stream: str, attributes: Mapping[str, float | str], toxicity: float = 1.0
    ) -> None:
        """Add a toxic to a link's "upstream" (to its target) or "downstream" (from it) half, on a share of its connections."""

    async def remove_toxic(self, link: str, name: str) -> None:
        """Remove a toxic. Does nothing if there is none."""

    async def toxic_hits(self) -> Mapping[tuple[str, str], int]:
        """How often each toxic acted, by link and name. Only this project's own toxics and its latency count that."""

    async def counters(self) -> Mapping[str, LinkCounters]:
        """The traffic of each link so far, by name."""

    async def round_trip_ms(self, link: Link, timeout_s: float = 1.0) -> float:
        """How long the link's target takes to answer a request through the link. Raises `FaultError` if it does not."""


class StoredFile(Protocol):
    """One file of a node, for faults that damage it behind the node's back. Each method raises `FaultError` if it fails."""

    def size(self) -> int:
        """In bytes; 0 if it is gone."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes; fewer at the end of the file."""

    def write_at(self, offset: int, data: bytes) -> None: ...

    def truncate(self, length: int) -> None: ...


class Disks(Protocol):
    """The nodes' disks. All but `files` raise `FaultError` for a foreign program, whose disk the harness does not control."""

    def files(self, name: str, pattern: str = "*") -> Mapping[str, StoredFile]:
        """A node's files whose paths below its folder match the pattern, sorted by path, without half-written ones."""

    def hold(self, name: str, setting: Setting, label: str, value: int) -> None:
        """Add this value to a setting until the window releases it."""

    def release(self, name: str, setting: Setting, label: str) -> None:
        """End a window's `hold`. Does nothing if there was none."""

    def count(self, name: str, counter: Counter) -> int: ...

    def tracked(self, name: str) -> Sequence[Tracked]:
        """Which part of each file is durable. Raises `FaultError` if that is not known of every file."""


class Clocks(Protocol):
    """The nodes' wall clocks. Raises `FaultError` for a foreign program without `fake_clock`."""

    def deviate(self, label: str, names: Sequence[str], term: Term) -> None:
        """Add one more term to the error of these clocks until `end_deviation`."""

    async def end_deviation(self, label: str, names: Sequence[str]) -> None:
        """End a window's `deviate`. Does nothing if there was none."""

    def deviation_ns(self, name: str, now_ns: int) -> int:
        """The error that the clock is meant to have at a time of the monotonic clock."""

    def resolution_ns(self, name: str) -> int:
        """The resolution of the time that the node reports."""

    def reads(self, name: str) -> int | None:
        """How often the node's own code has read its clock; None for a foreign program, which does not count reads."""

    async def shown_ns(self, name: str) -> int | None:
        """The time on the node's clock, in nanoseconds since 1970; None if the node does not answer."""


class Packets(Protocol):
    """The packets between nodes in network namespaces. Raises `FaultError` if the nodes have none. Every call blocks."""

    def drop(self, label: str, flows: Sequence[Flow]) -> None:
        """Drop all packets of these flows silently. If this raises, none of the flows is dropped."""

    def stop_dropping(self, label: str) -> Sequence[Dropped]:
        """Undo `drop`. Returns the losses of each flow, in their order; empty if nothing was being dropped."""

    def limit(self, label: str, name: str, kbit_per_s: float) -> None:
        """Limit the rate at which a node sends and receives. If several windows limit it, the strictest limit wins."""

    def unlimit(self, label: str) -> None:
        """End a window's limits."""

    def shaping(self, name: str) -> Mapping[str, Shaping]:
        """The effect of a node's limit so far on what it sends, "out", and on what it receives, "in"; empty without a limit."""


class Moments(Protocol):
    """Nodes that stop themselves at a moment of their own work."""

    def expect(self, label: str, names: Sequence[str], moment: Moment) -> None:
        """Make each of these nodes stop itself when it reaches the moment. Raises `FaultError` if a node cannot.

        Call `go_on` afterwards, even after an error.
        """

    def reached(self, label: str) -> str | None:
        """The node that has stopped itself, None while there is none."""

    def seen(self, label: str) -> Mapping[str, int]:
        """How often each node has done what the moment counts."""

    def go_on(self, label: str) -> None:
        """Stop waiting for the moment. Resumes a node that has stopped itself, unless it was killed or a window stops it."""


class Memories(Protocol):
    """Values that nodes compute or keep in memory and report; see `harness.node.context.NodeContext.computed`."""

    def flip(self, label: str, name: str, flips: Flips) -> None:
        """Flip bits until `stop`. Raises `FaultError` for a foreign program, or if there is no room for one more fault."""

    def seen(self, label: str, name: str) -> Seen | None:
        """The flips so far; None if none were asked for."""

    def stop(self, label: str, name: str) -> None:
        """Stop flipping. Does nothing if there was no `flip`."""


class Background(Protocol):
    """Work that goes on while windows hold, one piece per window."""

    def begin(self, label: str, work: Work) -> None:
        """Start a window's work."""

    async def end(self, label: str) -> Evidence | None:
        """End a window's work and return what it saw, None if it never began. Raises what the work raised."""


class Environment(Protocol):
    """A running system, as faults see it."""

    @property
    def system(self) -> System: ...
    @property
    def nodes(self) -> Mapping[str, Node]: ...
    @property
    def processes(self) -> Processes: ...
    @property
    def links(self) -> Links: ...
    @property
    def disks(self) -> Disks: ...
    @property
    def clocks(self) -> Clocks: ...
    @property
    def packets(self) -> Packets: ...
    @property
    def moments(self) -> Moments: ...
    @property
    def memories(self) -> Memories: ...
    @property
    def background(self) -> Background: ...

    def monotonic_ns(self) -> int:
        """The monotonic clock of the machine that the harness runs on."""

    def time_ns(self) -> int:
        """That machine's correct wall clock: nanoseconds since 1970."""

    def address(self, name: str) -> Address:
        """The address on which the node itself listens, not a link's."""

    def steps_done(self) -> int:
        """How many steps a training has done so far. Raises `FaultError` if the system does not train."""

    def random(self, component: str) -> Random:
        """A random stream of this run, for draws outside the nodes."""
