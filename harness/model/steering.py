"""How the harness steers a node's disk and clock from outside, and what the node counts of it.

The values of `Setting` and `Counter` are word offsets in the node's control page (`harness.node.control`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final, NamedTuple

PARTIAL: Final = ".partial"
"""The suffix of a file that is being written and has not been renamed into place yet."""


@unique
class Setting(IntEnum):
    """What the harness asks of a node's storage. 0 is healthy."""

    SYNC_FAILS = 0
    """Above 0: a sync that has something to write fails with EIO, and the data never reaches the disk."""
    NO_SPACE = 1
    """Above 0: every write fails with ENOSPC."""
    DELAY_NS = 2
    """Every read and every sync takes this much longer."""
    ERRORS_PERMILLE = 3
    """How many of a thousand requests are answered with an error without reaching the node's own code."""
    ERROR_STATUS = 4
    """The status of those answers; 0: 500."""
    SCARCE_SPACE = 5
    """Above 0: a file that is written anew does not fit and fails with ENOSPC; the end of one that is there does fit."""


@unique
class Counter(IntEnum):
    """What a node's storage and clock have done since the run began."""

    FAILED_SYNCS = 8
    REFUSED_WRITES = 9
    DELAYED = 10
    DELAYED_NS = 11
    CLOCK_READS = 12
    UNTRACKED_FILES = 13
    """Files that did not fit on the page: which part of them is durable is not known."""
    ERROR_ANSWERS = 14


class Term(NamedTuple):
    """One term of a clock's error since a time of the monotonic clock: `by_ns` (if `every_ns` is above 0, only in every other
    period of that length), plus `parts_per_billion` of the elapsed time."""

    since_ns: int
    by_ns: int = 0
    every_ns: int = 0
    parts_per_billion: int = 0

    def deviation_ns(self, now_ns: int) -> int:
        elapsed_ns = now_ns - self.since_ns
        by_ns = 0 if self.every_ns and elapsed_ns // self.every_ns % 2 else self.by_ns
        return by_ns + elapsed_ns * self.parts_per_billion // 10**9


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """The durable part of a file: its first `synced_bytes`, without the `holes` (from, to) whose sync failed."""

    name: str
    synced_bytes: int
    holes: tuple[tuple[int, int], ...]
