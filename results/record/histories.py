"""Histories from files, recorded here or elsewhere."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import pandas as pd
from pandas.errors import ParserWarning

from harness.model.errors import UsageError
from harness.model.history import OPS, History
from results.record.store import FRAMES, load_frames, read_parquet

_OUTCOMES: Final = ("ok", "failed", "unknown")
_PHASES: Final = ("load", "final")
_BOM: Final = b"\xef\xbb\xbf"


def load_history(path: Path) -> History:
    """Read a history: a run's folder, or a table of operations (.parquet, .csv, .jsonl).

    Its columns are those of `harness.model.history`.

    In a .csv an empty field is null. An operation without a key is about the key "". Operations are put in the order of
    `due_ns` and numbered from 0 in it. Raises `UsageError` naming the file and what is wrong with it: a column, a line, an
    operation.
    """
    try:
        return checked(_read(path))
    except UsageError as error:
        raise error if str(path) in str(error) else UsageError(f"{path}: {error}") from error
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror or error}.") from error
    except RecursionError as error:
        raise UsageError(f"{path}: a value is nested too deep to be read.") from error


def _read(path: Path) -> History:
    if path.is_dir():
        missing = [f"{name}.parquet" for name in FRAMES if not (path / f"{name}.parquet").is_file()]
        if missing:
            raise UsageError(f"{path} is not a run's folder: it has no {', '.join(missing)}.")
        return load_frames(path)
    if not path.is_file():
        raise UsageError(f"There is no history at {path}. Give a run's folder, or a .parquet, .csv or .jsonl of operations.")
    match path.suffix.lower():
        case ".parquet":
            return History.of(read_parquet(path))
        case ".csv":
            return History.of(_read_csv(path))
        case ".jsonl":
            return History.of(list(_read_jsonl(path)))
        case suffix:
            raise UsageError(
                f"{path}: cannot read a history from {suffix or 'a file without ending'}. Use .parquet, .csv, .jsonl."
            )


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ParserWarning)  # of lines with more fields than the first
            return pd.read_csv(
                path, dtype="string", keep_default_na=False, na_values=[""], index_col=False, encoding="utf-8-sig"
            )
    except (ValueError, ParserWarning) as error:  # pandas' parser errors and UnicodeDecodeError are ValueErrors
        raise UsageError(f"{path} is not a table: {str(error).splitlines()[0].rstrip('.')}.") from error


def _read_jsonl(path: Path) -> Iterator[dict[str, object]]:
    decoder = msgspec.json.Decoder(dict[str, object])
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
                yield {name: value for name, value in row.items() if name in OPS}


def checked(history: History) -> History:
    """The history with its operations in order and their texts complete. Raises `UsageError` about the first wrong one."""
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
    if ops["key"].isna().any():
        ops = ops.assign(key=ops["key"].fillna(""))
    if not ops["due_ns"].is_monotonic_increasing:
        ops = ops.sort_values("due_ns", kind="stable", ignore_index=True)
    return replace(history, ops=ops)
