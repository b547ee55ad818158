"""Build a run's history from what was recorded; times become nanoseconds since the load began."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import msgspec
import pandas as pd

from harness.cluster.cluster import Cluster, Event
from harness.cluster.usage import Usage
from harness.model.environment import LinkCounters
from harness.model.fault_window import FaultWindow, row_of
from harness.model.history import History
from harness.model.system import Trained
from harness.node.events import read_events
from harness.run.training import trained


async def history_of(
    cluster: Cluster, ops: pd.DataFrame, records: Sequence[FaultWindow], looks: Sequence[Usage], start_ns: int
) -> History:
    noted, counters = list(cluster.events), await cluster.links.counters()
    told = [
        Event(at_ns=event.at_ns, node=name, kind=event.kind, detail=bytes(event.detail).decode())
        for name in cluster.nodes
        for event in read_events(cluster.events_file(name))
    ]
    log = trained(cluster.system, cluster.journals(), start_ns, cluster.monotonic_ns())
    return assembled(ops, records, [*noted, *told], counters, log, looks, start_ns)


def assembled(
    ops: pd.DataFrame,
    records: Sequence[FaultWindow],
    events: Iterable[Event],
    counters: Mapping[str, LinkCounters],
    log: Trained,
    looks: Sequence[Usage],
    start_ns: int,
) -> History:
    """The history of a run, real or simulated. Times of `events` and `looks` are on the monotonic clock, all others count from
    `start_ns`."""
    happened: list[dict[str, object]] = [
        {"at_ns": event.at_ns - start_ns, "node": event.node, "kind": event.kind, "detail": event.detail} for event in events
    ]
    links: list[dict[str, object]] = [
        {
            "link": name,
            "connections": each.connections,
            "received_bytes": sum(each.received_bytes.values()),
            "sent_bytes": sum(each.sent_bytes.values()),
        }
        for name, each in counters.items()
    ]
    usage: list[dict[str, object]] = [msgspec.to_builtins(look) | {"at_ns": look.at_ns - start_ns} for look in looks]
    in_order = sorted([*happened, *log.events], key=lambda event: cast(int, event["at_ns"]))
    return History.of(ops, [row_of(record) for record in records], in_order, links, log.steps, usage)
