"""The rows of the history as readers get them."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

import msgspec

from harness.model.verdict import RunVerdict
from results.analysis.judge import SLOResult
from results.analysis.recovery import Recovery

Better = Literal["lower", "higher"]
NightState = Literal["begun", "complete", "broke off"]
"""`begun`: it is being recorded right now. Only `complete` nights are compared."""
RunState = Literal["begun", "ended", "broke off"]

NIGHTLY: Final = "harness nightly"
"""The source of nights that were recorded as they ran. All other nights were imported, or are for calibration."""
CALIBRATION: Final = "harness nightly --calibrate"
"""The source of nights that ran back to back with the same code. They show the machine's noise, and are not judged."""

WAS_SIMULATED: Final = "it was simulated"
"""Why the figures of a simulated run do not count. It is none of the runs whose figures are to be compared."""


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A metric: its name, its unit, and which direction is better."""

    name: str
    unit: str
    better: Better


class RecordedNight(msgspec.Struct, frozen=True, kw_only=True):
    """One night: everything that was recorded together, on one machine and at one commit."""

    name: str
    source: str
    """`NIGHTLY`, `CALIBRATION`, or what it was imported from, such as `pytest-benchmark`."""
    suite: str
    """Empty for the default suite and for imported nights."""
    state: NightState
    why: str
    """Why it broke off, if that is known."""
    began_utc: datetime
    ended_utc: datetime | None
    commit: str
    seed: int | None
    repeats: int
    planned: int
    """How many runs it was to have."""
    facts: dict[str, str]
    """What it ran on, by name: CPU, kernel, Python, the packages that decide what a run does, the fault plane. Nights whose
    facts differ are not compared."""
    environment: dict[str, str]
    """Every installed package with its version, to look at when a figure moved; empty if it is not known."""


class RecordedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one drill in a night."""

    id: int
    """In this database."""
    night: str
    began_utc: datetime
    """When the run began."""
    place: int
    """Its position among the night's runs, from 0."""
    drill: str
    repeat: int
    """From 1."""
    seed: int
    state: RunState
    verdict: RunVerdict
    """`unknown` also for a run that broke off."""
    as_expected: bool
    why: str
    """What was wrong, or why the run could not be judged; empty for a run that passed."""
    counted: bool
    """Whether its figures count when nights are compared."""
    not_counted: str
    """Why they do not; empty if they do."""
    slos: tuple[SLOResult, ...]
    recoveries: tuple[Recovery, ...]
    definition: str
    """A digest of the drill: an edited drill counts as a different one."""
    baseline: str
    """A digest of the night's facts and the drill's definition: only figures of one baseline are compared."""
    duration_s: float | None
    rerun: str
    run_folder: str
    """Where the run is kept; empty if that is not known."""
