"""Check that nodes that are told to stop do so soon."""

from __future__ import annotations

import math
from typing import Final

import pandas as pd

from harness.checkers._wording import count
from harness.model.errors import UsageError
from harness.model.history import History
from harness.model.verdict import Checker, Verdict

LIMIT_S: Final = 10.0

_TOLD, _FORCED = "SIGTERM", "SIGKILL"
_OVER: Final = ("ended", "killed", "died")


def stops_in_time(history: History) -> Verdict:
    """A node that gets SIGTERM has ended within ten seconds.

    A node that drains first keeps a deploy waiting, and one that never has done with it gets SIGKILL in the middle of its work.
    Not judged if something else happened to the node meanwhile: it was frozen, or killed before it was late. `stops_within`
    takes another limit. A node that has not ended when the record does took at least that long. Unknown if no node was told to
    stop, or none of them can be judged.
    """
    return _judged(history, LIMIT_S)


def stops_within(limit_s: float) -> Checker:
    """The same check with another limit in seconds: how long a system promises to take."""
    if not (math.isfinite(limit_s) and limit_s > 0):
        raise UsageError(f"stops_within({limit_s!r}): a number of seconds above 0, such as 4.")

    def stops_in_time(history: History) -> Verdict:
        return _judged(history, limit_s)

    stops_in_time.__doc__ = f"A node that gets SIGTERM has ended within {limit_s:g} s."
    return stops_in_time


def applies(history: History) -> bool:
    """Whether a node was told to stop."""
    return bool((history.events["detail"] == _TOLD).any())


def _judged(history: History, limit_s: float) -> Verdict:
    took_s: list[tuple[float, str]] = []
    ends_ns = max((int(times.max()) for times in (history.events["at_ns"], history.ops["done_ns"]) if len(times)), default=0)
    for node, events in history.events.groupby("node"):
        took_s += [(took, str(node)) for took in _stops(events.sort_values("at_ns", kind="stable"), limit_s, ends_ns)]
    if not took_s:
        told = "something else happened to each node that got SIGTERM, or the record ended" if applies(history) else ""
        return Verdict(valid=None, why=told or "no node got SIGTERM")
    longest_s, node = max(took_s)
    if longest_s > limit_s:
        late = sum(took > limit_s for took, _ in took_s)
        why = f"{node} took {longest_s:.2f} s to end after SIGTERM, not {limit_s:g} s; {late} of {len(took_s)} took too long"
        return Verdict(valid=False, why=why)
    return Verdict(valid=True, why=f"{count(len(took_s), 'time')}, the longest took {longest_s:.2f} s ({node})")


def _stops(events: pd.DataFrame, limit_s: float, ends_ns: int) -> list[float]:
    """How long a node took to end each time, in seconds, if nothing else that was seen from outside happened in between.

    If it was killed after more than the limit, or runs when the record ends at `ends_ns`, that long at least.
    """
    found: list[float] = []
    told_ns: int | None = None
    for at_ns, kind, detail in zip(events["at_ns"].tolist(), events["kind"].tolist(), events["detail"].tolist(), strict=True):
        if kind not in ("signalled", *_OVER):
            continue
        if told_ns is not None:
            took_s = (at_ns - told_ns) / 1e9
            by_itself = kind in _OVER and _FORCED not in detail
            if by_itself or (_FORCED in detail and took_s > limit_s):
                found.append(took_s)
        told_ns = at_ns if detail == _TOLD else None
    if told_ns is not None and (ends_ns - told_ns) / 1e9 > limit_s:
        found.append((ends_ns - told_ns) / 1e9)
    return found
