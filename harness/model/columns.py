"""Columns of recorded histories: convert exactly whatever a file held, or raise an error that names the row.

A lossy conversion is refused: a fraction of a nanosecond, a digit that a floating-point number cannot hold, a time beyond
64 bits. A history that is read wrongly is judged wrongly, and nothing would show it.
"""

from __future__ import annotations

import contextlib
from functools import cache
from numbers import Integral
from types import NoneType
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pandas.api.types import infer_dtype, pandas_dtype

from harness.model.canonical import EXACT, canonical
from harness.model.errors import UsageError

_PART: Final = 2**16

_INTEGERS: Final = ("int32", "int64", "Int64")
_TEXTS: Final = ("string", "category")


def constant(value: str | int | None, length: int, dtype: str = "string") -> pd.Series:
    """A column that holds one value throughout. A text column takes hardly any memory, because its chunks are shared."""
    if dtype == "category":
        return pd.Series(pd.Categorical.from_codes(np.zeros(length, dtype=np.int8), pd.Index([value], dtype="string")))
    if dtype != "string":
        return pd.Series(np.full(length, value, dtype=dtype))
    part = pa.array([value] * min(length, _PART), type=pa.large_string())
    return _column(pa.chunked_array([part] * (length // _PART) + [part.slice(0, length % _PART)], type=pa.large_string()))


def taken(values: pd.Series, rows: npt.NDArray[np.intp]) -> pd.Series:
    """The texts in these rows. At most two copies are in memory at once, unless the caller also keeps the column."""
    text = pa.array(values.array, type=pa.large_string())
    del values
    whole = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
    del text
    return _column(pa.chunked_array([whole.take(pa.array(rows))]))


def _column(texts: pa.ChunkedArray) -> pd.Series:
    return pd.Series(pd.array(texts, dtype="string[pyarrow]")).astype("string")


def plain(values: pd.Series | pd.api.extensions.ExtensionArray) -> list[Any]:
    """A column's values as Python's own, with None for null."""
    found: list[Any] = pa.array(values, from_pandas=True).to_pylist()  # many times as fast as pandas' own `tolist`
    return found


def column(values: list[object], dtype: str | None) -> pd.Series:
    """A column of a list, in this dtype if all are of its very type or null; otherwise of plain objects, to be `converted`."""
    types = set(map(type, values))
    if dtype == "string" and types <= {str, NoneType}:
        return pd.Series(values, dtype="string")
    if dtype == "category" and types == {str}:
        texts = cast(list[str], values)
        names = sorted(set(texts))
        place = {name: number for number, name in enumerate(names)}
        codes = [place[text] for text in texts]
        return pd.Series(pd.Categorical.from_codes(codes, pd.Index(names, dtype="string")))
    if dtype in _INTEGERS and types <= {int, NoneType} and (types == {int} or dtype == "Int64"):
        with contextlib.suppress(OverflowError):  # it is refused later, with its row
            numbers = np.array([0 if value is None else value for value in values], dtype=np.int64)
            if dtype != "Int64":
                return pd.Series(numbers, copy=False)
            missing = np.array([value is None for value in values])
            return pd.Series(pd.arrays.IntegerArray(numbers, missing), copy=False)
    return pd.Series(values, dtype=object)


def converted(values: pd.Series, name: str, dtype: str) -> pd.Series:
    """Convert a column to another dtype without loss. Raises `UsageError` that names the column, the row, and what to do."""
    wanted = _dtype(dtype)
    if _is_settled(values) if dtype == "category" else values.dtype == wanted:
        return values
    if dtype in _INTEGERS:
        return _integers(values, name, dtype)
    if dtype in _TEXTS:
        if name == "key":
            _refuse_alike(values)
        return _texts(values).astype(wanted)
    try:
        return values.astype(wanted)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"The history's column {name!r} does not hold {dtype}: {error}.") from error


@cache
def _dtype(name: str) -> Any:
    return pandas_dtype(name)


def _is_settled(values: pd.Series) -> bool:
    """Whether the categories are texts in their order, and none is unused."""
    if not isinstance(values.dtype, pd.CategoricalDtype) or values.cat.ordered:
        return False
    names, codes = values.cat.categories, values.cat.codes.to_numpy()
    used = np.zeros(len(names) + 1, dtype=bool)
    used[codes] = True  # -1, for null, is the last one
    return bool(names.dtype == _dtype("string") and names.is_monotonic_increasing and used[:-1].all())


# -------------------------------------------------------------------------------------------------------------- integers


def _integers(values: pd.Series, name: str, dtype: str) -> pd.Series:
    limit = np.iinfo(np.int32 if dtype == "int32" else np.int64)
    missing = values.isna().to_numpy(dtype=bool)
    if missing.any() and dtype != "Int64":
        raise _refused(name, int(missing.argmax()), "is empty", "Give it in every row.")
    match values.dtype.kind:
        case "i" | "u":
            fits = (values <= limit.max) & (values >= limit.min)
        case "f":
            fits = (values % 1 == 0) & (values.abs() <= EXACT)
        case "O":
            return _from_objects(values, name, dtype)
        case _:
            raise _not_whole(name, 0, values.iloc[0])
    wrong = ~(fits.fillna(False).to_numpy(dtype=bool) | missing)
    if wrong.any():
        row = int(wrong.argmax())
        raise _not_whole(name, row, values.iloc[row])
    return values.astype(_dtype(dtype))


def _from_objects(values: pd.Series, name: str, dtype: str) -> pd.Series:
    found = values.to_numpy(dtype=object)
    if infer_dtype(found, skipna=False) in ("integer", "string"):  # the usual case, at the speed of numpy
        try:
            return pd.Series(found.astype(np.int64)).pipe(converted, name, dtype)
        except (ValueError, OverflowError):
            pass  # one of them is not a whole number: find it below
    numbers = [None if value is None or value is pd.NA else _number(value, name, row) for row, value in enumerate(found)]
    return pd.Series(numbers, dtype="Int64").pipe(converted, name, dtype)


def _number(value: object, name: str, row: int) -> int | None:
    match value:
        case float() if value != value:
            return None
        case bool() | np.bool_():
            pass
        case Integral() if -(2**63) <= int(value) < 2**63:
            return int(value)
        case float() if value.is_integer() and abs(value) <= EXACT:
            return int(value)
        case str():
            try:
                return _number(int(value), name, row)
            except ValueError:
                pass
    raise _not_whole(name, row, value)


def _not_whole(name: str, row: int, value: object) -> UsageError:
    text = str(value)
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    if name.endswith("_ns"):
        advice = "Times are whole nanoseconds, less than 2**63. If they are seconds, say --unit s."
        if isinstance(value, float) and value.is_integer():
            advice = "A floating-point number of this size has lost digits: write times as integers."
    elif name == "client":
        advice = "Clients are whole numbers below 2**31: number them from 0."
    else:
        advice = "It takes whole numbers."
    return _refused(name, row, f"is {shown}", advice)


def _refused(name: str, row: int, what: str, advice: str) -> UsageError:
    return UsageError(f"{name!r} in row {row} {what} (rows count from 0). {advice}")


# ----------------------------------------------------------------------------------------------------------------- texts


def _texts(values: pd.Series) -> pd.Series:
    """Every value as text. Other values become canonical JSON, so that equal values stay equal whatever wrote them."""
    if isinstance(values.dtype, pd.StringDtype):
        return values.astype("string")
    if isinstance(values.dtype, pd.CategoricalDtype):
        used = values.cat.remove_unused_categories()
        names = _texts(pd.Series(used.cat.categories, dtype=object))
        if names.is_unique:  # a few names are converted, not all rows
            renamed = used.cat.rename_categories(pd.Index(names, dtype="string"))
            return renamed.cat.reorder_categories(pd.Index(sorted(names), dtype="string"))
        return values.astype(values.cat.categories.dtype).pipe(_texts)
    if values.dtype.kind not in "Obiuf":
        return values.astype("string")
    found = values.to_numpy(dtype=object)
    if infer_dtype(found, skipna=True) in ("string", "empty"):  # the usual case, at the speed of numpy
        return values.astype("string")
    return pd.Series([_text(value) for value in found], dtype="string")


def _refuse_alike(keys: pd.Series) -> None:
    """Refuse keys that only their types tell apart, such as 1 and "1": as texts, two objects would become one."""
    if keys.dtype.kind != "O":
        return
    found = keys.to_numpy(dtype=object)
    texts = {key: row for row, key in enumerate(found) if isinstance(key, str)}
    if not texts or len(texts) == len(found) or infer_dtype(found, skipna=True) == "string":
        return
    for row, key in enumerate(found):
        if not isinstance(key, str) and (text := _text(key)) in texts:
            raise UsageError(
                f"'key' is {text} in row {row} and the text \"{text}\" in row {texts[text]} (rows count from 0). Keys are"
                " compared as texts: write it in the same way everywhere, or rename one of the two."
            )


def _text(value: object) -> str | None:
    match value:
        case str():
            return value
        case bytes():
            return value.decode(errors="backslashreplace")
        case float() if value != value:
            return None
        case dict() | list() | tuple() | np.ndarray() | int() | float() | np.generic():
            return canonical(value)
        case _:
            return None if value is None or value is pd.NA or value is pd.NaT else str(value)
