"""The steps of a training, as they come into the history: those that its ranks have done, and those of an undisturbed one."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from harness.cluster.cluster import Cluster
from harness.model.history import STEPS, History, frame
from harness.model.system import HasSteps, System, Trained

_TIMES = ("begun_ns", "done_ns", "at_ns")


def trained(cluster: Cluster, start_ns: int) -> Trained:
    """What the nodes have written down, times counted from `start_ns`; nothing if the system does not train."""
    if not isinstance(cluster.system, HasSteps):
        return Trained(steps=[], events=[])
    found = cluster.system.trained({name: cluster.disks.folder(name) for name in cluster.nodes})
    return Trained(
        steps=[_counted(row, start_ns) for row in found.steps], events=[_counted(row, start_ns) for row in found.events]
    )


def with_control(system: System, history: History) -> History:
    """The history with the steps of an undisturbed training beside those that were done."""
    if not isinstance(system, HasSteps) or history.steps["done_ns"].isna().all():
        return history
    steps = 1 + int(history.steps["step"][history.steps["done_ns"].notna()].max())
    control = frame(STEPS, system.control(steps))
    return replace(history, steps=pd.concat([control, history.steps], ignore_index=True))


def _counted(row: dict[str, object], start_ns: int) -> dict[str, object]:
    return {name: value - start_ns if name in _TIMES and isinstance(value, int) else value for name, value in row.items()}
