"""Runs on disk: each in a self-contained folder of its own.

    runs/<drill>/<utc>-<seed>/
        result.json       the result (`results.record.result.Result`)
        ops.parquet       every operation
        windows.parquet   the fault windows
        events.parquet    what was observed of the nodes
        links.parquet     the traffic of each link
        steps.parquet     the steps of each rank; only for a training
        usage.parquet     the resources that each process held and got; older runs have none
        nodes/<name>.log  each node's log, written while it ran
        nodes/<name>/     each node's own files

The columns are those of `harness.model.history`. `result.json` is written last, so a folder that has one is complete.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import pandas as pd
import pyarrow
from pyarrow import parquet

from harness.model.errors import HarnessError, UsageError, cannot_write
from harness.model.fault_window import Parameter
from harness.model.history import History
from results.record.result import Result, decode, encode
from results.record.training_sentences import typed

RUNS: Final = Path("runs")
RESULT: Final = "result.json"
_NODES: Final = "nodes"
_RUN: Final = re.compile(r"\d{8}T\d{6}Z-")
"""How the name of a run's folder begins."""
FRAMES: Final = ("ops", "windows", "events", "links")
_TEXTS: Final = {kind: pd.StringDtype("pyarrow") for kind in (pyarrow.string(), pyarrow.large_string())}
MAY_LACK: Final = ("steps", "usage")
"""Frames that are stored only if they have rows; runs that are older than a frame lack it."""
RUN_FOLDER: Final = "Name the one that holds its report.html."
"""Which folder is a run's."""


def new_run_dir(root: Path, drill: str, seed: int, started: datetime) -> Path:
    """Create the folder of a run that begins now. Raises `HarnessError` if that fails."""
    stamp = f"{started:%Y%m%dT%H%M%SZ}-{seed}"
    with _one_line_errors(root):
        for name in (stamp, *(f"{stamp}-{again}" for again in range(2, 1000))):
            path = root / drill / name
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                if path.is_dir():
                    continue
                raise
            (path / _NODES).mkdir()
            return path
    raise HarnessError(f"There are already 999 runs called {root / drill / stamp}. Remove some.")


def save(run_dir: Path, result: Result, history: History) -> None:
    """Write a run's result and history into its folder. Raises `HarnessError` if writing fails."""
    with _one_line_errors(run_dir):
        run_dir.mkdir(parents=True, exist_ok=True)
        for name in (*FRAMES, *(name for name in MAY_LACK if not getattr(history, name).empty)):
            part = run_dir / f"{name}.parquet.part"
            getattr(history, name).to_parquet(part, compression="zstd", index=False)
            part.rename(run_dir / f"{name}.parquet")
        part = run_dir / f"{RESULT}.part"
        part.write_bytes(encode(result))
        part.rename(run_dir / RESULT)


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise cannot_write(f"the run to {path}", error) from error


def load_run(path: Path) -> tuple[Result, History]:
    """Read a run back. Raises `UsageError` if the folder does not hold a complete run."""
    return load_result(path), load_frames(path)


def load_result(path: Path) -> Result:
    """Read only a run's result. Raises `UsageError` if the folder does not hold one."""
    file = path / RESULT
    try:
        return decode(file.read_bytes(), str(file))
    except OSError as error:
        why = f"cannot read {RESULT} there ({error.strerror})"
        raise UsageError(f"{path} is not a run's folder: {why}. {RUN_FOLDER}") from error


def load_frames(path: Path) -> History:
    """Read only a run's history. Raises `UsageError` if the folder does not hold one."""
    there = [name for name in MAY_LACK if (path / f"{name}.parquet").is_file()]
    frames = {name: read_parquet(path / f"{name}.parquet") for name in (*FRAMES, *there)}
    frames["events"] = typed(frames["events"])
    if "parameters" not in frames["windows"]:
        frames["windows"] = _from_version_1(frames["windows"])
    try:
        history = History.of(**frames)
        return replace(history, windows=_checked_windows(history.windows))
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _checked_windows(windows: pd.DataFrame) -> pd.DataFrame:
    """The windows with missing texts filled in. Raises `UsageError` about the first impossible one."""
    texts = ["label", "fault", "selector", "targets", "evidence"]
    windows = windows.assign(**{name: windows[name].fillna("") for name in texts})
    for row, parameters in windows["parameters"].dropna().items():
        try:
            msgspec.json.decode(parameters, type=dict[str, Parameter])
        except msgspec.DecodeError as error:
            raise UsageError(f"window {row} has parameters that are not a JSON object: {error}.") from error
    wrong = windows[(windows["healed_ns"] < windows["injected_ns"]).fillna(False).to_numpy(dtype=bool)]
    if len(wrong):
        raise UsageError(f"window {wrong.index[0]} was healed before it was injected.")
    return windows


def _from_version_1(windows: pd.DataFrame) -> pd.DataFrame:
    """Version 1 stored a fault as one text such as "Latency(delay_ms=50)"; its class is the part before the parenthesis."""
    return windows.assign(fault=windows["fault"].astype("string").str.split("(", n=1).str[0])


def read_parquet(file: Path) -> pd.DataFrame:
    """A parquet file as a frame. Raises `UsageError` if it cannot be read."""
    try:
        table = parquet.read_table(file, pre_buffer=False)
        rows: pd.DataFrame = table.to_pandas(
            integer_object_nulls=True,  # integers with nulls would lose digits as floats
            types_mapper=_TEXTS.get,  # strings stay Arrow's, not Python objects
            split_blocks=True,
            self_destruct=True,
        )
    except (OSError, ValueError, TypeError, KeyError, NotImplementedError, RecursionError) as error:  # from pyarrow
        raise UsageError(f"Cannot read {file}: {str(error).splitlines()[0]}") from error
    pyarrow.default_memory_pool().release_unused()
    return rows


def run_dirs(root: Path = RUNS, results: Sequence[str] = (RESULT,)) -> list[Path]:
    """The folders of all complete runs, the oldest first: those of drills, or those with one of these result files."""
    files = (file for name in results for file in root.glob(f"**/{name}") if not of_a_node(file, root))
    return sorted((file.parent for file in files), key=lambda path: (path.name, path))


def of_a_node(file: Path, root: Path) -> bool:
    """Whether a file below `root` is a node's own, in the folder of a run: nodes may give their files any names."""
    folders = file.parents[: file.parents.index(root)]
    return any(folder.name == _NODES and _RUN.match(folder.parent.name) for folder in folders)


def latest(root: Path = RUNS, drill: str | None = None, results: Sequence[str] = (RESULT,)) -> Path:
    """The newest complete run, of one drill or of any. Raises `UsageError` if there is none."""
    found = run_dirs(root / drill if drill else root, results)
    if not found:
        what = f"run of {drill}" if drill else "run"
        raise UsageError(f"There is no {what} in {root}. Make one with `harness drill {drill or 'NAME'}`.")
    return found[-1]
