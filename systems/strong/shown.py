"""What a replica shows of itself to the invariant."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from systems.strong.lease import Lease, Watch
from systems.strong.protocol import Primary
from systems.strong.replica import Replica


class Shown(NamedTuple):
    """It must not be changed."""

    epoch: int
    """The epoch of which it is the primary; 0 if it is not one."""
    begin: int
    """The index of that epoch's first entry."""
    replica: Replica
    informed: bool = True
    """Whether it answers primaries: it knows an epoch as late as any that it has promised to obey."""
    watch: Watch | None = None
    """How it waits for another replica's lease."""
    lease: Lease | None = None
    """Its own."""
    now_s: float = 0.0
    """The time by its clock."""
    claims: Callable[[float], bool] = lambda now_s: False
    """Whether it would claim the next epoch at a time by its clock, going by what it knows now."""
    reads: Callable[[float], bool] = lambda now_s: False
    """Whether it would answer a read as the primary at a time by its clock, going by what it knows now."""
    primary: Primary | None = None
    """Its view of its epoch; None if it is not the primary."""
    committed_when_over: Callable[[], int] | None = None
    """Up to which index it would count entries as acknowledged by answers that came after its epoch had ended; None if it is
    not the primary."""
