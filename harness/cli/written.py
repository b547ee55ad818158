"""What commands write, and what is said if that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.model.errors import cannot_write
from results.report.page import write_report


def report(run_dirs: Sequence[Path], out: Path) -> Path:
    """Write the page of some runs; returns where."""
    write_report(run_dirs, out)
    return out


def check_writable(file: Path) -> None:
    """Empty a file that is to be written later: better fail now than after the runs, and an old one is not taken for new."""
    with writing(file):
        file.write_bytes(b"")


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Turn a failure to write into one clear line."""
    try:
        yield
    except OSError as error:
        raise cannot_write(str(file), error) from error
