"""Looks at what processes hold: the rows of a history's `usage` from a run's start and end."""

from __future__ import annotations

from typing import Final

import msgspec
import pandas as pd

from harness.model.columns import plain

MOMENTS: Final = ("start", "over", "end")
"""When what a node holds is looked at; during the load, only what the machine gives it is."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look; see `harness.model.history`."""

    node: str
    pid: int
    moment: str
    descriptors: int | None
    sockets: int | None
    tasks: int | None
    accepted: int | None
    in_use: int | None
    idle: int | None
    surplus: int | None
    opened: int | None
    unsettled: str | None
    abandoned: int | None

    @property
    def process(self) -> tuple[str, int]:
        """The process: another node's may have had the same pid before."""
        return self.node, self.pid

    @property
    def from_outside(self) -> bool:
        """Whether it is the kernel's account of a program that does not report about itself."""
        return self.abandoned is not None


def looks_of(usage: pd.DataFrame) -> list[Look]:
    """Those at nodes, in their order."""
    names = Look.__struct_fields__
    columns = [plain(usage[name]) for name in names]
    looks = (Look(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True))
    return [look for look in looks if look.moment in MOMENTS and look.node]
