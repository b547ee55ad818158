"""What faults of a node's disk have in common: a setting on its control page, and a count there of what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.control import Counter, Setting
from harness.drill import Evidence, Targets

if TYPE_CHECKING:
    from harness.cluster import Cluster


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
