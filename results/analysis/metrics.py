"""The figures of a run, computed from its history. Every definition is in `docs/metrics.md`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.model.history import History
from harness.model.load import NEVER_SENT
from harness.model.slo import SLO
from results.analysis.convergence import Convergence, convergences
from results.analysis.recovery import Recovery, recoveries
from results.analysis.sample_sizes import nearest_rank
from results.analysis.staleness import Staleness, staleness
from results.analysis.step_measures import StepMeasures, measure_steps

TIMER_SLACK_MS: Final = 10.0
"""An event loop tells time in milliseconds, from the beginning of its turn, so it may give a call up this much too early."""


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The key figures of a run; None if there is nothing to measure."""

    requests: int
    """Calls that fell due."""
    rate_per_s: float
    """Calls done per second."""
    p50_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    max_ms: float | None
    availability: float | None
    """The share of calls that were done, 0 to 1."""
    recovery_s: float | None
    """The slowest window's recovery; a lower bound if `recovery_censored`."""
    recovery_censored: bool = False


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """The measurements that figures and SLO results are computed from."""

    done_ms: NDArray[np.float64]
    """The latencies of the calls that were done, ascending, as all three are."""
    given_up_ms: NDArray[np.float64]
    """How long calls were waited for that timed out, or that were never sent because the system kept all clients waiting."""
    cut_off_ms: NDArray[np.float64]
    """How long calls were waited for that ended without an answer before their timeout."""
    requests: int
    seconds: float
    """How long the load took."""
    recoveries: tuple[Recovery, ...]
    staleness: Staleness | None = None
    """None if no SLO asks for it."""
    convergences: tuple[Convergence, ...] = ()
    """Empty if no SLO asks for them."""
    steps: StepMeasures | None = None
    """None if no SLO asks for it."""

    @cached_property
    def latencies_ms(self) -> NDArray[np.float64]:
        """Of every call that did not fail, and of those that were never sent, ascending; without an answer, a lower bound."""
        return np.sort(np.concatenate([self.done_ms, self.given_up_ms, self.cut_off_ms]))

    @property
    def done(self) -> int:
        """How many calls were done."""
        return len(self.done_ms)

    @property
    def rate_per_s(self) -> float:
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def availability(self) -> float | None:
        return self.done / self.requests if self.requests else None

    @property
    def recovery_s(self) -> float | None:
        return max((recovery.seconds for recovery in self.recoveries), default=None)

    @property
    def recovery_censored(self) -> bool:
        return any(recovery.censored for recovery in self.recoveries)

    def percentile_ms(self, percentile: float) -> float | None:
        """The nearest-rank percentile. None if no call was done: how long failures took is not a latency."""
        if not self.done:
            return None
        return nearest_rank(self.latencies_ms, percentile)

    def metrics(self) -> Metrics:
        return Metrics(
            requests=self.requests,
            rate_per_s=self.rate_per_s,
            p50_ms=self.percentile_ms(50),
            p99_ms=self.percentile_ms(99),
            p999_ms=self.percentile_ms(99.9),
            max_ms=self.percentile_ms(100),
            availability=self.availability,
            recovery_s=self.recovery_s,
            recovery_censored=self.recovery_censored,
        )


def measure(history: History, slos: Sequence[SLO] = (), load_s: float = 0.0, timeout_ms: float = math.inf) -> Measurements:
    """Measure the load phase of a history.

    A p99 threshold among `slos` decides which calls count as good service for recovery. `load_s` is the planned length of the
    load; the load took that long, or longer if a call fell due or was done later. `timeout_ms` is the timeout of each call.
    """
    ops = history.load
    due_end_ns = max(int(load_s * 1e9), int(ops["due_ns"].max()) + 1 if len(ops) else 0)
    done = ops["outcome"] == "ok"
    unanswered = ops["outcome"] == "unknown"
    timed_out = unanswered & (ops["done_ns"] - ops["sent_ns"] >= (timeout_ms - TIMER_SLACK_MS) * 1e6)
    last_done_ns = int(ops.loc[done, "done_ns"].max()) if done.any() else 0
    return Measurements(
        done_ms=_latencies_ms(ops[done]),
        given_up_ms=_latencies_ms(ops[timed_out | _never_sent(ops)]),
        cut_off_ms=_latencies_ms(ops[unanswered & ~timed_out]),
        requests=len(ops),
        seconds=max(due_end_ns, last_done_ns) / 1e9,
        recoveries=recoveries(history, tuple(slos), due_end_ns),
        staleness=staleness(history) if any(slo.of_reads for slo in slos) else None,
        convergences=convergences(history) if any(slo.metric == "convergence" for slo in slos) else (),
        steps=measure_steps(history) if any(slo.of_steps for slo in slos) else None,
    )


def has_latency(ops: pd.DataFrame) -> pd.Series:
    """A mask of the calls whose latency counts: those that did not fail, and those that were never sent."""
    return (ops["outcome"] != "failed") | _never_sent(ops)


def _never_sent(ops: pd.DataFrame) -> pd.Series:
    return (ops["error"] == NEVER_SENT).fillna(False).astype(bool)


def _latencies_ms(ops: pd.DataFrame) -> NDArray[np.float64]:
    return np.sort((ops["done_ns"] - ops["due_ns"]).to_numpy() / 1e6)
