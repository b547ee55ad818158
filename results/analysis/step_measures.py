"""How much of its time a drilled training spent on steps that stand. The definitions are in `docs/metrics.md`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.model.history import CONTROL, History
from results.analysis.goodput import CLEAN, WARM_UP


@dataclass(frozen=True, kw_only=True)
class StepMeasures:
    """The figures of a training's steps. A step is done when the first node has done it."""

    steps: int
    """How many different steps were done."""
    intervals_ms: NDArray[np.float64]
    """Ascending: the time from one step's end to the next one's."""
    stopped_ms: float
    """The time from the last step's end to the last call of the load, if no step was done after that; otherwise 0."""
    clean_intervals: int
    """How many of these ended before the first fault, not counting the warm-up."""
    goodput: float | None
    """None if too few steps were done before the first fault."""
    lost_steps: int
    """How many steps the node with the most repeats did again."""
    bytes_per_step: float | None
    """Bytes over the links between the nodes that train; None if there are no such links, or their bytes were not counted."""

    @property
    def stall_s(self) -> float | None:
        """The longest time without a new step; None if no time after the first one is known."""
        return max([self.stopped_ms, *self.intervals_ms[-1:].tolist()]) / 1e3 or None


def measure_steps(history: History) -> StepMeasures:
    """The figures of all nodes except the undisturbed control."""
    steps = history.steps
    own = steps[((steps["node"] != CONTROL) & steps["done_ns"].notna()).to_numpy(dtype=bool)]
    done_ns = np.sort(own.groupby("step")["done_ns"].min().to_numpy(dtype=np.int64))
    injected = history.windows["injected_ns"].dropna()
    first_fault_ns = int(injected.min()) if len(injected) else np.iinfo(np.int64).max
    intervals_ms = np.diff(done_ns) / 1e6
    clean = intervals_ms[WARM_UP:][done_ns[1 + WARM_UP :] < first_fault_ns]
    stopped_ms = _stopped_ms(history, done_ns)
    span_ms = float(intervals_ms.sum()) + stopped_ms
    usual_ms = np.mean if own["computed_at"].notna().any() else np.median  # asynchronous updates come in bunches
    return StepMeasures(
        steps=len(done_ns),
        intervals_ms=np.sort(intervals_ms),
        stopped_ms=stopped_ms,
        clean_intervals=len(clean),
        goodput=len(intervals_ms) * float(usual_ms(clean)) / span_ms if len(clean) >= CLEAN and span_ms else None,
        lost_steps=_lost(own),
        bytes_per_step=_bytes_per_step(history.links, set(own["node"]), len(done_ns)),
    )


def _stopped_ms(history: History, done_ns: NDArray[np.int64]) -> float:
    """A training that never recovers does no last step by which its time could be measured."""
    load = history.load
    return max(0, int(load["due_ns"].max()) - int(done_ns[-1])) / 1e6 if len(load) and len(done_ns) else 0.0


def _bytes_per_step(links: pd.DataFrame, nodes: set[str], steps: int) -> float | None:
    """Bytes that these nodes sent each other in the whole run, for each step."""
    among = links["sent_bytes"][[set(link.split(">")) <= nodes for link in links["link"]]]
    return float(among.sum()) / steps if steps and len(among) else None


def _lost(steps: pd.DataFrame) -> int:
    again = steps.groupby("node")["step"].agg(lambda numbers: len(numbers) - numbers.nunique())
    return int(again.max()) if len(again) else 0
