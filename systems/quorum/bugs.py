"""Known-bad variants of the quorum store. Each breaks one rule of the correct protocol; the rule's name is in the code."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

from harness.model.errors import UsageError, hint


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a correct node keeps to. A rule that is False is the one that a variant breaks."""

    reads_ask_quorum: bool = True
    writes_ask_quorum: bool = True
    """A write asks a quorum for the highest version before it chooses its own."""
    reads_write_back: bool = True
    writes_wait_for_quorum: bool = True
    versions_ignore_clocks: bool = True
    versions_unique: bool = True
    replicas_count_once: bool = True
    timeouts_are_unknown: bool = True
    """A write that may yet take effect is not reported as failed."""
    logged_before_answer: bool = True
    synced_before_answer: bool = True
    failed_syncs_are_final: bool = True
    """A sync that succeeds after one that failed says nothing of what the first was for."""
    damage_is_amnesia: bool = True
    """A replica that finds its log damaged answers nothing before it knows again, from the others, what it may have known."""
    newest_kept: bool = True
    """A replica does not give up an entry for an older one."""


CORRECT: Final = Rules()

_VARIANTS: Final = {
    "read-one": ("reads_ask_quorum", "a read asks one replica"),
    "stale-counter": ("writes_ask_quorum", "a write asks one replica for the highest version"),
    "no-read-repair": ("reads_write_back", "a read answers what a quorum may not have"),
    "early-ack": ("writes_wait_for_quorum", "a write is acknowledged when one replica has it"),
    "wall-clock": ("versions_ignore_clocks", "versions are the time of day, which is right where all clocks are"),
    "shared-version": ("versions_unique", "two writes that go on at once through one node may get the same version"),
    "retry-counts": ("replicas_count_once", "a replica that is asked again counts as another replica"),
    "timeout-failed": ("timeouts_are_unknown", "a write that got no quorum in time is reported as surely failed"),
    "forgetful": ("logged_before_answer", "a replica acknowledges what it has in memory only"),
    "no-sync": ("synced_before_answer", "a replica acknowledges what it has written and not synced"),
    "retry-sync": ("failed_syncs_are_final", "a replica whose sync failed tries again, and trusts that"),
    "skip-damaged": ("damage_is_amnesia", "a replica skips what it cannot read of its log, and goes on"),
    "last-wins": ("newest_kept", "a replica keeps what it was given last, whatever its version"),
}

BUGS: Final = {name: line for name, (_, line) in _VARIANTS.items()}
"""What is wrong in each variant, by its name, for `Quorum(bug=…)`."""


def rules_of(bug: str | None) -> Rules:
    """The rules that a variant keeps to, all of them for None. Raises `UsageError` where there is no such variant."""
    if bug is None:
        return CORRECT
    if bug not in _VARIANTS:
        raise UsageError(f"Quorum has no bug called {bug!r}. {hint(bug, _VARIANTS)}")
    return dataclasses.replace(CORRECT, **{_VARIANTS[bug][0]: False})
