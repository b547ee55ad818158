"""One entry of the corpus: a seed that found a bug, and the least that it had to add."""

from __future__ import annotations

import msgspec

from harness.simulation.code_version import CodeVersion
from harness.simulation.swarm import Swarm


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the folder `corpus`."""

    drill: str
    bug: str
    """The known bug that it found."""
    seed: int
    swarm: Swarm
    found: tuple[str, ...]
    """The checks that failed."""
    code: CodeVersion
    """What it was found with."""
