"""The steps of a training for the history: the steps that its ranks did, and those of an undisturbed training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import pandas as pd

from harness.model.history import STEPS, History, frame
from harness.model.system import HasReplay, HasSteps, Journaled, System, Trained

_UNDONE: Final = ("done_ns", "collective_ns", "stalled_ns", "loss", "gradient_norm", "parameters")
_TIMES: Final = ("begun_ns", "done_ns", "at_ns")


def trained(system: System, journals: Mapping[str, Journaled], start_ns: int, until_ns: int) -> Trained:
    """What the nodes have recorded until now, times counted from `start_ns`; nothing if the system does not train.

    The nodes go on while their journals are read one after another. Records later than `until_ns`, which is now, are left out.
    Whatever an included record depends on was written before it, so the history is consistent.
    """
    if not isinstance(system, HasSteps):
        return Trained(steps=[], events=[])
    found = system.trained(journals)
    steps = [_until(row, until_ns) for row in found.steps if _at(row, "begun_ns") <= until_ns]
    events = [row for row in found.events if _at(row, "at_ns") <= until_ns]
    return Trained(steps=[_counted(row, start_ns) for row in steps], events=[_counted(row, start_ns) for row in events])


def with_control(system: System, history: History) -> History:
    """Add the control to a history: the steps of an undisturbed training, or of a replay of this one."""
    if not isinstance(system, HasSteps) or history.steps["done_ns"].isna().all():
        return history
    steps = 1 + int(history.steps["step"][history.steps["done_ns"].notna()].max())
    replayed = system.replay(history) if isinstance(system, HasReplay) else None
    control = frame(STEPS, system.control(steps) if replayed is None else replayed)
    return replace(history, steps=pd.concat([control, history.steps], ignore_index=True))


def _until(row: dict[str, object], until_ns: int) -> dict[str, object]:
    """A step as it was at a time: a step completed later is not completed yet."""
    if _at(row, "done_ns") <= until_ns:
        return row
    return {name: value for name, value in row.items() if name not in _UNDONE}


def _at(row: dict[str, object], name: str) -> int:
    value = row.get(name)
    return value if isinstance(value, int) else 0


def _counted(row: dict[str, object], start_ns: int) -> dict[str, object]:
    return {name: value - start_ns if name in _TIMES and isinstance(value, int) else value for name, value in row.items()}
