"""Whether the load generator sent its calls when it should have."""

from __future__ import annotations

from typing import Final

import numpy as np

from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict

LATE_MS: Final = 50.0
"""A call that left more than this after it was due and a client was free left late. Well above the wake-up delay of a
busy machine's scheduler, well below the length of any fault window."""

LATE_SHARE: Final = 0.01
"""More late calls than this and the load was not the load that was asked for: what p99 says would be the generator's."""


def generator_kept_up(history: History) -> Verdict:
    """At most 1% of the calls left more than 50 ms late by the generator's own fault; otherwise unknown.

    The lateness of a call is `sent_ns - ready_ns`, over the operations of the load, the final calls left out. Waiting
    for a free client is the system's slowness, not the generator's, and is not counted.
    """
    load = history.load
    if load.empty:
        return Verdict(valid=None, why="no call of the load was recorded")
    late_ms = (load["sent_ns"] - load["ready_ns"]).to_numpy() / 1e6
    late = late_ms > LATE_MS
    p99_ms = float(np.percentile(late_ms, 99, method="higher"))
    told = f"{late.sum():,} of {count(len(late), 'call')} left more than {LATE_MS:g} ms late"
    figures = f"{told} (p99 of the lateness {p99_ms:.1f} ms, worst {late_ms.max():.1f} ms)"
    if late.mean() > LATE_SHARE:
        advice = "the machine is too busy for this load; lower the rate or use more cores"
        return Verdict(valid=None, why=f"{figures}: {advice}")
    return Verdict(valid=True, why=figures)


def applies(history: History) -> bool:
    """Whether calls of a load were recorded."""
    return not history.load.empty
