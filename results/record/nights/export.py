"""The history as one table, for other programs: parquet, CSV or JSON, a row for each run.

Columns: `night`, `night_began_utc`, `source`, `suite`, `night_state`, `commit`, `facts` (JSON); `drill`, `repeat`, `place`
(from 0), `seed`, `state`, `verdict`, `as_expected`, `counted`, `not_counted`, `why`, `began_utc`, `duration_s`, `definition`,
`baseline`, `rerun`, `run_folder`, `slos` (JSON: text, value, ok, why), `recoveries` (JSON: window, seconds, censored); then a
column for each metric, with its unit in its name (`p99_ms`, `rate_per_s`, `memory_mib`), empty if a run did not measure it; and
`histogram`, the latencies in nanoseconds (HdrHistogram V2, compressed, base64). In a JSON file these columns are not texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import pandas as pd

from harness.model.errors import UsageError, cannot_write
from results.record.nights.database import HistoryDatabase
from results.record.nights.rows import Measure, RecordedNight, RecordedRun

SUFFIXES: Final = (".parquet", ".csv", ".json")

_UNITS: Final = {"": "", "1/s": "per_s"}
_NESTED: Final = ("facts", "slos", "recoveries")


def check_name(file: Path) -> None:
    """Raise `UsageError` unless the file's suffix names a format that can be written."""
    if file.suffix not in SUFFIXES:
        raise UsageError(f"Cannot tell the format of {file}: give it a name that ends in {', '.join(SUFFIXES)}.")


def export(database: HistoryDatabase, file: Path, *, drill: str | None = None, since: datetime | None = None) -> int:
    """Write a history's runs to a file, all or some of them; returns how many. Raises `HarnessError` if writing fails."""
    check_name(file)
    rows = _rows(database, drill, since)
    try:
        file.write_bytes(_encoded(rows, file.suffix))
    except OSError as error:
        raise cannot_write(str(file), error) from error
    return len(rows)


def _encoded(rows: list[dict[str, object]], suffix: str) -> bytes:
    if suffix == ".json":
        return msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n"
    frame = pd.DataFrame([{name: _text(value) if name in _NESTED else value for name, value in row.items()} for row in rows])
    if suffix == ".csv":
        return frame.to_csv(index=False).encode()
    return frame.to_parquet(index=False, compression="zstd")


def _rows(database: HistoryDatabase, drill: str | None, since: datetime | None) -> list[dict[str, object]]:
    nights = {night.name: night for night in database.nights(since=since)}
    measures = database.measures()
    runs = [run for run in database.runs(drill=drill, since=since) if run.night in nights]
    details = database.details({run.id for run in runs})
    return [_row(nights[run.night], run, measures, *details[run.id]) for run in runs]


def _row(
    night: RecordedNight, run: RecordedRun, measures: Mapping[str, Measure], figures: Mapping[str, float], histogram: str | None
) -> dict[str, object]:
    of_night = {
        "night": night.name, "night_began_utc": night.began_utc, "source": night.source, "suite": night.suite,
        "night_state": night.state, "commit": night.commit, "facts": night.facts,
    }  # fmt: skip
    of_run = {name: getattr(run, name) for name in run.__struct_fields__ if name not in ("id", "night")}
    measured = {_column(measure): figures.get(name) for name, measure in measures.items()}
    return {**of_night, **of_run, **measured, "histogram": histogram}


def _column(measure: Measure) -> str:
    unit = _UNITS.get(measure.unit, measure.unit.lower())
    name = measure.name.replace(" ", "_").replace("99.9", "999")
    return f"{name}_{unit}" if unit else name


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
