"""Our side of `training_recovery.py`: drills of `systems/training` under its faults, and the figures of their histories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from training import FAULTS, bit_equal, phases_ms, recorded, trained

from faults.kill import Kill
from harness.model.history import CONTROL, History
from systems.training import Training

_DOWN_S: Final = 0.5
"""How long a killed rank stays down."""

_WARM_UP: Final = 5
_BYSTANDER: Final = "rank2"


@dataclass(frozen=True, kw_only=True)
class Goodput:
    """What a training got done in a given time."""

    steps: int
    """Different steps: one that was repeated after a fault counts once."""
    step_ms: float
    """The median time of a step before the first kill, or of all steps if there was none."""
    goodput: float
    """steps x step_ms / time, a share of 1."""


def goodput(done_ns: NDArray[np.int64], first_kill_ns: int | None, seconds: float) -> Goodput:
    """The goodput of the `seconds` after the first step, from the times at which different steps were done."""
    done_ns = np.sort(done_ns)
    done_ns = done_ns[done_ns <= done_ns[0] + round(seconds * 1e9)]
    apart_ms = np.diff(done_ns) / 1e6
    clean = apart_ms if first_kill_ns is None else apart_ms[done_ns[1:] < first_kill_ns]
    step_ms = float(np.median(clean[_WARM_UP:]))
    return Goodput(steps=len(done_ns), step_ms=step_ms, goodput=len(apart_ms) * step_ms / (seconds * 1e3))


def recoveries(fault: str, number: int, step_ms: float, runs: Path) -> tuple[list[float | None], str]:
    """Milliseconds from each of `number` faults to the next step, and whether all bits are right (`bit_equal`)."""
    history = recorded(*FAULTS[fault], number, step_ms, runs)
    first = phases_ms(history)["first step"]
    return [None if np.isnan(value) else float(value) for value in first], bit_equal(history)


def cut(number: int, step_ms: float, runs: Path) -> tuple[list[float], str]:
    """Milliseconds from each cut of a link until the third rank has left the group, and whether all bits are right."""
    history = recorded(*FAULTS["link cut"], number, step_ms, runs)
    of = history.events[(history.events["node"] == _BYSTANDER) & history.events["kind"].isin(["left", "lost"])]
    heard = [of["at_ns"][of["at_ns"] >= at_ns].min() - at_ns for at_ns in history.windows["injected_ns"].dropna()]
    return [float(value) / 1e6 for value in heard], bit_equal(history)


def killed_at(kills: Sequence[tuple[float, int]], seconds: float, step_ms: float, runs: Path) -> History:
    """A training in which these ranks are killed at these seconds, and started again soon."""
    faults = [Kill(f"rank{rank}").between(at_s, at_s + _DOWN_S) for at_s, rank in kills]
    return trained(faults, seconds, step_ms, runs)


def goodput_of(history: History, seconds: float) -> Goodput:
    """What a training got done in the first `seconds` of its load."""
    begins_ns = int(history.ops["due_ns"].min())
    done = history.steps[(history.steps["node"] != CONTROL) & history.steps["done_ns"].notna()]
    done_ns = done.groupby("step")["done_ns"].min().to_numpy(dtype=np.int64)
    injected = history.windows["injected_ns"].dropna()
    return goodput(done_ns[done_ns >= begins_ns], int(injected.min()) if len(injected) else None, seconds)


class Unjudged(Training):
    """A training without an undisturbed one to compare with, which for ten million parameters would take longest of all.

    The class is not in `training_growth`, because that is `__main__` when it runs: the load's process could not import it.
    """

    def prepare(self) -> None:
        pass

    def control(self, steps: int) -> list[dict[str, object]]:
        return []
