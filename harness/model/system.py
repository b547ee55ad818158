"""What a system is made of: nodes, links, a client, and the optional capabilities that faults and the runner ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol, runtime_checkable

from harness.model.errors import UsageError
from harness.model.history import History
from harness.model.placeholders import INTERNAL, own_in, peers_in

START_TIMEOUT_S: Final = 30.0
"""How long a node may take to start, unless it says something else."""

Address = tuple[str, int]
"""Host and port."""

Outcome = Literal["ok", "failed", "unknown"]
"""What became of a call: done; certainly not done; not known."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One OS process of a system: a module of this project's kind (`code`) or a foreign program (`command`)."""

    name: str
    code: str | None = None
    """Module that holds `async def main(node)`; see `harness.node.context.NodeContext` for what it is handed."""
    command: tuple[str, ...] = ()
    """Argument vector of a foreign program; `{host}`, `{port}`, `{data}` are filled in, and for each of its
    peers `{peer:NAME}` (host:port, through the link), `{peer_host:NAME}` and `{peer_port:NAME}`."""
    peers: tuple[str, ...] = ()
    """The nodes it calls. Each makes a directed link `name>peer` through the fault plane."""
    config: Mapping[str, object] = field(default_factory=dict)
    """JSON-shaped settings, read back with their types by `node.config(Type)`."""
    replica: bool = True
    """Whether the selectors "one", "minority", "majority" and "all" choose among nodes like this one."""
    setup: str | None = None
    """For a foreign program: a module with `def setup(spec: NodeSpec) -> Sequence[str]`, called in the node's process before
    each start of the program. It may prepare the node's folder, look how its peers are, and wait for them; it returns
    arguments that are added to the command."""
    starts_within_s: float = START_TIMEOUT_S
    """A node that does not answer so long after its start will not start."""
    fake_clock: bool = False
    """For a foreign program: whether its clock can be made wrong, by libfaketime. Each look at it then reads a file."""
    internal: bool = False
    """For a foreign program: whether other nodes reach it on a port of its own, `{internal_port}`; clients use `{port}`.

    Programs tell all their peers one name and port of themselves, while each source has a link of its own. So the links from
    other nodes to this one have that same port, each on a loopback address of its own, `{peer_host:NAME}`."""

    def __post_init__(self) -> None:
        if (self.code is None) == (not self.command):
            raise UsageError(
                f"Node {self.name!r} needs either code= (a module with `async def main(node)`) or command= (an argument"
                f" vector); it has {'neither' if self.code is None else 'both'}."
            )
        if self.fake_clock and not self.command:
            raise UsageError(f"Node {self.name!r}: fake_clock= is for foreign programs; a node with code= needs none.")
        if self.setup is not None and not self.command:
            raise UsageError(f"Node {self.name!r}: setup= is for foreign programs; a node with code= prepares itself.")
        if self.internal and not self.command:
            raise UsageError(f"Node {self.name!r}: internal= is for foreign programs; a node with code= has one port for all.")
        if INTERNAL in own_in(self.command) and not self.internal:
            raise UsageError(f"Node {self.name!r}: its command asks for {{{INTERNAL}}}. Give the node internal=True.")
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


class CallFailed(Exception):
    """A call that surely did not take effect. Any other exception from `Client.invoke` leaves its fate unknown."""


@dataclass(frozen=True, slots=True)
class Call:
    """One thing asked of a system. Values are texts (JSON if they have a structure), so that any log can hold them."""

    kind: str
    key: str
    value: str | None = None
    """What is written; None if nothing is."""
    expected: str | None = None
    """The right answer; None if it is not known beforehand."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system answered: the value read, and the node that answered if the answer tells."""

    value: str | None = None
    node: str = ""


class Client(Protocol):
    """One sequential user of a system: never called again before its last call has returned or was given up."""

    async def invoke(self, call: Call) -> Answer:
        """Do one call. Raises `CallFailed` if it surely had no effect; anything else raised means unknown."""

    async def close(self) -> None: ...


@runtime_checkable
class HasAttempts(Protocol):
    """A client that asks again by itself."""

    @property
    def attempts(self) -> int:
        """How often the last call was asked, at least once."""


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
class HasCaveats(Protocol):
    """A system whose settings may promise less than it usually does."""

    def caveats(self) -> Sequence[str]:
        """What these settings promise less, a line each; said before a run, for a check may then fail with good reason."""


@runtime_checkable
class HasRequirements(Protocol):
    """A system that runs only if something else is installed."""

    def missing(self) -> str | None:
        """What this machine lacks, and how to get it, in one line; None if it lacks nothing."""


@runtime_checkable
class HasInstall(Protocol):
    """A system whose program the harness itself can put here: `harness install NAME`."""

    def install(self) -> Path:
        """Install it and return where it is. Raises a `HarnessError` with what is missing or went wrong."""


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
class HasQuietTime(Protocol):
    """A system whose replicas agree only some time after the last change: final calls are made that much later."""

    @property
    def quiet_s(self) -> float: ...


@runtime_checkable
class HasHandOver(Protocol):
    """A system whose leader can be asked to let another node lead."""

    async def hand_over(self, name: str, addresses: Mapping[str, Address]) -> str | None:
        """Have a node lead; why it does not, None if it does."""


@runtime_checkable
class HasMembers(Protocol):
    """A system whose nodes can be told that one of them comes to belong to it, or no longer does, as it runs."""

    async def change_member(self, name: str, joins: bool, addresses: Mapping[str, Address]) -> str | None:
        """Return when a node belongs to the system, or does not: why that failed, None if it is so."""


@runtime_checkable
class HasProbe(Protocol):
    """A system whose nodes do not speak this project's wire: says whether the node at an address answers."""

    async def probe(self, address: Address) -> None:
        """Returns when the node answered; raises any `OSError` when it did not."""


@runtime_checkable
class HasClock(Protocol):
    """A system whose foreign programs can be asked what their clocks show."""

    async def time_ns(self, address: Address) -> int:
        """Nanoseconds since 1970 by the clock of the node at an address; raises any `OSError` if it does not say."""


@runtime_checkable
class HasFailover(Protocol):
    """A system in which somebody outside it decides which node leads: what the operation `Failover` does."""

    async def leads(self, address: Address) -> bool:
        """Whether the node at an address takes itself for the leader; raises any `OSError` if it does not say."""

    async def promote(self, address: Address) -> None:
        """Make the node at an address the leader; returns when it is. Raises any `OSError` if it does not become one.

        A node that is started later, while another one leads, must come back as a follower of that one.
        """


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What the nodes of a training have written down: rows of the history's `steps` and `events`, times as they were taken."""

    steps: list[dict[str, object]]
    events: list[dict[str, object]]


@runtime_checkable
class HasSteps(Protocol):
    """A system that trains: what it did, and what it does if nothing disturbs it."""

    def trained(self, data: Mapping[str, Path]) -> Trained:
        """What its nodes have done so far, from the folders that they keep their files in."""

    def steps_done(self, data: Mapping[str, Path]) -> int:
        """How many steps the node that is furthest has done. Takes well under a millisecond: faults wait for it."""

    def control(self, steps: int) -> list[dict[str, object]]:
        """The first steps of an undisturbed training, as rows of the history's `steps`. May take as long as they do."""


@runtime_checkable
class HasReplay(Protocol):
    """A system whose runs may have no common order of steps: what it is compared with follows from what it did."""

    def replay(self, history: History) -> list[dict[str, object]] | None:
        """The control, as rows of the history's `steps`: what was done, done again by one process in the recorded order.

        None if these settings have the usual control.
        """


def links_of(system: System) -> list[Link]:
    """Every directed edge of a system, the clients' first."""
    clients = [Link(source=CLIENT, target=name) for name in system.entries()]
    return clients + [Link(source=node.name, target=peer) for node in system.nodes() for peer in node.peers]
