"""The nouns: what a drill is made of. Plain frozen values, no I/O; the docstring of each says what it is for."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from harness import selector
from harness.composition import AtRates as AtRates
from harness.composition import InTurn as InTurn
from harness.composition import Randomly as Randomly
from harness.errors import UsageError
from harness.fake_clocks import missing as missing_for_clocks
from harness.fault import Aim as Aim
from harness.fault import Composition as Composition
from harness.fault import Evidence as Evidence
from harness.fault import Fault as Fault
from harness.fault import Flapping as Flapping
from harness.fault import Targets as Targets
from harness.fault import Window as Window
from harness.hosts import missing as missing_for_hosts
from harness.placeholders import peers_in
from results.guard import Guard
from results.slo import SLO
from workloads.shapes import Shape

if TYPE_CHECKING:
    from harness.history import History

Address = tuple[str, int]
"""Host and port."""

Outcome = Literal["ok", "failed", "unknown"]
"""What became of a call: done; surely not done; nobody knows."""


# ---------------------------------------------------------------------------------------------------------- topology


@dataclass(frozen=True, kw_only=True)
class Node:
    """One OS process of a system: a module of this project's kind (`code`) or a foreign program (`command`)."""

    name: str
    code: str | None = None
    """Module that holds `async def main(node)`; see `harness.node.Node` for what it is handed."""
    command: tuple[str, ...] = ()
    """Argument vector of a foreign program; `{host}`, `{port}`, `{data}` are filled in, and for each of its
    peers `{peer:NAME}` (host:port, through the link), `{peer_host:NAME}` and `{peer_port:NAME}`."""
    peers: tuple[str, ...] = ()
    """The nodes it calls. Each makes a directed link `name>peer` through the fault plane."""
    config: Mapping[str, object] = field(default_factory=dict)
    """JSON-shaped settings, read back with their types by `node.config(Type)`."""
    replica: bool = True
    """Whether the selectors "one", "minority", "majority" and "all" choose among nodes like this one."""
    fake_clock: bool = False
    """For a foreign program: whether its clock can be made wrong, by libfaketime. Each look at it then reads a file."""

    def __post_init__(self) -> None:
        if (self.code is None) == (not self.command):
            raise UsageError(
                f"Node {self.name!r} needs either code= (a module with `async def main(node)`) or command= (an argument"
                f" vector); it has {'neither' if self.code is None else 'both'}."
            )
        if self.fake_clock and not self.command:
            raise UsageError(f"Node {self.name!r}: fake_clock= is for foreign programs; a node with code= needs none.")
        for name in peers_in(self.command):
            if name not in self.peers:
                raise UsageError(
                    f"Node {self.name!r}: its command asks for the address of {name!r}, which is not among its"
                    f" peers=({', '.join(map(repr, self.peers))}). Add it there."
                )


@dataclass(frozen=True, kw_only=True, order=True)
class Link:
    """One directed edge `source>target`: the connections that `source` opens to `target`. Always a proxy."""

    source: str
    target: str

    @property
    def name(self) -> str:
        return f"{self.source}>{self.target}"


CLIENT = "client"
"""The source of the links that the load generator uses."""

_NODE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
"""It is part of file names, of links' names and of URLs."""

_TAKEN = {CLIENT, "fault-plane", "warden", *selector.WORDS}


class CallFailed(Exception):
    """A call that surely did not take effect. Any other exception from `Client.invoke` leaves its fate unknown."""


@dataclass(frozen=True, slots=True)
class Call:
    """One thing asked of a system. Values are texts (JSON where they have a structure), so that any log can hold them."""

    kind: str
    key: str
    value: str | None = None
    """What is written, where something is."""
    expected: str | None = None
    """The right answer, where it is known beforehand."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system answered: the value read, and the node that answered where the answer tells."""

    value: str | None = None
    node: str = ""


class Client(Protocol):
    """One sequential user of a system: never called again before its last call has returned or was given up."""

    async def invoke(self, call: Call) -> Answer:
        """Do one call. Raises `CallFailed` where it surely had no effect; anything else raised means unknown."""

    async def close(self) -> None: ...


@runtime_checkable
class System(Protocol):
    """A topology of nodes and links, with a client. A frozen dataclass, so that it travels to the generator as JSON."""

    def nodes(self) -> Sequence[Node]:
        """Every process, in starting order."""

    def entries(self) -> Sequence[str]:
        """The nodes that clients talk to; each makes a link `client>name`."""

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        """The `index`-th client; `entries` are the addresses of the entry nodes, behind their links. Opens nothing yet."""


@runtime_checkable
class HasRequirements(Protocol):
    """A system that runs only where something else is installed."""

    def missing(self) -> str | None:
        """What this machine lacks, and how to get it, in one line; None where it lacks nothing."""


@runtime_checkable
class HasPreload(Protocol):
    """A system whose nodes' heavy imports are done once, in the process that they are forked from."""

    def preload(self) -> Sequence[str]: ...


@runtime_checkable
class HasPrepare(Protocol):
    """A system that makes something before any node starts (trains a model); a second call finds it made."""

    def prepare(self) -> None: ...


@runtime_checkable
class HasLeader(Protocol):
    """A system that can say which node leads now; it is what the selector "leader" asks."""

    async def leader(self, addresses: Mapping[str, Address]) -> str: ...


@runtime_checkable
class HasProbe(Protocol):
    """A system whose nodes do not speak this project's wire: says whether the node at an address answers."""

    async def probe(self, address: Address) -> None:
        """Returns when the node answered; raises any `OSError` when it did not."""


@runtime_checkable
class HasClock(Protocol):
    """A system whose foreign programs can be asked what their clocks show."""

    async def time_ns(self, address: Address) -> int:
        """Nanoseconds since 1970 by the clock of the node at an address; raises any `OSError` where it does not say."""


def missing_for(system: System, *, hosts: bool) -> str | None:
    """What this machine lacks to run a system, in one line; None where it lacks nothing."""
    missing = system.missing() if isinstance(system, HasRequirements) else None
    clocks = missing_for_clocks() if any(node.fake_clock for node in system.nodes()) else None
    return missing or clocks or (missing_for_hosts() if hosts else None)


def links_of(system: System) -> list[Link]:
    """Every directed edge of a system, the clients' first."""
    clients = [Link(source=CLIENT, target=name) for name in system.entries()]
    return clients + [Link(source=node.name, target=peer) for node in system.nodes() for peer in node.peers]


# -------------------------------------------------------------------------------------------------------------- load


class Workload(Protocol):
    """What is asked: calls drawn from a seeded stream."""

    def calls(self, random: Random) -> Iterator[Call]:
        """An endless stream; the same `random` gives the same calls."""


@runtime_checkable
class HasFinalCalls(Protocol):
    """A workload that asks something once more when all faults are healed, so that losses show."""

    def final_calls(self) -> Iterable[Call]: ...


@dataclass(frozen=True, kw_only=True)
class Load:
    """When it is asked: open loop. `rate` calls a second fall due on a schedule fixed beforehand, whatever the answers do."""

    rate: float
    seconds: float
    clients: int = 10
    """Calls in flight at most; one that falls due while all are busy waits, and its latency counts from when it was due."""
    arrivals: Literal["constant", "poisson"] = "poisson"
    shape: Shape | None = None
    """How the rate changes, in multiples of `rate`: `Ramp`, `Steps`, `Spikes`, `Diurnal`, `Replay`. None: it does not."""
    timeout_ms: float = 1000.0
    """After this long without an answer a call is given up, its fate unknown."""

    def __post_init__(self) -> None:
        for name in ("rate", "seconds", "clients", "timeout_ms"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
                raise UsageError(f"Load({name}={value!r}): must be a number above 0.")
        if self.arrivals not in ("constant", "poisson"):
            raise UsageError(f"Load(arrivals={self.arrivals!r}): no such arrival process. Use 'constant' or 'poisson'.")


# ---------------------------------------------------------------------------------------------------------- judgement


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a checker found. `valid` is None where it cannot decide; `why` is one sentence; `ops` are rows of `history.ops`."""

    valid: bool | None
    why: str
    ops: tuple[int, ...] = ()


Checker = Callable[["History"], Verdict]
"""A pure function from what happened to a verdict; its name and the first line of its docstring describe it."""


# -------------------------------------------------------------------------------------------------------------- drill


@dataclass(frozen=True, kw_only=True)
class Drill:
    """A system, load on it, faults in it, and what it must keep to all the while."""

    system: System
    workload: Workload
    load: Load
    faults: Sequence[Composition] = ()
    """Windows, such as `Kill("one").between(2, 4)`, and compositions of them: `Randomly`, `AtRates`, `InTurn`, `Flapping`."""
    checks: Sequence[Checker] = ()
    slos: Sequence[str] = ()
    guard: str | None = None
    """The limit at which the drill is stopped, "availability < 50% for 3s" for one: all is healed at once and the load ends."""
    caught_by: Checker | None = None
    """For a drill whose system is known to be wrong: the check that must find it out."""
    hosts: bool = False
    """Each node, and the load generator, gets a machine of its own (a network namespace) and calls the others directly: no
    proxies. For `Blackhole`, `CutPackets` and `RateLimit`. Needs root."""
    nightly: bool = False
    """Left out of the default suite, which is over in about two minutes; run by name, by folder, or with `-m nightly`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "faults", tuple(self.faults))
        object.__setattr__(self, "checks", tuple(self.checks))
        object.__setattr__(self, "slos", tuple(self.slos))
        for text in self.slos:
            SLO.parse(text)
        if self.guard is not None:
            Guard.parse(self.guard)
        if self.caught_by is not None and self.caught_by not in self.checks:
            raise UsageError(f"Drill(caught_by={self.caught_by.__name__}): that check is not among checks=[…]. Add it there.")
        self._check_nodes()
        for item in self.faults:
            self._check_faults(item)

    def _check_nodes(self) -> None:
        names = [node.name for node in self.system.nodes()]
        for name in names:
            if not _NODE_NAME.fullmatch(name):
                raise UsageError(
                    f"Node {name!r}: a node's name is letters, digits, '_', '-' and '.', and begins with a letter."
                )
            if name in _TAKEN:
                raise UsageError(f"Node {name!r}: that name means something else here. Use another one.")
            if names.count(name) > 1:
                raise UsageError(f"Node {name!r}: there are {names.count(name)} nodes of that name. Names are unique.")
        for link in links_of(self.system):
            if link.target not in names:
                raise UsageError(f"Link {link.name!r}: there is no node {link.target!r}. There are: {', '.join(names)}.")

    def _check_faults(self, item: Composition) -> None:
        ends_s = item.ends_s(self.load.seconds)
        if ends_s > self.load.seconds:
            raise UsageError(
                f"A window ends at {ends_s:g} s, after the load stops at {self.load.seconds:g} s, so nobody would see it."
                " End it earlier, or raise load.seconds."
            )
        for fault in item.faults:
            check_fault(fault, self.system, hosts=self.hosts)


def check_fault(fault: Fault, system: System, *, hosts: bool = False) -> None:
    """Raise `UsageError` unless a fault makes sense in a system, and its target is there."""
    if fault.needs is not None and not isinstance(system, fault.needs):
        raise UsageError(
            f"{type(fault).__name__} needs a system with the capability {fault.needs.__name__};"
            f" {type(system).__name__} does not have it. Use another fault, or add it to the system."
        )
    kind = type(fault).__name__
    if fault.on_hosts and not hosts:
        raise UsageError(f"{kind} acts on packets between machines. Give the drill hosts=True, or use Isolate or Partition.")
    if hosts and fault.aims_at == "links" and not fault.on_hosts:
        raise UsageError(
            f"{kind} acts on proxies, and the machines of Drill(hosts=True) call each other directly."
            " Use Blackhole, CutPackets or RateLimit, or leave hosts=True out."
        )
    selector.check(
        fault.target,
        system.nodes(),
        links_of(system),
        links_allowed=fault.aims_at == "links",
        has_leader=isinstance(system, HasLeader),
    )
    fault.check(system)
