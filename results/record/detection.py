"""The detection matrix: how often a drill caught a known bug, or raised a false alarm about the correct system.

runs/detect/<conditions>/
    conditions.json   the code and the machine of every run below (`Conditions`); the folder is named by its digest
    trials.jsonl      one line for each run (`Trial`), appended as it ends, so that an interrupted matrix can resume
    <rows>.json       the matrix (`Detection`), and
    <rows>.html       its page
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

from harness.model.errors import HarnessError, cannot_write
from results.analysis.proportions import wilson
from results.record.result import Machine

VERSION: Final = 1
"""Of these files' format."""

DETECT: Final = "detect"
"""The folder of all matrices, in the folder of runs."""

Outcome = Literal["caught", "missed", "false alarm", "clean", "unknown"]
"""A run with a bug is caught, missed or unknown; a run of the correct system is a false alarm, clean or unknown."""


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What must be the same for two runs to belong to one matrix."""

    version: int = VERSION
    code: str
    """SHA-256 of all code that a run uses."""
    fault_plane: str
    machine: Machine
    versions: dict[str, str]
    """Package name to version."""

    @property
    def key(self) -> str:
        """A short digest of all conditions."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:12]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a drill with one seed, of a system with a known bug or of the correct one."""

    drill: str
    bug: str | None
    """None for the correct system."""
    seed: int
    outcome: Outcome
    found: tuple[str, ...] = ()
    """The checks that failed, and the SLOs that were missed."""
    why: str
    """What decided the outcome, in one sentence or a few."""
    waited_share: float | None = None
    """How long the process that waited longest for a CPU did so, as a share of the load's time; None if the run broke off."""
    duration_s: float
    rerun: str
    """The command that repeats the run."""
    run_dir: str | None = None
    """Where the run is kept; None if it ended as expected and was removed."""


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """What simulation found in a row's drill: seeds from 1 on, until one failed or time ran out."""

    seeds: int
    cpu_s: float
    failed: int
    """How many seeds failed; at most 1 for a bug, whose search ends with the first."""
    unknown: int = 0
    """How many seeds could not be judged."""
    found: tuple[str, ...] = ()
    """What failed with the first of these seeds."""
    lacks: str | None = None
    """Why the drill cannot be simulated."""


class MatrixRow(msgspec.Struct, frozen=True, kw_only=True):
    """One bug, or the correct system, in one drill."""

    system: str
    drill: str
    bug: str | None
    what: str
    """What is wrong, in one line; empty for the correct system."""
    caught_by: str | None
    """The check or SLO that must find the bug."""
    lacks: str | None
    """What this machine lacks to run the drill; None if nothing."""
    alarms: int
    """Runs that caught the bug, or raised a false alarm about the correct system."""
    decided: int
    """Runs that could be judged."""
    unknown: int
    low: float
    """The share of alarms in decided runs lies between `low` and `high`, at 95% confidence (Wilson)."""
    high: float
    trials: tuple[Trial, ...]
    simulated: Simulated | None = None
    """None if simulation was not asked for."""

    @classmethod
    def of(
        cls,
        trials: Sequence[Trial],
        *,
        system: str,
        drill: str,
        bug: str | None,
        what: str,
        caught_by: str | None,
        lacks: str | None,
    ) -> MatrixRow:
        """Count the trials of one row."""
        alarms = sum(trial.outcome in ("caught", "false alarm") for trial in trials)
        decided = sum(trial.outcome != "unknown" for trial in trials)
        low, high = wilson(alarms, decided)
        return cls(
            system=system,
            drill=drill,
            bug=bug,
            what=what,
            caught_by=caught_by,
            lacks=lacks,
            alarms=alarms,
            decided=decided,
            unknown=len(trials) - decided,
            low=low,
            high=high,
            trials=tuple(trials),
        )

    @property
    def alarmed_in_simulation(self) -> bool:
        """Whether simulation raised a false alarm about the correct system."""
        return self.bug is None and self.simulated is not None and self.simulated.failed > 0

    @property
    def as_expected(self) -> bool | None:
        """Whether every run caught the bug, or none raised a false alarm; None if some run could not be judged.

        A false alarm in simulation is one, too. If there was no run and simulation was asked for, simulation decides, unless it
        could judge no seed.
        """
        if self.alarmed_in_simulation:
            return False
        if not self.trials and self.simulated is not None and self.simulated.lacks is None:
            if self.simulated.failed:
                return True
            return None if self.simulated.unknown == self.simulated.seeds else self.bug is None
        if self.alarms != (self.decided if self.bug else 0):
            return False
        return None if self.unknown or not self.decided else True


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """A detection matrix, as far as it has been run."""

    version: int = VERSION
    seeds: tuple[int, ...]
    rows: tuple[MatrixRow, ...]
    """Sorted by drill; the correct system is the first row of each drill."""
    runs_left: int
    """Runs that were asked for and not made, because the command was interrupted."""
    commit: str
    finished_utc: str
    """When the matrix was compiled; ISO 8601, to the second."""
    conditions: Conditions
    again: str
    """The command that resumes the matrix, or prints it again from its trials."""

    @property
    def exit_code(self) -> int:
        """1 if a bug was missed or there was a false alarm, else 4 if something is not known, else 0."""
        expected = [row.as_expected for row in self.rows]
        return 1 if False in expected else 4 if None in expected or self.runs_left else 0


class TrialLog:
    """The trials of one folder. An appended trial survives a crash of the process or the machine."""

    def __init__(self, runs: Path, conditions: Conditions) -> None:
        self.folder = runs / DETECT / conditions.key
        self._file = self.folder / "trials.jsonl"
        with _one_line_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            conditions_file = self.folder / "conditions.json"
            conditions_file.write_bytes(msgspec.json.format(msgspec.json.encode(conditions), indent=2) + b"\n")
            self._trials = {(trial.drill, trial.bug, trial.seed): trial for trial in self._read()}

    def find(self, drill: str, bug: str | None, seed: int) -> Trial | None:
        """The latest trial of a drill with a bug and a seed; None if there is none."""
        return self._trials.get((drill, bug, seed))

    def append(self, trial: Trial) -> None:
        """Add a trial; it is on the disk when this returns. Raises `HarnessError` if writing fails."""
        with _one_line_errors(self.folder), self._file.open("ab") as file:
            file.write(msgspec.json.encode(trial) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._trials[(trial.drill, trial.bug, trial.seed)] = trial

    def others(self) -> int:
        """How many folders hold trials under other conditions."""
        return sum(folder != self.folder and folder.is_dir() for folder in self.folder.parent.iterdir())

    def _read(self) -> Iterator[Trial]:
        if not self._file.exists():
            return
        text = self._file.read_bytes()
        whole, end, torn = text.rpartition(b"\n")
        if torn:  # the process was killed as it wrote this line
            os.truncate(self._file, len(whole + end))
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                yield msgspec.json.decode(line, type=Trial)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                where = f"{self._file}, line {number}"
                raise HarnessError(f"{where} is not a trial: {error}. Remove the file to start over.") from error


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise cannot_write(f"the matrix to {path}", error) from error
