"""Why calls were not ok, grouped by reason."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
import pandas as pd

MAX_REASONS: Final = 20
"""How many reasons are listed; all rarer ones form one group."""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of the load that ended with one outcome for one reason."""

    outcome: Literal["failed", "unknown"]
    error: str
    calls: int
    example: int
    """One of them: a row of the history's `ops`."""

    def __str__(self) -> str:
        return f"{self.calls:,} {self.outcome}: {self.error}"


def reasons(load: pd.DataFrame) -> tuple[Reason, ...]:
    """Group the operations of a load that are not ok, the most frequent reason first."""
    bad = load[load["outcome"] != "ok"]
    rows: dict[tuple[str, str], list[int]] = {}
    for row, outcome, error in zip(bad.index, bad["outcome"], bad["error"], strict=True):
        text = error if isinstance(error, str) and error else "no reason was recorded"
        rows.setdefault((str(outcome), text), []).append(int(row))
    groups = [_reason(outcome, error, found) for (outcome, error), found in rows.items()]
    groups.sort(key=lambda reason: (-reason.calls, reason.example))
    shown, rare = groups[:MAX_REASONS], groups[MAX_REASONS:]
    for outcome in dict.fromkeys(reason.outcome for reason in rare):
        of_it = [reason for reason in rare if reason.outcome == outcome]
        text = f"{len(of_it):,} other reason{'s' if len(of_it) > 1 else ''}"
        shown.append(Reason(outcome=outcome, error=text, calls=sum(one.calls for one in of_it), example=of_it[0].example))
    return tuple(shown)


def _reason(outcome: str, error: str, rows: list[int]) -> Reason:
    return Reason(outcome="failed" if outcome == "failed" else "unknown", error=error, calls=len(rows), example=rows[0])
