"""Looks at what processes hold: the rows of a history's `usage` from a run's start and end."""

from __future__ import annotations

from typing import Final

import msgspec
import pandas as pd

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


def looks_of(usage: pd.DataFrame) -> list[Look]:
    """Those at nodes, in their order."""
    rows = usage[usage["moment"].isin(MOMENTS) & (usage["node"] != "")]
    names = Look.__struct_fields__
    columns = [[None if value is pd.NA else value for value in rows[name].tolist()] for name in names]
    return [Look(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]
