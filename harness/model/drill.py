"""A drill, and what makes one valid. Plain frozen values, no I/O."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from harness.model import selector
from harness.model.errors import UsageError
from harness.model.fault import Composition, Fault, Window
from harness.model.guard import Guard
from harness.model.load import Load
from harness.model.slo import SLO
from harness.model.system import CLIENT, HasLeader, HasSteps, System, links_of
from harness.model.verdict import Checker
from harness.model.workload import Workload

_NODE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
"""A node's name is part of file names, link names and URLs."""

_TAKEN = {CLIENT, "fault-plane", "warden", *selector.WORDS}


@dataclass(frozen=True, kw_only=True)
class Drill:
    """A system, the load on it, the faults in it, and the checks and SLOs that it must meet."""

    system: System
    workload: Workload
    load: Load
    faults: Sequence[Composition] = ()
    """Windows, such as `Kill("one").between(2, 4)`, and compositions of them:
    `RandomFaults`, `PoissonFaults`, `FaultSequence`, `Flapping`; in a training also by step, `Kill("one").at_step(120)`."""
    checks: Sequence[Checker] = ()
    slos: Sequence[str] = ()
    guard: str | None = None
    """The limit that stops the drill, such as "availability < 50% for 3s": every fault is healed at once and the load ends."""
    caught_by: Checker | None = None
    """For a drill whose system is known to be wrong: the check that must fail."""
    namespaces: bool = False
    """Each node, and the load generator, gets a network namespace of its own and calls the others directly: no
    proxies. For `Blackhole`, `CutPackets` and `RateLimit`. Needs root."""
    nightly: bool = False
    """Left out of the default suite, which takes less than four minutes; run by name, by folder, or with `-m nightly`."""

    def __post_init__(self) -> None:
        for name in ("system", "workload", "load"):
            _check_made(name, getattr(self, name))
        for name, example in (("faults", 'Kill("n1").between(2, 4)'), ("checks", "linearizable"), ("slos", '"p99 < 50ms"')):
            object.__setattr__(self, name, _listed(name, getattr(self, name), example))
        for check in self.checks:
            _check_checker(check, f"checks=[{check!r}]")
        for text in self.slos:
            if SLO.parse(text).of_steps and not isinstance(self.system, HasSteps):
                raise UsageError(f"The SLO {text!r} is about training steps; {type(self.system).__name__} does not train.")
        if self.guard is not None:
            Guard.parse(self.guard)
        if self.caught_by is not None:
            _check_checker(self.caught_by, f"caught_by={self.caught_by!r}")
            if self.caught_by not in self.checks:
                name = self.caught_by.__name__
                raise UsageError(f"Drill(caught_by={name}): that check is not among checks=[…]. Add it there.")
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
                raise UsageError(f"Node {name!r}: that name is reserved. Use another one.")
            if names.count(name) > 1:
                raise UsageError(f"Node {name!r}: there are {names.count(name)} nodes of that name. Names are unique.")
        for link, times in Counter(links_of(self.system)).items():
            if link.target not in names:
                raise UsageError(f"Link {link.name!r}: there is no node {link.target!r}. There are: {', '.join(names)}.")
            if times > 1:
                raise UsageError(f"Link {link.name!r}: the system names it {times} times. Once is enough.")

    def _check_faults(self, item: Composition) -> None:
        if isinstance(item, Fault):
            raise UsageError(f"Drill(faults=[{item!r}]): say when it holds: {item!r}.between(from_s, to_s).")
        if not hasattr(item, "ends_s"):
            raise UsageError(f"Drill(faults=[{item!r}]): that is not a fault window. Write Kill(…).between(from_s, to_s).")
        ends_s = item.ends_s(self.load.seconds)
        if ends_s > self.load.seconds:
            raise UsageError(
                f"A window ends at {ends_s:g} s, after the load stops at {self.load.seconds:g} s, so no call would meet it."
                " End it earlier, or raise load.seconds."
            )
        for fault in item.faults:
            check_fault(fault, self.system, namespaces=self.namespaces)
        for window in item.expand(Random(0), self.load.seconds):
            self._check_window(window)

    def _check_window(self, window: Window) -> None:
        if window.steps is not None and not isinstance(self.system, HasSteps):
            raise UsageError(
                f"{window.fault!r} at {window.steps}: {type(self.system).__name__} does not train, so it has no steps."
                " Use .between(…), in seconds."
            )
        if window.moment is None:
            return
        nodes = {node.name: node for node in self.system.nodes()}
        at = window.moment.at
        if at and at not in nodes:
            raise UsageError(f"{window.fault!r} {window.moment}: there is no node {at!r}. There are: {', '.join(nodes)}.")
        if (name := at or window.fault.target) in nodes and nodes[name].code is None:
            raise UsageError(
                f"{window.fault!r} {window.moment}: {name} is a foreign program, whose moments are not known. Use .between(…)."
            )


def _listed(name: str, values: Sequence[object], example: str) -> tuple[object, ...]:
    """A sequence as a tuple. Raises `UsageError` for a single value."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UsageError(f"Drill({name}={values!r}): expected a list, such as {name}=[{example}].")
    return tuple(values)


def _check_made(name: str, value: object) -> None:
    """Raise `UsageError` for a class where one of its instances is due."""
    if isinstance(value, type):
        raise UsageError(f"Drill({name}={value.__name__}): that is the class. Write {name}={value.__name__}(…).")


def _check_checker(check: object, written: str) -> None:
    """Raise `UsageError` unless this is a function with a name, by which results know it."""
    if not (callable(check) and isinstance(getattr(check, "__name__", None), str)):
        raise UsageError(
            f"Drill({written}): a check is a function from a history to a Verdict, with a name of its own."
            " Import it, as in `from harness.checkers.linearizable import linearizable`, or define it with `def`."
        )


def check_fault(fault: Fault, system: System, *, namespaces: bool = False) -> None:
    """Raise `UsageError` unless a fault makes sense in a system and its target exists."""
    if not hasattr(fault, "aims_at"):
        raise UsageError(
            f'{type(fault).__name__} does not say what it aims at. Write aims_at: ClassVar[Aim] = "nodes" or "links".'
        )
    if fault.needs is not None and not isinstance(system, fault.needs):
        raise UsageError(
            f"{type(fault).__name__} needs a system with the capability {fault.needs.__name__};"
            f" {type(system).__name__} does not have it. Use another fault, or add it to the system."
        )
    if fault.on_packets and not namespaces:
        raise UsageError(
            f"{type(fault).__name__} acts on packets. Give the drill namespaces=True, or use Isolate or Partition."
        )
    if namespaces:
        check_needs_no_proxy(fault)
    selector.check(
        fault.target,
        system.nodes(),
        links_of(system),
        links_allowed=fault.aims_at == "links",
        has_leader=isinstance(system, HasLeader),
    )
    fault.check(system)


def check_needs_no_proxy(fault: Fault) -> None:
    """Raise `UsageError` if a fault acts on proxies, which there are none of between network namespaces."""
    if fault.aims_at == "links" and not fault.on_packets:
        raise UsageError(
            f"{type(fault).__name__} acts on proxies, and nodes in network namespaces call each other directly."
            " Use Blackhole, CutPackets or RateLimit, or do without namespaces."
        )
