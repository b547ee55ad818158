"""Check that the load generator sent its calls when it should have."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.checkers._wording import count
from harness.model.fault_window import FaultWindow
from harness.model.history import History
from harness.model.verdict import Verdict

LATE_MS: Final = 50.0
"""A call that left more than this after it was due and a client was free left late. Well above the wake-up delay of a
busy machine's scheduler, well below the length of any fault window."""

LATE_SHARE: Final = 0.01
"""With a larger share of late calls, the load was not the one asked for, and its p99 would describe the generator."""

LATE_SHARE_OF_WINDOW: Final = 0.1
"""With a larger share of late calls during a fault, and more than one of them, the fault did not meet the load meant for it. A
window has few calls, so a share as small as `LATE_SHARE` would say little."""

_ADVICE: Final = "the machine is too busy for this load; lower the rate or use more cores"


def generator_kept_up(history: History) -> Verdict:
    """At most 1% of the calls left more than 50 ms late because of the generator itself; otherwise unknown.

    The lateness of a call is `sent_ns - ready_ns`, over the operations of the load, without the final calls. Waiting for a
    free client is the system's slowness, not the generator's, and does not count. Of the calls that could have been sent
    while a fault held, at most 10% may be late: a generator that pauses just then shows nothing of what the fault does.
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
        return Verdict(valid=None, why=f"{figures}: {_ADVICE}")
    for window in history.fault_windows:
        during = late[_while_held(window, load["ready_ns"])]
        if during.sum() > max(1, LATE_SHARE_OF_WINDOW * len(during)):
            when = f"while {window.text} held, from {window.injected_s:.2f} s"
            return Verdict(valid=None, why=f"{figures}, {during.sum():,} of the {len(during):,} {when}: {_ADVICE}")
    return Verdict(valid=True, why=figures)


def _while_held(window: FaultWindow, ready_ns: pd.Series[int]) -> npt.NDArray[np.bool_]:
    if window.injected_s is None:
        return np.zeros(len(ready_ns), dtype=bool)
    end_s = math.inf if window.healed_s is None else window.healed_s
    return ready_ns.between(window.injected_s * 1e9, end_s * 1e9).to_numpy(dtype=bool)


def applies(history: History) -> bool:
    """Whether it was recorded when the calls of a load could have been sent; elsewhere only their sending is."""
    load = history.load
    return bool((load["ready_ns"] != load["sent_ns"]).any())
