"""One process of one rank of a training script, as observed."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneStep:
    """A step that a process has completed; times are on the monotonic clock."""

    begun_ns: int
    done_ns: int
    parameters: str
    """A fingerprint of a few of the parameters after it, equal for equal models."""


@dataclass(kw_only=True)
class RankProcess:
    """One process of a rank; a restarted rank has a new one. Times are on the monotonic clock."""

    pid: int
    rank: int
    world: int
    backend: str = ""
    """The backend of torch.distributed's default group at the first step; empty before, or if there is no group."""
    loaded_ns: int | None = None
    """When it had imported torch; None if RANK was not in its environment then."""
    joined_ns: int | None = None
    """When it began to join the group."""
    began_ns: int | None = None
    """When it was about to begin its first step."""
    parameters: str = ""
    """The fingerprint of its model at that time."""
    part: bool = False
    """Whether it held only a part of the model, as far as torch knows: one of DTensors."""
    steps: list[DoneStep] = field(default_factory=list)
    gone_ns: int | None = None
    """When it was first seen to have ended."""
    not_counted: str = ""
    """Why its further steps were not recorded; empty if all were."""
    not_led: list[str] = field(default_factory=list)
    """Why one of its connections does not go through the fault plane."""
