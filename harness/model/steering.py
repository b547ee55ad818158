"""What can be asked of a node's disk and clock from outside, and what the node counts of it.

The values of `Setting` and `Counter` are words of the node's control page (`harness.node.control`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final, NamedTuple

PARTIAL: Final = ".partial"
"""Ends the name of a file that is being written and has not taken its place yet."""


@unique
class Setting(IntEnum):
    """What the harness asks of a node's storage. 0 is health."""

    SYNC_FAILS = 0
    """Above 0: a sync that has something to write ends with EIO, and that is not on the disk, nor will it ever be."""
    NO_SPACE = 1
    """Above 0: every write ends with ENOSPC."""
    DELAY_NS = 2
    """Every read and every sync takes this much longer."""
    ERRORS_PERMILLE = 3
    """So many of a thousand requests are answered 500 without the node's own code."""


@unique
class Counter(IntEnum):
    """What a node's storage and clock have done since the run began."""

    FAILED_SYNCS = 8
    REFUSED_WRITES = 9
    DELAYED = 10
    DELAYED_NS = 11
    CLOCK_READS = 12
    UNTRACKED_FILES = 13
    """Files that had no room on the page: what of them is on the disk is not known."""
    ERROR_ANSWERS = 14


class Term(NamedTuple):
    """One deviation of a clock, since a time of the monotonic clock: `by_ns` (if `every_ns` is above 0, only in every other
    period of that length), and `parts_per_billion` of the time gone by."""

    since_ns: int
    by_ns: int = 0
    every_ns: int = 0
    parts_per_billion: int = 0

    def deviation_ns(self, now_ns: int) -> int:
        gone_ns = now_ns - self.since_ns
        by_ns = 0 if self.every_ns and gone_ns // self.every_ns % 2 else self.by_ns
        return by_ns + gone_ns * self.parts_per_billion // 10**9


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """What of a file is on the disk: its first `synced_bytes`, without the `holes` (from, to) whose sync had failed."""

    name: str
    synced_bytes: int
    holes: tuple[tuple[int, int], ...]
