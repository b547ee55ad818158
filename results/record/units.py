"""Converts times of recorded histories to nanoseconds."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import numpy as np
import pandas as pd

from harness.model.errors import UsageError

UNITS: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""By the name of a unit, its length in nanoseconds."""

_MOST: Final = 2**63
"""Nanoseconds; a longer number in exponential notation takes for ever to write out."""
_TIMES: Final = ("sent", "done", "due", "ready")


def in_nanoseconds(table: pd.DataFrame, unit: str | None = None) -> pd.DataFrame:
    """The table with its times in columns `sent_ns`, `done_ns`, …, in whole nanoseconds.

    A column's name states its unit: `sent_s`, `sent_ms`, `sent_us`. If `unit` is given, `sent` and `sent_ns` are in that unit.
    Fractions of a nanosecond are rounded. Raises `UsageError` if a time is given twice or is not a number.
    """
    for name in _TIMES:
        units = {f"{name}_{told}": told for told in UNITS}
        if unit is not None:
            units |= {name: unit, f"{name}_ns": unit}
        there = [column for column in units if column in table]
        if len(there) > 1:
            raise UsageError(f"The history tells one time twice: {' and '.join(there)}. Keep one of these columns.")
        for column in there:
            if units[column] != "ns":
                values = _converted(table[column], column, UNITS[units[column]])
                table = table.drop(columns=column).assign(**{f"{name}_ns": values})
            elif column != f"{name}_ns":
                table = table.rename(columns={column: f"{name}_ns"})
    return table


def _converted(values: pd.Series, name: str, factor: int) -> pd.Series:
    missing = values.isna().to_numpy(dtype=bool)
    if values.dtype.kind in "iu" and not missing.any():
        limit = np.iinfo(np.int64).max // factor
        if not values.between(-limit, limit).all():
            raise UsageError(f"{name!r} holds a time beyond 64 bits of nanoseconds. Count times from the beginning of the run.")
        return values.astype("int64") * factor
    found = [
        None if absent else _nanoseconds(value, name, row, factor)
        for row, (value, absent) in enumerate(zip(values, missing, strict=True))
    ]
    return pd.Series(found, index=values.index, dtype=object)


def _nanoseconds(value: object, name: str, row: int, factor: int) -> int:
    try:
        exact = Decimal(str(value)) * factor  # for 0.1, which no float is
        if abs(exact) >= _MOST:
            raise UsageError(f"{name!r} in row {row} is {value} (rows count from 0): beyond 64 bits of nanoseconds.")
        return round(exact)
    except (ArithmeticError, ValueError) as error:
        raise UsageError(f"{name!r} in row {row} is {value} (rows count from 0). Times must be numbers.") from error
