"""Check that clients retried often enough for a drill about a retry storm to have had one."""

from __future__ import annotations

from typing import Final

from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict

AMPLIFICATION: Final = 1.5
"""This many attempts per call, within one second of the load, make a storm: half as much again as without retries."""

LEAST_CALLS: Final = 20
"""Fewer calls in a second say nothing."""

_SECOND_NS: Final = 1_000_000_000


def retry_storm_seen(history: History) -> Verdict:
    """In some second of the load, the clients made at least one and a half attempts per call; otherwise unknown.

    Only a storm tests whether a system rides one out. It is not the system's fault if none came, so this is never invalid.
    """
    load = history.load
    rows = zip((load["sent_ns"] // _SECOND_NS).tolist(), load["attempts"].tolist(), strict=True)
    made: dict[int, list[int]] = {}
    for second, attempts in rows:
        made.setdefault(second, []).append(attempts)
    told_by = {second: each for second, each in made.items() if len(each) >= LEAST_CALLS}
    if not told_by:
        return Verdict(valid=None, why=f"no second of the load has {LEAST_CALLS} calls")
    worst, each = max(told_by.items(), key=lambda item: sum(item[1]) / len(item[1]))
    attempts, calls = sum(each), len(each)
    told = f"{count(attempts, 'attempt')} of {count(calls, 'call')} in the second from {worst} s, {attempts / calls:.2f} a call"
    if attempts >= AMPLIFICATION * calls:
        return Verdict(valid=True, why=f"retries piled up: {told}")
    return Verdict(valid=None, why=f"no retry storm came: at most {told}, where {AMPLIFICATION:g} make one")


def applies(history: History) -> bool:
    """Whether clients retried."""
    return bool((history.load["attempts"] > 1).any())
