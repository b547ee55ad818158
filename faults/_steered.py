"""What faults that steer a node have in common: whom they can hit, settings of its disk, and counts of what came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.model import selector
from harness.model.errors import UsageError
from harness.model.fault import Evidence, Fault, Targets
from harness.model.system import Node, System
from harness.node.control import Counter, Setting

if TYPE_CHECKING:
    from harness.cluster.cluster import Cluster


def foreign_targets(fault: Fault, system: System) -> list[Node]:
    """The foreign programs that a fault may hit."""
    return [
        node
        for node in system.nodes()
        if node.code is None and (node.name == fault.target or (node.replica and fault.target in selector.WORDS))
    ]


def check(fault: Fault, system: System) -> None:
    """Raise `UsageError` where a fault may hit a foreign program, whose disk and clock are its own."""
    for node in foreign_targets(fault, system):
        raise UsageError(
            f"{type(fault).__name__}({fault.target!r}): {node.name} is a foreign program, whose disk and clock are its"
            " own. Aim at a node that has code=, or use Kill, Pause or FlipBits."
        )


def begin(cluster: Cluster, targets: Targets, setting: Setting, value: int, counter: Counter) -> Evidence:
    """Set it on every target. Whether that does anything shows when the node next uses its disk."""
    steering = {name: cluster.steering(name) for name in targets.nodes}
    readings = {name: float(each.count(counter)) for name, each in steering.items()}
    for each in steering.values():
        each.hold(setting, targets.label, value)
    return Evidence(acted=None, text="", readings=readings)


def end(cluster: Cluster, targets: Targets, setting: Setting, counter: Counter, injected: Evidence, what: str) -> Evidence:
    """Take it back, and tell how often it hit each target, such as "n1: 12 syncs failed". It acted where it hit each."""
    hits = {}
    for name in targets.nodes:
        steering = cluster.steering(name)
        steering.release(setting, targets.label)
        before = injected.readings.get(name)
        hits[name] = 0.0 if before is None else steering.count(counter) - before
    text = "; ".join(f"{name}: {hit:g} {what}" for name, hit in hits.items())
    return Evidence(acted=all(hits.values()), text=text, readings=hits)
