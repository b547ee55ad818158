"""Select calls and read their values: shared parts of the checkers of queues, sets, counters, locks and ids."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import pandas as pd

from harness.checkers._timeline import Booleans, Integers
from harness.checkers._transactions.reading import KIND as TXN
from harness.checkers._transactions.reading import changed_by_transactions
from harness.checkers._wording import count, listed
from harness.model.canonical import canonical_text, element_text
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import ELSEWHERE, REFUSED

NEVER: Final = int(np.iinfo(np.int64).max)
"""The time at which a call of unknown outcome is certainly over."""

_COLUMNS: Final = ["client", "kind", "key", "value", "outcome", "phase", "node", "sent_ns", "done_ns"]

_LARGEST: Final = 1 << 62
"""Sums of two numbers below this fit into 64 bits."""


def calls(history: History, kinds: Collection[str], outcomes: Collection[str] = ("ok",)) -> pd.DataFrame:
    """The calls of these kinds with these outcomes. The index remains the operation's row; texts are plain objects."""
    ops = history.ops
    chosen = ops["kind"].isin(list(kinds)).to_numpy(dtype=bool) & ops["outcome"].isin(list(outcomes)).to_numpy(dtype=bool)
    return ops[_COLUMNS][chosen]


def has(history: History, *kinds: str) -> bool:
    """Whether there is a call of one of these kinds."""
    return bool(history.ops["kind"].isin(kinds).any())


def on_keys_with(ops: pd.DataFrame, kinds: Collection[str], *others: str) -> pd.Series[bool]:
    """A mask of the calls of these kinds, and of calls of the other kinds on the same keys."""
    own = ops["kind"].isin(list(kinds))
    return own | (ops["kind"].isin(others) & ops["key"].isin(ops["key"][own].unique()))


def unknown_changes(ops: pd.DataFrame, known: Collection[str]) -> pd.DataFrame:
    """The calls that may have changed their keys in a way that is not known to a checker of these kinds."""
    harmless = ops["kind"].isin([*known, *ELSEWHERE]) | (ops["outcome"] == "failed")
    return ops[~harmless.to_numpy(dtype=bool)]


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """Keys that calls of kinds unknown to a checker may have changed, so it cannot judge them."""

    keys: list[str]
    kinds: list[str]

    @classmethod
    def of(cls, ops: pd.DataFrame, known: Collection[str], keys: pd.Series) -> Mixed:
        """Those among `keys`, for a checker that knows these kinds."""
        names = pd.Index(keys.unique())
        other = unknown_changes(ops, known)
        other = other[other["key"].isin(names).to_numpy(dtype=bool)]
        written = names[changed_by_transactions(ops, names)]
        return cls(
            keys=sorted({"" if pd.isna(key) else str(key) for key in [*other["key"].unique(), *written]}),
            kinds=sorted({*map(str, other["kind"].unique()), *([TXN] if len(written) else [])}),
        )

    def without(self, found: pd.DataFrame, column: str = "key") -> pd.DataFrame:
        """Only the calls of other keys, which are in this column."""
        return found[~found[column].fillna("").isin(self.keys).to_numpy(dtype=bool)] if self.keys else found

    def verdict(self) -> Verdict:
        """The verdict if nothing is wrong with other keys."""
        what = f"what {', '.join(self.kinds)} did to {count(len(self.keys), 'key')} is not known here"
        return Verdict(valid=None, why=f"{what}: {listed(self.keys)}")


def ends_ns(found: pd.DataFrame) -> Integers:
    """The time by which each call has certainly taken effect: `NEVER` if its outcome is unknown."""
    return np.where((found["outcome"] == "ok").to_numpy(dtype=bool), found["done_ns"].to_numpy(), NEVER)


def refused(found: pd.DataFrame) -> Booleans:
    """A mask of the calls that were answered with `false`, which Python writes as "False" into a .csv."""
    return (found["value"].str.lower() == REFUSED).fillna(False).to_numpy(dtype=bool)


def codes(values: pd.Series) -> tuple[Integers, list[str]]:
    """Texts as numbers from 0 up, and the distinct texts in that order; null counts as the text "null"."""
    numbers, names = pd.factorize(values, use_na_sentinel=False)
    return numbers.astype(np.int64), ["null" if pd.isna(name) else str(name) for name in names]


class NotNumbers(Exception):
    """A value that should be a whole number of at most 62 bits but is not; `op` is its row."""

    def __init__(self, op: int, kind: str, value: object) -> None:
        super().__init__(
            f"op {op}, of kind {kind}, has the value {value if isinstance(value, str) else 'null'}, not a whole number"
        )
        self.op = op


def whole_numbers(found: pd.DataFrame) -> Integers:
    """The values as integers. Raises `NotNumbers` naming the first call whose value is not one, or has more than 62 bits."""
    numbers = np.zeros(len(found), dtype=np.int64)
    for at, text in enumerate(found["value"].array):
        number = _whole_number(text)
        if number is None:
            raise NotNumbers(int(found.index[at]), str(found["kind"].iloc[at]), text)
        numbers[at] = number
    return numbers


def on_other_keys(found: pd.DataFrame, *of: pd.DataFrame) -> pd.DataFrame:
    """Only the calls on keys on which the value of each of the calls `of` is a whole number."""
    broken = {key for each in of for key, text in zip(each["key"], each["value"], strict=True) if _whole_number(text) is None}
    return found[~found["key"].isin(broken).to_numpy(dtype=bool)]


def _whole_number(text: object) -> int | None:
    try:
        number = int(text)  # type: ignore[call-overload]  # it is a text or null
    except (TypeError, ValueError):
        return None
    return number if abs(number) < _LARGEST else None


class NotArrays(Exception):
    """A value that should be a JSON array but is not."""


def elements(found: pd.DataFrame) -> tuple[Integers, Integers, list[str]]:
    """The elements of all calls' JSON arrays: the call's position, the place in its array, and the element's text.

    A null value is an empty array. Raises `NotArrays` naming the first call whose value is not an array.
    """
    arrays = [_array(found, at, text) for at, text in enumerate(found["value"].array)]
    lengths = np.array([len(array) for array in arrays], dtype=np.int64)
    owner = np.repeat(np.arange(len(arrays)), lengths)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return owner, place, [element_text(element) for array in arrays for element in array]


def as_elements(values: pd.Series) -> pd.Series:
    """The values of calls with one element each, in the form that `elements` returns: null is the text "null"."""
    return spelled(values.fillna("null"))


def spelled(values: pd.Series) -> pd.Series:
    """The values, with one spelling for arrays and objects in JSON that are equal; null remains."""
    structured = values.str.startswith(("[", "{")).fillna(False).to_numpy(dtype=bool)
    return values.mask(structured, values[structured].map(canonical_text)) if structured.any() else values


def _array(found: pd.DataFrame, at: int, text: object) -> list[object]:
    if not isinstance(text, str):
        return []
    try:
        return msgspec.json.decode(text, type=list[object])
    except (msgspec.DecodeError, RecursionError) as error:
        op, kind = found.index[at], found["kind"].iloc[at]
        raise NotArrays(f"op {op}, of kind {kind}, has the value {text}, not a JSON array") from error


def rows(found: pd.DataFrame, chosen: Booleans | Integers, most: int = 10) -> tuple[int, ...]:
    """The rows of the chosen operations, in order; only the first `most`."""
    return tuple(sorted({int(row) for row in found.index[chosen][:most]}))
