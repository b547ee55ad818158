"""Build a run's history from what was recorded; times become nanoseconds since the load began."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec
import pandas as pd

from harness.cluster.cluster import Cluster
from harness.cluster.usage import Usage
from harness.model.fault_window import FaultWindow, row_of
from harness.model.history import History
from harness.node.events import read_events
from harness.run.training import trained


async def history_of(
    cluster: Cluster, ops: pd.DataFrame, records: Sequence[FaultWindow], looks: Sequence[Usage], start_ns: int
) -> History:
    events: list[dict[str, object]] = [
        {"at_ns": event.at_ns - start_ns, "node": event.node, "kind": event.kind, "detail": event.detail}
        for event in cluster.events
    ]
    links: list[dict[str, object]] = [
        {
            "link": name,
            "connections": counters.connections,
            "received_bytes": sum(counters.received_bytes.values()),
            "sent_bytes": sum(counters.sent_bytes.values()),
        }
        for name, counters in (await cluster.links.counters()).items()
    ]
    usage: list[dict[str, object]] = [msgspec.to_builtins(look) | {"at_ns": look.at_ns - start_ns} for look in looks]
    told: list[dict[str, object]] = [
        {"at_ns": event.at_ns - start_ns, "node": name, "kind": event.kind, "detail": bytes(event.detail).decode()}
        for name in cluster.nodes
        for event in read_events(cluster.events_file(name))
    ]
    log = trained(cluster.system, cluster.journals(), start_ns, cluster.monotonic_ns())
    events = sorted([*events, *told, *log.events], key=lambda event: cast(int, event["at_ns"]))
    return History.of(ops, [row_of(record) for record in records], events, links, log.steps, usage)
