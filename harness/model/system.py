"""What a system consists of: nodes, links, a client, and optional capabilities that faults and the runner use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol, runtime_checkable

from harness.model.errors import UsageError
from harness.model.placeholders import INTERNAL, own_in, peers_in

if TYPE_CHECKING:  # it imports pandas, which takes nodes and every start of a run a quarter of a second
    from harness.model.history import History

START_TIMEOUT_S: Final = 30.0
"""How long a node may take to start, unless it sets another limit."""

Address = tuple[str, int]
"""Host and port."""

Outcome = Literal["ok", "failed", "unknown"]
"""The outcome of a call: it took effect; it certainly did not; it may have."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One OS process of a system: a module written for this harness (`code`) or a foreign program (`command`)."""

    name: str
    code: str | None = None
    """A module that defines `async def main(node)`; `node` is a `harness.node.context.NodeContext`."""
    command: tuple[str, ...] = ()
    """The argument vector of a foreign program; `{host}`, `{port}`, `{data}` are filled in, and for each of its
    peers `{peer:NAME}` (host:port, through the link), `{peer_host:NAME}` and `{peer_port:NAME}`."""
    peers: tuple[str, ...] = ()
    """The nodes it calls. Each makes a directed link `name>peer` through the fault plane."""
    config: Mapping[str, object] = field(default_factory=dict)
    """JSON-shaped settings, read back with their types by `node.config(Type)`."""
    replica: bool = True
    """Whether the selectors "one", "minority", "half", "majority" and "all" choose among nodes like this one."""
    setup: str | None = None
    """For a foreign program: a module with `def setup(spec: NodeSpec) -> Sequence[str]`, called in the node's process before
    each start of the program. It may prepare the node's folder, check on its peers, and wait for them; it returns arguments
    that are added to the command."""
    starts_within_s: float = START_TIMEOUT_S
    """A node that does not answer within this time after its start counts as failed to start."""
    fake_clock: bool = False
    """For a foreign program: whether libfaketime can make its clock wrong. Each reading of the clock then reads a file."""
    internal: bool = False
    """For a foreign program: whether other nodes reach it on a separate port, `{internal_port}`; clients use `{port}`.

    A program advertises one name and port to all its peers, while each source has a separate link. So the links from other
    nodes to this one all have that same port, each on its own loopback address, `{peer_host:NAME}`."""

    def __post_init__(self) -> None:
        for field_name, example in (("command", '("my-server", "--port", "{port}")'), ("peers", '("n2", "n3")')):
            if isinstance(text := getattr(self, field_name), str):
                raise UsageError(
                    f"Node {self.name!r}: {field_name}={text!r} is one text. Give its parts, such as {field_name}={example}."
                )
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
    """A call that certainly had no effect. After any other exception from `Client.invoke` the outcome is unknown."""


class OutcomeUnknown(Exception):
    """A call of unknown outcome whose answer is known nonetheless: `value`, as in `Answer`.

    A consumer has a message that it took, even if it cannot tell whether the system knows that it has dealt with it.
    """

    def __init__(self, why: str, value: str) -> None:
        super().__init__(why)
        self.value = value


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a system. Values are texts (JSON if they have a structure), so that any log can hold them."""

    kind: str
    key: str
    value: str | None = None
    """The value to write; None if there is none."""
    expected: str | None = None
    """The right answer; None if it is not known beforehand."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A system's answer: the value read, and the node that answered if the answer names it."""

    value: str | None = None
    node: str = ""


class Client(Protocol):
    """One sequential user of a system, with at most one call in flight."""

    async def invoke(self, call: Call) -> Answer:
        """Make one call. Raises `CallFailed` if it certainly had no effect; any other exception means unknown."""

    async def close(self) -> None: ...


@runtime_checkable
class HasAttempts(Protocol):
    """A client that retries by itself."""

    @property
    def attempts(self) -> int:
        """How many attempts the last call took, at least one."""


@runtime_checkable
class HasUnderWay(Protocol):
    """A client whose calls leave nothing behind: when one is over, whoever ended it, so is each of its requests."""

    @property
    def under_way(self) -> int:
        """How many of its requests have no answer yet and are not given up."""


@runtime_checkable
class System(Protocol):
    """A topology of nodes and links, with a client. A frozen dataclass, so that it can be sent to the generator as JSON."""

    def nodes(self) -> Sequence[Node]:
        """Every process, in starting order."""

    def entries(self) -> Sequence[str]:
        """The nodes that clients talk to; each makes a link `client>name`."""

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        """The `index`-th client; `entries` are the addresses of the links to the entry nodes. Opens no connection yet."""


@runtime_checkable
class HasCaveats(Protocol):
    """A system whose settings may promise less than it usually does."""

    def caveats(self) -> Sequence[str]:
        """What these settings do not promise, one line each; shown before a run, because a check may rightly fail."""


@runtime_checkable
class HasRequirements(Protocol):
    """A system that runs only if something else is installed."""

    def missing(self) -> str | None:
        """One line that says what this machine lacks and how to get it; None if it lacks nothing."""


@runtime_checkable
class HasInstall(Protocol):
    """A system whose program the harness can install: `harness install NAME`."""

    def install(self) -> Path:
        """Install it and return its path. Raises a `HarnessError` that says what is missing or went wrong."""


@runtime_checkable
class HasPreload(Protocol):
    """A system whose nodes' heavy imports are done once, in the process that they are forked from."""

    def preload(self) -> Sequence[str]: ...


@runtime_checkable
class HasPrepare(Protocol):
    """A system that builds something before any node starts (trains a model); a second call reuses it."""

    def prepare(self) -> None: ...


@runtime_checkable
class HasLeader(Protocol):
    """A system that can say which node leads now, for the selector "leader"."""

    async def leader(self, addresses: Mapping[str, Address]) -> str: ...


@runtime_checkable
class HasQuietTime(Protocol):
    """A system whose replicas agree only some time after the last change; final calls wait that long."""

    @property
    def quiet_s(self) -> float: ...


@runtime_checkable
class HasHandOver(Protocol):
    """A system whose leader can hand over to another node."""

    async def hand_over(self, name: str, addresses: Mapping[str, Address]) -> str | None:
        """Make a node the leader. Returns why it is not, None if it is."""


@runtime_checkable
class HasMembers(Protocol):
    """A system whose membership can change while it runs, one node at a time."""

    async def change_member(self, name: str, joins: bool, addresses: Mapping[str, Address]) -> str | None:
        """Make a node a member, or remove it; returns when that is done. Returns why it failed, None if it did not."""


@runtime_checkable
class HasProbe(Protocol):
    """A system whose nodes do not speak this project's wire, with its own way to see whether a node answers."""

    async def probe(self, address: Address) -> None:
        """Return when the node at an address has answered. Raises any `OSError` if it does not."""


@runtime_checkable
class HasClock(Protocol):
    """A system whose foreign programs can report the time on their clocks."""

    async def time_ns(self, address: Address) -> int:
        """Nanoseconds since 1970 by the clock of the node at an address. Raises any `OSError` if it does not say."""


@runtime_checkable
class HasFailover(Protocol):
    """A system whose leader is chosen from outside, as the operation `Failover` does."""

    async def leads(self, address: Address) -> bool:
        """Whether the node at an address believes that it leads. Raises any `OSError` if it does not say."""

    async def promote(self, address: Address) -> None:
        """Make the node at an address the leader; returns when it is. Raises any `OSError` if it does not become one.

        A node that starts later, while another one leads, must come back as its follower.
        """


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The records that a training's nodes have written: rows of the history's `steps` and `events`, with the times as taken."""

    steps: list[dict[str, object]]
    events: list[dict[str, object]]


class Journaled(Protocol):
    """What a node has written to its journal (`NodeContext.journal`)."""

    def size(self) -> int:
        """In bytes; 0 if it has written nothing."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes; fewer at the end."""


@runtime_checkable
class HasSteps(Protocol):
    """A system that trains: what it did, and what it does if nothing disturbs it."""

    def trained(self, journals: Mapping[str, Journaled]) -> Trained:
        """What its nodes have done so far, from their journals."""

    def steps_done(self, journals: Mapping[str, Journaled]) -> int:
        """How many steps the furthest node has done. Takes well under a millisecond, because faults wait for it."""

    def control(self, steps: int) -> list[dict[str, object]]:
        """The first `steps` steps of an undisturbed training, as rows of the history's `steps`. May take as long as they do."""


@runtime_checkable
class HasReplay(Protocol):
    """A system whose runs may have no common order of steps, so that each run needs its own control."""

    def replay(self, history: History) -> list[dict[str, object]] | None:
        """The control, as rows of the history's `steps`: one process repeats what the run did, in the recorded order.

        None if these settings have the usual control.
        """


def links_of(system: System) -> list[Link]:
    """Every link of a system, the clients' first."""
    clients = [Link(source=CLIENT, target=name) for name in system.entries()]
    return clients + [Link(source=node.name, target=peer) for node in system.nodes() for peer in node.peers]
