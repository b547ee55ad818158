"""Writes the commands' output files, with one clear line if that fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from harness.cluster.script.environment import journals_folder
from harness.cluster.script.journals import Journals
from harness.model.errors import UsageError, cannot_write
from results.record import load_result, train_result
from results.record.load_result import LOAD_RESULT
from results.record.train_result import SCRIPT_LOG, TRAIN_RESULT
from results.report.load_page import write_load_report
from results.report.page import write_report
from results.report.train_page import write_train_report

STDOUT: Final = Path("-")


def report(run_dirs: Sequence[Path], out: Path) -> Path:
    """Write the page of some runs of drills, of one load, or of one training script, and return its path."""
    others = [run_dir for run_dir in run_dirs if any((run_dir / name).is_file() for name in (LOAD_RESULT, TRAIN_RESULT))]
    if others and len(run_dirs) > 1:
        raise UsageError(f"{others[0]} is not a run of a drill and needs its own page. Ask for its report alone.")
    if not others:
        write_report(run_dirs, out)
    elif (others[0] / LOAD_RESULT).is_file():
        write_load_report(load_result.decode((others[0] / LOAD_RESULT).read_bytes(), str(others[0])), out)
    else:
        _write_train_report(others[0], out)
    return out


def _write_train_report(run_dir: Path, out: Path) -> None:
    result = train_result.decode((run_dir / TRAIN_RESULT).read_bytes(), str(run_dir))
    journals = Journals(journals_folder(run_dir))
    journals.read()
    write_train_report(result, list(journals.processes.values()), run_dir / SCRIPT_LOG, out)


def check_writable(file: Path) -> None:
    """Truncate a file that is written later: better fail now than after the runs, and an old file cannot pass for a new one."""
    if file != STDOUT:
        put(b"", file)


def put(text: bytes, file: Path) -> None:
    """Write text to a file, or to standard output if the file is `-`."""
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
