"""Read transactions from a history: calls of kind "txn" whose value is a JSON list of operations on keys.

    [["append", "x", 3], ["r", "x", [1, 2, 3]], ["w", "y", 7], ["r", "z", null]]

"append" adds an element at the end of a list, "w" overwrites a register, and "r" reads either: the whole list or the value;
null means that nothing was written yet. A key is a text or a whole number; an element or value is a text or a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.model.canonical import canonical

KIND: Final = "txn"

Key = str | int
Scalar = int | float | str
Element = Scalar | None
Operation = tuple[Literal["append", "w", "r"], Key, int | float | str | list[int | float | str] | None]

_DECODER: Final = msgspec.json.Decoder(list[Operation])


class NotATransaction(ValueError):
    """The value of a call is not a transaction; the text says what is wrong."""


def transactions(ops: pd.DataFrame, *, as_texts: bool = False) -> Iterator[tuple[int, str, list[Operation]]]:
    """Row, outcome and operations of each transaction, in the order of the history; with `as_texts` without any number.

    Raises `NotATransaction`, naming the call, if a value that counts does not have the form above. The value of a failed call
    counts too, because a read may have returned it.
    """
    chosen = ops[(ops["kind"] == KIND).to_numpy(dtype=bool)]
    for row, outcome, value in zip(chosen.index, chosen["outcome"], chosen["value"], strict=True):
        if not isinstance(value, str):
            if outcome == "ok":
                raise NotATransaction(f"op {row} was answered, but its value is null")
            continue
        try:
            operations = _DECODER.decode(value)
        except (msgspec.DecodeError, RecursionError) as error:
            raise NotATransaction(f"the value of op {row} is not a list of append, w and r: {error}") from error
        for function, key, argument in operations:
            if function == "append" and (argument is None or isinstance(argument, list)):
                raise NotATransaction(f"op {row} appends {argument!r} to {key}; an element is a text or a number")
            if function == "w" and isinstance(argument, list):
                raise NotATransaction(f"op {row} writes a list to {key}; a register's value is a text or a number")
        if as_texts:
            operations = [(function, str(key), _text(argument)) for function, key, argument in operations]
        yield int(row), str(outcome), operations


def _text(argument: Element | list[Scalar]) -> str | list[Scalar] | None:
    if isinstance(argument, list):
        return [element if isinstance(element, str) else canonical(element) for element in argument]
    return argument if argument is None or isinstance(argument, str) else canonical(argument)


class Types:
    """The types of keys and of values that occur in transactions."""

    def __init__(self) -> None:
        self._keys: set[type] = set()
        self._values: set[type] = set()

    def add(self, operations: list[Operation]) -> None:
        for _, key, argument in operations:
            self._keys.add(type(key))
            self._values.add(type(argument[0]) if isinstance(argument, list) and argument else type(argument))

    @property
    def mixed(self) -> bool:
        """Whether some keys, or values, are texts and others numbers, so that the same one may be written as both."""
        return any(str in types and not types.isdisjoint((int, float)) for types in (self._keys, self._values))


def keys_written(ops: pd.DataFrame) -> set[str]:
    """The keys that transactions write, as texts. Raises `NotATransaction`."""
    return {str(key) for _, _, made in transactions(ops) for function, key, _ in made if function != "r"}


def changed_by_transactions(ops: pd.DataFrame, names: pd.Index[str]) -> npt.NDArray[np.bool_]:
    """A mask of the keys with these names that transactions may have written: all, if one of those cannot be read."""
    chosen = ((ops["kind"] == KIND) & (ops["outcome"] != "failed")).to_numpy(dtype=bool)
    if not chosen.any():
        return np.zeros(len(names), dtype=bool)
    made = ops[chosen]
    if made["value"].isna().any():
        return np.ones(len(names), dtype=bool)
    try:
        changed: npt.NDArray[np.bool_] = names.isin(sorted(keys_written(made)))
    except NotATransaction:
        return np.ones(len(names), dtype=bool)
    return changed
