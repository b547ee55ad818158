"""Histories from files, recorded here or elsewhere."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pandas.errors import ParserWarning

from harness.model.canonical import canonical_text
from harness.model.columns import constant, taken
from harness.model.errors import UsageError
from harness.model.history import OPS, History
from harness.model.vocabulary import ACQUIRE, DECREMENT, DELETE, INCREMENT, KNOWN, READ, RELEASE, WRITE
from results.record.events import from_edn, from_events, from_log, is_event
from results.record.store import FRAMES, RUN_FOLDER, load_frames, read_parquet
from results.record.units import in_nanoseconds

_OUTCOMES: Final = ("ok", "failed", "unknown")
_PHASES: Final = ("load", "final")
_TELLING: Final = KNOWN - {ACQUIRE, RELEASE, DELETE, INCREMENT, DECREMENT}
"""Kinds of calls that say nothing without a value."""
_PLAIN: Final = (READ, WRITE)
_OF_REGISTERS: Final = (*_PLAIN, "cas", DELETE)
_JUDGED: Final = ("key", "value", "expected", "phase", "node")
"""Columns that a history may leave out, and that verdicts depend on."""
_NEEDED: Final = ("client", "kind", "outcome", "sent_ns", "done_ns")
"""Columns that a history may not leave out."""
_BOM: Final = b"\xef\xbb\xbf"
_EDN: Final = ("{", "[", "(", ";", "#")
_FILES: Final = ".parquet, .csv or .jsonl of operations, .edn, .json, .jsonl, .log or .txt of events"


@dataclass(frozen=True, kw_only=True)
class Conventions:
    """What a file recorded elsewhere does not say itself."""

    kinds: Mapping[str, str] = field(default_factory=dict)
    """By the file's name for a kind of call, the name that checks know."""
    unit: str | None = None
    """The unit of times whose column names do not state one: "s", "ms", "us" or "ns"; None means nanoseconds."""


_OURS: Final = Conventions()


def load_history(path: Path, conventions: Conventions = _OURS) -> History:
    """Read a history: a run's folder, a table of operations (.parquet, .csv, .jsonl), or events (.edn, .json, .log, …).

    A table's columns are those of `harness.model.history`; its times may be in another unit (`results.record.units`). Events
    are as `results.record.events` describes, in EDN, in JSON, or in the lines of a log.

    An empty field of a .csv is null. An operation without a key has the key "". Operations are sorted by `due_ns` and then
    numbered from 0. Raises `UsageError` naming the file and what is wrong with it: a column, a line, an operation.
    """
    try:
        history = _renamed(_read(path, conventions), conventions.kinds)
        return _checked(history if path.is_dir() else _spelled_alike(history))
    except UsageError as error:
        raise error if str(path) in str(error) else UsageError(f"{path}: {error}") from error
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror or error}.") from error
    except RecursionError as error:
        raise UsageError(f"{path}: a value is nested too deep to be read.") from error
    finally:
        pa.default_memory_pool().release_unused()


def _renamed(history: History, kinds: Mapping[str, str]) -> History:
    """The history with its kinds renamed. Raises `UsageError` if one of these kinds has no call."""
    if not kinds:
        return history
    there = history.ops["kind"].astype("string")
    for kind in kinds:
        if not (there == kind).any():
            raise UsageError(
                f"there is no call of the kind {kind!r} to rename; there are {', '.join(sorted(set(there.dropna())))}."
            )
    return replace(history, ops=history.ops.assign(kind=there.replace(dict(kinds)).astype("category")))


def _spelled_alike(history: History) -> History:
    """The history with one spelling for each array or object that registers hold: a store may spell it in its own way.

    Texts that are appended to stay as they are, and so do the values of all other kinds of calls, which checks read themselves.
    """
    ops = history.ops
    chosen = ops["value"].str.startswith(("[", "{")).fillna(False).to_numpy(dtype=bool)
    if not chosen.any():
        return history
    others = ops["key"][~ops["kind"].isin(_OF_REGISTERS).to_numpy(dtype=bool)]
    chosen &= ops["kind"].isin(_PLAIN).to_numpy(dtype=bool) & ~ops["key"].isin(others).to_numpy(dtype=bool)
    spelled = ops["value"][chosen].map(canonical_text).astype("string")
    return replace(history, ops=ops.assign(value=ops["value"].mask(chosen, spelled)))


def _read(path: Path, conventions: Conventions) -> History:
    unit = conventions.unit
    if path.is_dir():
        missing = [f"{name}.parquet" for name in FRAMES if not (path / f"{name}.parquet").is_file()]
        if missing:
            raise UsageError(f"{path} is not a run's folder: it has no {', '.join(missing)}. {RUN_FOLDER}")
        return load_frames(path)
    if not path.is_file():
        raise UsageError(f"There is no history at {path}. Give a run's folder, or a file: {_FILES}.")
    match path.suffix.lower():
        case ".parquet":
            return _from_table(read_parquet(path), conventions)
        case ".csv":
            return _from_table(_read_csv(path), conventions)
        case ".jsonl" | ".json":
            return _from_json(list(_read_json(path)), conventions)
        case ".edn":
            return from_edn(_text_of(path), unit)
        case ".log" | ".txt":
            text = _text_of(path)
            return from_edn(text, unit) if text.lstrip()[:1] in _EDN else from_log(text)
        case suffix:
            raise UsageError(f"{path}: cannot read a history from {suffix or 'a file without ending'}. Use {_FILES}.")


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ParserWarning)  # raised for lines with more fields than the first
            return pd.read_csv(
                path, dtype="string", keep_default_na=False, na_values=[""], index_col=False, encoding="utf-8-sig"
            )
    except (ValueError, ParserWarning) as error:  # pandas' parser errors and UnicodeDecodeError are ValueErrors
        raise UsageError(f"{path} is not a table: {str(error).splitlines()[0].rstrip('.')}.") from error


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8: {error}.") from error


def _from_table(table: pd.DataFrame, conventions: Conventions) -> History:
    """The history in a table of operations. Raises `UsageError` if it does not say what they wrote and read."""
    for name in table.columns:
        meant = str(name).strip().lower()
        if meant in _JUDGED and meant not in table:
            raise UsageError(f"the history has no column {meant!r}, but one called {name!r}: rename it.")
    timed = in_nanoseconds(table, conventions.unit)
    _check_needed(timed)
    history = History.of(timed)
    if "value" not in table:
        kinds = {conventions.kinds.get(kind, kind) for kind in history.ops["kind"].dropna().astype(str).unique()}
        if kinds & _TELLING:
            raise UsageError(
                f"the history has no column 'value', which holds what was written and read; it has {', '.join(table.columns)}."
            )
    return history


def _check_needed(table: pd.DataFrame) -> None:
    """Raise `UsageError` unless a table, its times in nanoseconds, has every column that a call needs."""
    missing = [name for name in _NEEDED if name not in table]
    if not missing:
        return
    unitless = [name for name in ("sent", "done") if name in table and f"{name}_ns" in missing]
    advice = (
        f"Name the unit of {' and '.join(map(repr, unitless))}, as in --unit ms."
        if len(unitless) == len(missing)
        else f"Each call needs {', '.join(_NEEDED[:-1])} and {_NEEDED[-1]}."
    )
    there = ", ".join(map(str, table.columns)) or "none"
    raise UsageError(f"the history has no column {missing[0]!r}; it has {there}. {advice}")


def _from_json(rows: list[dict[str, object]], conventions: Conventions) -> History:
    """The history in rows that are either all events or all operations."""
    if not rows:
        raise UsageError("it holds no call.")
    if is_event(rows[0]):
        return from_events(rows, conventions.unit)
    names = dict.fromkeys(name for row in rows for name in row)
    table = pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=object) for name in names})
    return _from_table(table, conventions)


def _read_json(path: Path) -> Iterator[dict[str, object]]:
    """The objects in a file: one per line, or all in one array."""
    decoder = msgspec.json.Decoder(dict[str, object])
    if path.suffix.lower() == ".json":
        try:
            yield from msgspec.json.decode(path.read_bytes().removeprefix(_BOM), type=list[dict[str, object]])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} is not a JSON array of objects: {error}.") from error
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            text = line.removeprefix(_BOM) if number == 1 else line
            if text.strip():
                try:
                    row = decoder.decode(text)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise UsageError(f"{path}, line {number}, is not a JSON object: {error}.") from error
                except RecursionError as error:
                    raise UsageError(f"{path}, line {number}, is nested too deep to be read.") from error
                yield row


def _checked(history: History) -> History:
    """The history with its operations in order; the one passed in must not be used afterwards.

    Raises `UsageError` about the first wrong operation.
    """
    ops = history.ops
    for name, known in (("outcome", _OUTCOMES), ("phase", _PHASES)):
        wrong = ops[~ops[name].isin(known)]
        if len(wrong):
            found = wrong[name].iloc[0]
            what = f"no {name}" if pd.isna(found) else f"the {name} {found!r}"
            raise UsageError(f"operation {wrong.index[0]} has {what}; there are {', '.join(known)}.")
    wrong = ops[ops["kind"].isna()]
    if len(wrong):
        raise UsageError(f"operation {wrong.index[0]} has no kind. Say what was asked: read, write, predict, …")
    wrong = ops[ops["done_ns"] < ops["sent_ns"]]
    if len(wrong):
        row = wrong.iloc[0]
        raise UsageError(f"operation {wrong.index[0]} was done ({row['done_ns']} ns) before it was sent ({row['sent_ns']} ns).")
    if not ops["due_ns"].is_monotonic_increasing:
        ops = _sorted(ops)
    return replace(history, ops=ops)


def _sorted(ops: pd.DataFrame) -> pd.DataFrame:
    """Sorted by `due_ns`. Columns are moved out of the frame one by one, since memory may not hold all of them twice."""
    names = list(OPS)
    order = ops["due_ns"].to_numpy().argsort(kind="stable")
    sent_ns = ops["sent_ns"].to_numpy()
    like_sent = [name for name in ("due_ns", "ready_ns") if np.shares_memory(ops[name].to_numpy(), sent_ns)]
    del sent_ns
    columns = {name: _reordered(ops, name, order) for name in names if name not in like_sent}
    for name in like_sent:
        columns[name] = columns["sent_ns"]
    return pd.DataFrame({name: columns[name] for name in names}, copy=False)


def _reordered(ops: pd.DataFrame, name: str, order: npt.NDArray[np.intp]) -> pd.Series:
    """A column, moved out of a frame and reordered; a column with the same text throughout stays constant."""
    if ops[name].dtype != "string":
        return ops.pop(name).take(order).reset_index(drop=True)
    first = ops[name].iloc[0]
    if (ops[name].isna() if pd.isna(first) else (ops[name] == first).fillna(False)).all():
        return constant(None if pd.isna(first) else str(first), len(ops))
    return taken(ops.pop(name), order)
