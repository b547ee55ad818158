"""What commands write, and what is said if that fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from harness.model.errors import UsageError, cannot_write
from results.record.load_result import LOAD_RESULT, decode
from results.report.load_page import write_load_report
from results.report.page import write_report

STDOUT: Final = Path("-")


def report(run_dirs: Sequence[Path], out: Path) -> Path:
    """Write the page of some runs of drills, or of one load; returns where."""
    loads = [run_dir for run_dir in run_dirs if (run_dir / LOAD_RESULT).is_file()]
    if loads and len(run_dirs) > 1:
        raise UsageError(f"{loads[0]} is a load and has a page of its own. Ask for its report by itself.")
    if loads:
        write_load_report(decode((loads[0] / LOAD_RESULT).read_bytes(), str(loads[0])), out)
    else:
        write_report(run_dirs, out)
    return out


def check_writable(file: Path) -> None:
    """Empty a file that is to be written later: better fail now than after the runs, and an old one is not taken for new."""
    if file != STDOUT:
        put(b"", file)


def put(text: bytes, file: Path) -> None:
    """Write a text into a file, or to standard output if the file is `-`."""
    if file == STDOUT:
        sys.stdout.write(text.decode())
        sys.stdout.flush()
        return
    with writing(file):
        file.write_bytes(text)


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Turn a failure to write into one clear line."""
    try:
        yield
    except OSError as error:
        raise cannot_write(str(file), error) from error
