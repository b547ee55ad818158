"""The spec and the record of a training script's run."""

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
"""The default limits; see `ScriptSpec`."""
ORPHANS_S: Final = 3.0
"""How long to watch ranks that still run after their launcher has ended."""

Ended = Literal["by itself", "stalled", "held up", "too long"]
"""Held up: it made no more steps while a fault held."""


@dataclass(frozen=True, kw_only=True)
class ScriptSpec:
    """One run of one script."""

    command: tuple[str, ...]
    faults: tuple[Composition, ...]
    fault_texts: tuple[str, ...]
    """The faults as they were given."""
    slos: tuple[str, ...]
    seed: int
    plane: PlaneKind
    namespaces: bool = False
    """Whether each rank, and the launcher, is in a network namespace of its own."""
    start_s: float = START_S
    """The first step must come this soon after the command's start."""
    stall_s: float = STALL_S
    """A training that makes no step for this long is ended."""
    limit_s: float = LIMIT_S
    """The training is ended this long after its first step in any case."""


@dataclass(frozen=True, kw_only=True)
class ScriptRecord:
    """The record of a script that made steps. Times are on the monotonic clock."""

    ranks: int
    processes: Sequence[RankProcess]
    windows: Sequence[FaultWindow]
    links: Mapping[str, LinkCounters]
    started_ns: int
    first_ns: int
    """When the first step began; the windows' seconds count from here."""
    ended_ns: int
    ended: Ended
    exit_code: int | None
    """The command's exit code, if it ended by itself; -N if signal N ended it."""
    launcher_gone_ns: int | None
    orphans: Sequence[str]
    """Ranks that still ran after the command had ended, and what they did."""
    cause: str
    """Why the command failed, if it did."""
    aborted_at_exit: bool
    """A rank had done its steps and died as Python ended, by torch's own race."""
