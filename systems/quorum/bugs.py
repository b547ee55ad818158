"""Known-bad variants of the quorum store: how each deviates from the correct rules, and what goes wrong by it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final, Literal

from harness.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a coordinator and a replica keep to. The defaults are the correct protocol."""

    query_all: bool = True
    """A read waits for a read quorum; else for one replica."""
    write_back: bool = True
    """A read stores what it answers, where a write quorum does not hold it already."""
    wait_for_quorum: bool = True
    """A write is acknowledged when a write quorum has it; else when one replica has."""
    version_from: Literal["quorum", "self", "clock"] = "quorum"
    """Whom a write asks for the highest version: a read quorum, the coordinator alone, or its wall clock."""
    count_answers: bool = False
    """A quorum counts answers, so that one replica asked twice counts twice."""
    timeout_is_failure: bool = False
    """A write that may yet take effect is reported as failed."""
    log_writes: bool = True
    """A replica has an entry on its disk before it acknowledges it."""
    keep_newest: bool = True
    """A replica keeps the entry with the higher version; else the one that came last."""


CORRECT: Final = Rules()

BUGS: Final[dict[str, tuple[str, Rules]]] = {
    "read-one": ("a read asks one replica", Rules(query_all=False, write_back=False)),
    "no-read-repair": ("a read does not write back what it answers", Rules(write_back=False)),
    "early-ack": ("a write is acknowledged when one replica has it", Rules(wait_for_quorum=False)),
    "wall-clock": ("versions come from wall clocks, which differ by up to a quarter of a second", Rules(version_from="clock")),
    "stale-counter": ("a write takes the version after the highest its coordinator has seen", Rules(version_from="self")),
    "retry-counts": ("a replica that is asked again counts as another replica", Rules(count_answers=True)),
    "timeout-failed": ("a write without an answer in time is reported as failed", Rules(timeout_is_failure=True)),
    "forgetful": ("a replica acknowledges what it has only in memory", Rules(log_writes=False)),
    "last-wins": ("a replica keeps what came last, whatever its version", Rules(keep_newest=False)),
}
"""By name: what it does, in a line, and the rules it keeps to instead."""


def rules_of(bug: str | None) -> Rules:
    """The rules of a variant, the correct ones for None. Raises `UsageError` for a name that is not in the catalogue."""
    if bug is None:
        return CORRECT
    if bug not in BUGS:
        close = difflib.get_close_matches(bug, BUGS, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(BUGS)}."
        raise UsageError(f"No bug called {bug!r} in Quorum. {hint}")
    return BUGS[bug][1]
