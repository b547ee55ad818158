"""Drills that make no sense are refused as they are written, and the error names the next step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import pytest

from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.model.composition import RandomFaults
from harness.model.drill import Drill
from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Fault, Window
from harness.model.load import Load
from harness.model.system import HasLeader, Node
from tests.helpers.echo import Echo, Numbers


@dataclass(frozen=True)
class Dethrone(Kill):
    """A fault that needs a capability of the system."""

    needs: ClassVar[type | None] = HasLeader


@dataclass(frozen=True)
class Aimless(Fault):
    """A fault that lacks its kind of target."""

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        raise NotImplementedError

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Named(Echo):
    """A system with nodes of any names."""

    names: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()

    def nodes(self) -> Sequence[Node]:
        return [Node(name=name, code="tests.helpers.echo", peers=self.peers) for name in self.names]


def make(**changes: object) -> Drill:
    arguments: dict[str, object] = {"system": Echo(replicas=3), "workload": Numbers(), "load": Load(rate=10, seconds=10)}
    return Drill(**{**arguments, **changes})  # type: ignore[arg-type]


def test_a_drill_that_makes_sense() -> None:
    drill = make(faults=[Kill("one").between(0, 10)], slos=["p99 < 10ms"], checks=[linearizable], caught_by=linearizable)
    assert isinstance(drill.faults, tuple)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"faults": [Kill("one").between(5, 10.5)]}, r"ends at 10\.5 s, after the load stops at 10 s.*raise load\.seconds"),
        ({"faults": [RandomFaults(faults=(Kill("one"),), windows=1, from_s=0, to_s=11)]}, "ends at 11 s, after the load stops"),
        ({"faults": [Dethrone("one").between(1, 2)]}, "Dethrone needs a system with the capability HasLeader; Echo does not"),
        ({"faults": [RandomFaults(faults=(Dethrone("one"),), windows=1, from_s=0, to_s=9)]}, "capability HasLeader"),
        (
            {"faults": [Aimless("one").between(1, 2)]},
            'Aimless does not say what it aims at. Write aims_at: .* "nodes" or "links"',
        ),
        ({"faults": [Kill("n4").between(1, 2)]}, "No node or link called 'n4'.*There are: one, minority"),
        ({"faults": [Kill("n1>n2").between(1, 2)]}, "acts on processes"),
        ({"faults": [Kill("leader").between(1, 2)]}, "cannot say who leads"),
        ({"faults": [Kill("n1")]}, r"say when it holds: Kill\(target='n1'\)\.between\(from_s, to_s\)"),
        ({"faults": ["n1"]}, r"faults=\['n1'\]\): that is not a fault window"),
        ({"faults": Kill("n1").between(1, 2)}, r"expected a list, such as faults=\[Kill"),
        ({"slos": "p99 < 1s"}, r"slos='p99 < 1s'\): expected a list, such as slos=\[\"p99 < 50ms\"\]"),
        ({"checks": linearizable}, r"expected a list, such as checks=\[linearizable\]"),
        ({"checks": ["linearizable"]}, r"checks=\['linearizable'\]\): a check is a function .* Import it, as in"),
        ({"checks": [partial(linearizable)]}, r"a check is a function .* with a name of its own.*define it with `def`"),
        ({"slos": ["p99 <"]}, r"p99 <\n *\^"),
        ({"slos": ["p98 < 1 parsec"]}, r"\^"),
        ({"caught_by": "linearizable"}, r"caught_by='linearizable'\): a check is a function .* Import it, as in"),
        ({"system": Echo}, r"system=Echo\): that is the class\. Write system=Echo\(…\)\."),
        ({"workload": Numbers}, r"Write workload=Numbers\(…\)\."),
        ({"load": Load}, r"Write load=Load\(…\)\."),
        ({"caught_by": linearizable}, r"is not among checks=\[…\]"),
        ({"system": Named(names=("a", "a"))}, "there are 2 nodes of that name"),
        ({"system": Named(names=("a",), peers=("b",))}, "there is no node 'b'. There are: a"),
        ({"system": Named(names=("a",), peers=("a", "a"))}, "'a>a': the system names it 2 times. Once is enough"),
        ({"system": Named(names=("client",))}, "'client': that name is reserved"),
        ({"system": Named(names=("majority",))}, "'majority': that name is reserved"),
        *(
            ({"system": Named(names=(name,))}, "a node's name is letters")
            for name in ("", "a>b", "a/b", "..", "a b", "ä", "1a", "a?")
        ),
    ],
)
def test_a_drill_that_makes_none(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make(**changes)


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (lambda: Load(rate=0, seconds=1), r"Load\(rate=0\): must be a number above 0"),
        (lambda: Load(rate=1, seconds=float("nan")), "seconds=nan"),
        (lambda: Load(rate=1, seconds=1, clients=-1), "clients=-1"),
        (lambda: Load(rate=1, seconds=1, clients=2.5), r"clients=2\.5\): must be a whole number"),  # type: ignore[arg-type]
        (lambda: Load(rate=1, seconds=1, shape="Ramp"), r"no shape\. .* Ramp\(…\)"),  # type: ignore[arg-type]
        (lambda: Load(rate=1, seconds=1, timeout_ms=float("inf")), "timeout_ms=inf"),
        (lambda: Load(rate=1, seconds=1, arrivals="burst"), "'burst'.*Use 'constant' or 'poisson'"),  # type: ignore[arg-type]
        (lambda: Window(fault=Kill("one"), from_s=2, to_s=2), "needs 0 <= from_s < to_s"),
        (lambda: Kill("one").between(-1, 2), "needs 0 <= from_s < to_s"),
        (lambda: Kill("one").between(0, float("inf")), "needs 0 <= from_s < to_s"),
        (lambda: Node(name="a", command="b {port}"), r"command='b \{port\}' is one text.*such as command=\("),  # type: ignore[arg-type]
        (lambda: Node(name="a", code="b", peers="c"), r"peers='c' is one text.*such as peers=\("),  # type: ignore[arg-type]
        (lambda: Node(name="a"), "it has neither"),
        (lambda: Node(name="a", code="b", command=("c",)), "it has both"),
        (lambda: Node(name="a", command=("c", "{peer:b}")), r"'a': its command asks for the address of 'b', .* peers=\(\)"),
        (lambda: Node(name="a", command=("{peer_port:}",), peers=("b",)), r"of '', which is not among its peers=\('b'\)"),
        (lambda: Node(name="a", code="b", fake_clock=True), "fake_clock= is for foreign programs"),
        (lambda: Latency("one", delay_ms=10, jitter_ms=11), "jitter_ms <= delay_ms"),
        (lambda: Latency("one", delay_ms=0), "1 <= delay_ms"),
        (lambda: Latency("one", delay_ms=float("nan")), "1 <= delay_ms"),
        (lambda: Partition("one", direction="up"), "Use 'both', 'out' or 'in'"),  # type: ignore[arg-type]
    ],
)
def test_values_that_make_no_sense(make_it: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_it()  # type: ignore[operator]


def test_several_nodes_are_named_at_once() -> None:
    make(faults=[Partition("n2 n3").between(1, 2)])
    with pytest.raises(UsageError, match=r"Selector 'n2 n4': no node or link called 'n4'\."):
        make(faults=[Partition("n2 n4").between(1, 2)])
