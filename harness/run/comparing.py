"""Run two sides in turn, pair by pair, and collect what each run measured."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.model.errors import UsageError
from harness.run.imports import load_result
from harness.run.night import measured_of
from harness.run.sides import Side
from results.record.nights.recording import Measured
from results.record.nights.rows import Measure
from results.record.store import load_run, run_dirs

Figure = tuple[str, Measure]
"""A drill and one of its measures."""
OnRun = Callable[[int, Side, str], None]
_PATIENCE_S: Final = 30.0
"""How long an interrupted run may take to end everything that it has started."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of one run."""

    values: dict[Figure, float]
    wrong: str = ""
    """The wrong behaviour, empty if there was none."""
    not_counted: str = ""
    """Why its figures cannot be compared, empty if they can."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One run of each side for every drill."""

    number: int
    """From 0, including pairs that do not count. Negative for the warm-up."""
    values: dict[Figure, tuple[float, float]]
    wrong: tuple[str, ...]
    not_counted: str


def pairs_of(
    sides: tuple[Side, Side], drills: Sequence[str], seed: int, scratch: Path, extra: Sequence[str], on_run: OnRun
) -> Iterator[Pair]:
    """Endless pairs. The first one is a warm-up, so that what a first run compiles and caches does not count.

    Both runs of a pair have the same seed, hence the same calls and faults; the next pair has the next seed. `on_run` is called
    before each run with the pair's number, the side and the drill. Raises `UsageError` if a side rejects its command line.
    """
    number = -1
    while True:
        in_turn = (0, 1) if number % 2 == 0 else (1, 0)
        outcomes: dict[tuple[str, int], Outcome] = {}
        for drill in drills:
            for which in in_turn:
                on_run(number, sides[which], drill)
                outcomes[drill, which] = _run(sides[which], drill, seed + max(number, 0), scratch, extra)
        yield _pair(number, sides, outcomes)
        number += 1


def _pair(number: int, sides: tuple[Side, Side], outcomes: dict[tuple[str, int], Outcome]) -> Pair:
    values: dict[Figure, tuple[float, float]] = {}
    for drill in {drill for drill, _ in outcomes}:
        a, b = outcomes[drill, 0].values, outcomes[drill, 1].values
        values |= {figure: (value, b[figure]) for figure, value in a.items() if figure in b}
    named = [(f"{sides[which].label}{f', {drill}' if drill else ''}", outcome) for (drill, which), outcome in outcomes.items()]
    return Pair(
        number=number,
        values=values,
        wrong=tuple(f"{name}: {outcome.wrong}" for name, outcome in named if outcome.wrong),
        not_counted="; ".join(f"{name}: {outcome.not_counted}" for name, outcome in named if outcome.not_counted),
    )


def _run(side: Side, drill: str, seed: int, scratch: Path, extra: Sequence[str]) -> Outcome:
    runs, file = scratch / "runs", scratch / "result.json"
    shutil.rmtree(runs, ignore_errors=True)
    file.unlink(missing_ok=True)
    code, said = _finished(side.command(drill, seed, file, runs, extra), side)
    if code == UsageError.exit_code:
        raise UsageError(f"{side.label}: {said.removeprefix('error: ')}")
    if code == 130:
        raise KeyboardInterrupt
    if side.url is not None and file.is_file() and file.stat().st_size:
        return _outcome(drill, load_result.read(file)[0].runs[0])
    if found := run_dirs(runs):
        return _outcome(drill, measured_of(*load_run(found[-1]), found[-1], 1))
    return Outcome(values={}, not_counted=said or f"exit code {code}")


def _finished(command: Sequence[str], side: Side) -> tuple[int, str]:
    """The exit code of a command, and the last line of its standard error. Passes Ctrl-C on to it, once."""
    with subprocess.Popen(
        command, cwd=side.folder, env=side.environment(), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            _, errors = process.communicate()
        except BaseException:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()  # its warden then ends everything that it has started
            raise
    lines = errors.strip().splitlines()
    return process.returncode, lines[-1] if lines else ""


def _outcome(drill: str, measured: Measured) -> Outcome:
    values = {(drill, of): value for of, value in measured.figures}
    wrong = measured.why if measured.verdict == "fail" and not measured.as_expected else ""
    return Outcome(values=values, wrong=wrong, not_counted="" if wrong else measured.not_counted)
