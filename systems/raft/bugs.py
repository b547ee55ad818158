"""The known bugs of the Raft store. Each breaks one rule of the correct system, which the code asks for by its name."""

from __future__ import annotations

from typing import Final

from harness.model.bug import Bug, BugCatalog
from systems.raft.rules import CORRECT, Rules

BUGS: Final = BugCatalog(
    CORRECT,
    Bug(
        "half-is-majority",
        "half of the voters, rounded down, count as a majority",
        Rules(majority_is_more_than_half=False),
        caught_by=("raft/partitioned", "linearizable"),
    ),
)
