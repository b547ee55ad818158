"""Histories from files, recorded here or elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import pandas as pd

from harness.model.errors import UsageError
from harness.model.history import OPS, History
from results.record.store import FRAMES, load_frames, read_parquet

_OUTCOMES: Final = ("ok", "failed", "unknown")
_TEXTS: Final = {name for name, dtype in OPS.items() if dtype in ("string", "category")}


def load_history(path: Path) -> History:
    """Read a history: a run's folder, or a table of operations (.parquet, .csv, .jsonl).

    Its columns are those of `harness.model.history`.

    In a .csv an empty field is null. Operations are put in the order of `due_ns` and numbered from 0 in it. Raises
    `UsageError` naming the file and what is wrong with it: a column, a line, an operation.
    """
    if path.is_dir():
        missing = [f"{name}.parquet" for name in FRAMES if not (path / f"{name}.parquet").is_file()]
        if missing:
            raise UsageError(f"{path} is not a run's folder: it has no {', '.join(missing)}.")
        return load_frames(path)
    if not path.is_file():
        raise UsageError(f"There is no history at {path}. Give a run's folder, or a .parquet, .csv or .jsonl of operations.")
    match path.suffix.lower():
        case ".parquet":
            rows = read_parquet(path)
        case ".csv":
            rows = _read_csv(path)
        case ".jsonl":
            rows = _read_jsonl(path)
        case suffix:
            raise UsageError(
                f"{path}: cannot read a history from {suffix or 'a file without ending'}. Use .parquet, .csv, .jsonl."
            )
    try:
        return _checked(History.of(rows))
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""])
    except (ValueError, OSError) as error:  # pandas' parser errors and UnicodeDecodeError are ValueErrors
        raise UsageError(f"{path} is not a table: {error}.") from error


def _read_jsonl(path: Path) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    row = msgspec.json.decode(line, type=dict[str, object])
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise UsageError(f"{path}, line {number}, is not a JSON object: {error}.") from error
                rows.append({name: _text(value) if name in _TEXTS else value for name, value in row.items()})
    return pd.DataFrame(rows)


def _text(value: object) -> str | None:
    """A value as the text that a history holds; numbers and structures keep their JSON form."""
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()


def _checked(history: History) -> History:
    ops = history.ops
    wrong = ops[~ops["outcome"].isin(_OUTCOMES)]
    if len(wrong):
        raise UsageError(
            f"operation {wrong.index[0]} has the outcome {wrong['outcome'].iloc[0]!r}; there are {', '.join(_OUTCOMES)}."
        )
    wrong = ops[ops["done_ns"] < ops["sent_ns"]]
    if len(wrong):
        row = wrong.iloc[0]
        raise UsageError(f"operation {wrong.index[0]} was done ({row['done_ns']} ns) before it was sent ({row['sent_ns']} ns).")
    if not ops["due_ns"].is_monotonic_increasing:
        ops = ops.sort_values("due_ns", kind="stable", ignore_index=True)
    return replace(history, ops=ops)
