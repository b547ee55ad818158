"""What commands write: results as JSON, and report pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from harness.model.errors import HarnessError
from results.record.result import Result
from results.report.page import write_report


def report(run_dirs: Sequence[Path], out: Path) -> Path:
    """Write the page of some runs; returns where."""
    with writing(out):
        write_report(run_dirs, out)
    return out


def write_json(file: Path, results: Sequence[Result], *, several: bool) -> None:
    """Write results as indented JSON: a list if several drills were asked for."""
    value = list(results) if several else results[0]
    with writing(file):
        file.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Turn a failure to write into one clear line."""
    try:
        yield
    except OSError as error:
        raise HarnessError(f"Cannot write {file}: {error.strerror or error}.") from error
