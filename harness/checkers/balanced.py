"""Check that no node has to answer much more than its share."""

from __future__ import annotations

import math
from typing import Final

from harness.checkers._wording import count
from harness.model.errors import UsageError
from harness.model.history import History
from harness.model.node_events import BrokenEvent, told
from harness.model.partition_events import Planned, Settled
from harness.model.verdict import Checker, Verdict

MOST: Final = 1.5
_CALLS: Final = 200
"""With fewer calls, an imbalance may be chance."""
_DEVIATIONS: Final = 4.0
"""Calls are not dealt out in turn: if each goes to a member at random, its number scatters by the root of its share. An excess
within this many of these standard deviations may be chance."""


def balanced(history: History) -> Verdict:
    """In the last third of the load no member answers more than 1.5 times its share of the calls, by weight.

    Members and weights come from the last `planned` event that changed them (`harness.model.partition_events`). Unknown if the
    partitions had not settled after that before the last third began, if it has fewer than 200 calls, or if a member has so few
    of them that chance may be why it answered too many. `balanced_within` takes another bound.
    """
    return _judged(history, MOST)


def balanced_within(most: float) -> Checker:
    """The same check with another bound, in multiples of a member's share."""
    if not most > 1:
        raise UsageError(f"balanced_within({most!r}): must be above 1, such as 1.25.")

    def balanced(history: History) -> Verdict:
        return _judged(history, most)

    balanced.__doc__ = f"No member answers more than {most:g} times its share of the calls."
    return balanced


def _judged(history: History, most: float) -> Verdict:
    try:
        plans = [each for each in told(history, {"planned": Planned}) if each.event.why == "members"]
        settled = told(history, {"settled": Settled})
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    load = history.load
    if not plans or load.empty:
        return Verdict(valid=None, why="nothing was planned, or there was no load")
    first_ns, last_ns = int(load["sent_ns"].min()), int(load["sent_ns"].max())
    from_ns = last_ns - (last_ns - first_ns) // 3
    if not any(plans[-1].at_ns <= each.at_ns <= from_ns for each in settled):
        return Verdict(valid=None, why="the partitions had not settled before the last third of the load")
    weights = plans[-1].event.members
    after = load[(load["sent_ns"] >= from_ns) & (load["outcome"] == "ok")]
    answered = after["node"].value_counts()
    total = int(sum(answered.get(name, 0) for name in weights))
    if total < _CALLS:
        return Verdict(valid=None, why=f"only {count(total, 'call')} came in the last third of the load")
    shares = {name: total * weight / sum(weights.values()) for name, weight in weights.items()}
    calls = {name: int(answered.get(name, 0)) for name in weights}
    over = [name for name in weights if calls[name] > most * shares[name]]
    certain = [name for name in over if calls[name] - shares[name] > _DEVIATIONS * math.sqrt(shares[name])]
    fullest = max(certain or weights, key=lambda name: calls[name] / shares[name])
    told_factor = f"{fullest} answered {calls[fullest] / shares[fullest]:.2f} times its share of {count(total, 'call')}"
    if certain:
        return Verdict(valid=False, why=f"{told_factor}; at most {most:g} times is balanced")
    if over:
        few = f"these are only {count(calls[fullest], 'call')}, so it may be chance: let the load go on for longer"
        return Verdict(valid=None, why=f"{told_factor}, but {few}")
    return Verdict(valid=True, why=f"{told_factor}, and no other of {count(len(weights), 'member')} more")


def applies(history: History) -> bool:
    """Whether a partitioned store reported that its partitions had settled."""
    return {"planned", "settled"} <= set(history.events["kind"].unique())
