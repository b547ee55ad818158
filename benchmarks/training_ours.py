"""Ours under the faults of `training_recovery.py`: drills of `systems/training`, and what their histories come to."""

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
"""A killed rank is started again after this."""

_WARM_UP: Final = 5
_BYSTANDER: Final = "rank2"


@dataclass(frozen=True, kw_only=True)
class Goodput:
    """What was done in a time."""

    steps: int
    """Different ones."""
    step_ms: float
    """The median before the first kill, or of all."""
    goodput: float
    """steps x step_ms / time."""


def goodput(done_ns: NDArray[np.int64], first_kill_ns: int | None, seconds: float) -> Goodput:
    """Of the times at which different steps were done, from the first of them on, for so many seconds."""
    done_ns = np.sort(done_ns)
    done_ns = done_ns[done_ns <= done_ns[0] + round(seconds * 1e9)]
    apart_ms = np.diff(done_ns) / 1e6
    clean = apart_ms if first_kill_ns is None else apart_ms[done_ns[1:] < first_kill_ns]
    step_ms = float(np.median(clean[_WARM_UP:]))
    return Goodput(steps=len(done_ns), step_ms=step_ms, goodput=len(apart_ms) * step_ms / (seconds * 1e3))


def recoveries(fault: str, number: int, step_ms: float, runs: Path) -> tuple[list[float | None], str]:
    """Milliseconds from each of so many faults to the next step, and whether all bits are right."""
    history = recorded(*FAULTS[fault], number, step_ms, runs)
    first = phases_ms(history)["first step"]
    return [None if np.isnan(value) else float(value) for value in first], bit_equal(history)


def cut(number: int, step_ms: float, runs: Path) -> tuple[list[float], str]:
    """Milliseconds from each cut of the link between two ranks until the third one has left the group, and the same."""
    history = recorded(*FAULTS["link cut"], number, step_ms, runs)
    of = history.events[(history.events["node"] == _BYSTANDER) & history.events["kind"].isin(["left", "lost"])]
    heard = [of["at_ns"][of["at_ns"] >= at_ns].min() - at_ns for at_ns in history.windows["injected_ns"].dropna()]
    return [float(value) / 1e6 for value in heard], bit_equal(history)


def killed_at(kills: Sequence[tuple[float, int]], seconds: float, step_ms: float, runs: Path) -> History:
    """A training whose ranks are killed at these seconds, and started again soon."""
    faults = [Kill(f"rank{rank}").between(at_s, at_s + _DOWN_S) for at_s, rank in kills]
    return trained(faults, seconds, step_ms, runs)


def goodput_of(history: History, seconds: float) -> Goodput:
    """What a training got done in so many seconds of its load."""
    begins_ns = int(history.ops["due_ns"].min())
    done = history.steps[(history.steps["node"] != CONTROL) & history.steps["done_ns"].notna()]
    done_ns = done.groupby("step")["done_ns"].min().to_numpy(dtype=np.int64)
    injected = history.windows["injected_ns"].dropna()
    return goodput(done_ns[done_ns >= begins_ns], int(injected.min()) if len(injected) else None, seconds)


class Unjudged(Training):
    """Without an undisturbed training to compare with: for ten million parameters that takes longer than all else.

    It is not in `training_growth`, which is `__main__` when it runs: the load's process could not import it from there.
    """

    def prepare(self) -> None:
        pass

    def control(self, steps: int) -> list[dict[str, object]]:
        return []
