"""Shared parts of the faults that steer a node through its control page: their targets, their settings, and their effects."""

from __future__ import annotations

from harness.model import selector
from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Fault
from harness.model.steering import Counter, Setting
from harness.model.system import Node, System


def foreign_targets(fault: Fault, system: System) -> list[Node]:
    """The foreign programs that a fault may hit."""
    return [
        node
        for node in system.nodes()
        if node.code is None and (node.name == fault.target or (node.replica and fault.target in selector.WORDS))
    ]


def check(fault: Fault, system: System) -> None:
    """Raise `UsageError` if a fault may hit a foreign program, which has no control page."""
    for node in foreign_targets(fault, system):
        raise UsageError(
            f"{type(fault).__name__}({fault.target!r}): {node.name} is a foreign program, which this fault cannot steer."
            " Aim at a node that has code=, or use Kill, Pause or FlipBits."
        )


def begin(environment: Environment, targets: Targets, setting: Setting, value: int, counter: Counter) -> Evidence:
    """Make the setting on every target. Whether that does anything shows when the node next uses it."""
    readings = {name: float(environment.disks.count(name, counter)) for name in targets.nodes}
    for name in targets.nodes:
        environment.disks.hold(name, setting, targets.label, value)
    return Evidence(acted=None, text="", readings=readings)


def end(
    environment: Environment, targets: Targets, setting: Setting, counter: Counter, injected: Evidence, what: str
) -> Evidence:
    """Undo the setting, and report how often it hit each target: "n1: 12 syncs failed". It acted if it hit every target."""
    hits = {}
    for name in targets.nodes:
        environment.disks.release(name, setting, targets.label)
        before = injected.readings.get(name)
        hits[name] = 0.0 if before is None else environment.disks.count(name, counter) - before
    text = "; ".join(f"{name}: {hit:g} {what}" for name, hit in hits.items())
    return Evidence(acted=all(hits.values()), text=text, readings=hits)
