"""What is to be done to a training script, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from harness.cluster.fault_plane import PlaneKind
from harness.model.environment import LinkCounters
from harness.model.fault import Composition
from harness.model.fault_window import FaultWindow
from harness.model.rank_process import RankProcess

START_S: Final = 120.0
STALL_S: Final = 120.0
LIMIT_S: Final = 3600.0
"""What is waited for at most unless somebody says otherwise; see `ScriptSpec`."""

Ended = Literal["by itself", "stalled", "too long"]


@dataclass(frozen=True, kw_only=True)
class ScriptSpec:
    """One run of one script."""

    command: tuple[str, ...]
    faults: tuple[Composition, ...]
    fault_texts: tuple[str, ...]
    """The same as they were given."""
    slos: tuple[str, ...]
    seed: int
    plane: PlaneKind
    start_s: float = START_S
    """Within so many seconds of the command's start a first step is expected."""
    stall_s: float = STALL_S
    """A training that makes no step for so long is ended."""
    limit_s: float = LIMIT_S
    """So long after its first step it is ended in any case."""


@dataclass(frozen=True, kw_only=True)
class ScriptRecord:
    """What was seen of a script that made steps. Times are of the monotonic clock."""

    ranks: int
    processes: Sequence[RankProcess]
    windows: Sequence[FaultWindow]
    links: Mapping[str, LinkCounters]
    started_ns: int
    first_ns: int
    """When the first step was begun; the windows' seconds count from here."""
    ended_ns: int
    ended: Ended
    exit_code: int | None
    """Of the command, if it ended by itself; -N if signal N ended it."""
    launcher_gone_ns: int | None
    orphans: Sequence[str]
    """Ranks that still ran when the command had ended, and what they did."""
    last_words: str
