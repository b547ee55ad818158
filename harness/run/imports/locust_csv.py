"""locust's CSV files: `NAME_stats.csv` and `NAME_stats_history.csv`, as `locust --csv NAME` writes them.

Each request name is a run of a drill `locust TYPE NAME`; all of them together are `locust Aggregated`. The figures are locust's
own: its response times are rounded, and count from when a request was sent, not from when it was due. If both files exist, the
time comes from the history and the figures from the other file. If there is only a history, a name's last row has the totals
of the whole test; its percentiles may cover only the last seconds, so they are left out.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from harness.model.errors import UsageError
from results.record.nights.facts import digest_of
from results.record.nights.figures import AVAILABILITY, MAX, P50, P99, P999, RATE
from results.record.nights.importing import Found
from results.record.nights.recording import Measured
from results.record.nights.rows import Measure

_MEAN: Final = Measure(name="mean", unit="ms", better="lower")
_HISTORY: Final = "_stats_history.csv"
_STATS: Final = "_stats.csv"

_Row = dict[str, str]


def takes(file: Path) -> bool:
    """Whether the file's first line has the columns of either file."""
    if file.suffix != ".csv":
        return False
    with file.open(newline="", errors="replace") as lines:
        header = next(csv.reader(lines), [])
    return {"Type", "Name"} <= set(header) and ({"Request Count"} <= set(header) or {"Timestamp", "User Count"} <= set(header))


def read(file: Path) -> list[Found]:
    """The requests of a test, as the runs of one night."""
    beside = file.with_name(file.name.removesuffix(_HISTORY) + _STATS)
    if file.name.endswith(_HISTORY) and beside.is_file():
        return read(beside)
    rows = _rows(file)
    try:
        return [_of_history(rows) if "Timestamp" in rows[0] else _of_stats(rows, file)] if rows else []
    except (ValueError, KeyError, ZeroDivisionError) as error:
        raise UsageError(f"{file} is not a CSV of locust that can be read here: {error}.") from error


def _rows(file: Path) -> list[_Row]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def _of_history(rows: list[_Row]) -> Found:
    began = datetime.fromtimestamp(int(rows[0]["Timestamp"]), UTC)
    seconds = max(int(rows[-1]["Timestamp"]) - int(rows[0]["Timestamp"]), 1)
    last = {(row["Type"], row["Name"]): row for row in rows}
    return _found(began, (_of_total(row, began, seconds) for row in last.values() if int(row["Total Request Count"])), ())


def _of_total(row: _Row, began: datetime, seconds: int) -> Measured:
    figures = [
        (P50, float(row["Total Median Response Time"])),
        (_MEAN, float(row["Total Average Response Time"])),
        (MAX, float(row["Total Max Response Time"])),
        (RATE, int(row["Total Request Count"]) / seconds),
    ]
    return _measured(row, began, int(row["Total Request Count"]), int(row["Total Failure Count"]), figures, seconds)


def _of_stats(rows: list[_Row], file: Path) -> Found:
    beside = file.with_name(file.name.removesuffix(_STATS) + _HISTORY)
    history = _rows(beside) if beside.is_file() else []
    began = datetime.fromtimestamp(int(history[0]["Timestamp"] if history else file.stat().st_mtime), UTC)
    remark = f"{file.name} does not say when the test ran; the file's date is used: {began:%Y-%m-%d %H:%M:%S} UTC"
    return _found(began, (_of_row(row, began) for row in rows if int(row["Request Count"])), () if history else (remark,))


def _of_row(row: _Row, began: datetime) -> Measured:
    figures = [
        (P50, float(row["Median Response Time"])),
        (_MEAN, float(row["Average Response Time"])),
        (MAX, float(row["Max Response Time"])),
        (RATE, float(row["Requests/s"])),
    ]
    figures += [
        (measure, float(row[name])) for measure, name in ((P99, "99%"), (P999, "99.9%")) if row.get(name, "N/A") != "N/A"
    ]
    return _measured(row, began, int(row["Request Count"]), int(row["Failure Count"]), figures, None)


def _measured(
    row: _Row, began: datetime, requests: int, failed: int, figures: list[tuple[Measure, float]], seconds: float | None
) -> Measured:
    name = " ".join(part for part in ("locust", row["Type"], row["Name"]) if part)
    return Measured(
        drill=name,
        repeat=1,
        seed=0,
        began_utc=began,
        duration_s=seconds,
        verdict="pass",
        as_expected=True,
        why="",
        not_counted="",
        figures=(*figures, (AVAILABILITY, 1 - failed / requests)),
        definition=digest_of([name]),
        rerun="",
        run_folder="",
        identity=digest_of([name, requests, failed, [value for _, value in figures]]),
    )


def _found(began: datetime, runs: Iterator[Measured], remarks: tuple[str, ...]) -> Found:
    return Found(source="locust", began_utc=began, commit="", facts={}, runs=tuple(runs), remarks=remarks)
