"""What the history holds, as those who read it see it."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

import msgspec

from harness.model.verdict import RunVerdict
from results.analysis.judge import SLOResult
from results.analysis.recovery import Recovery

Better = Literal["lower", "higher"]
NightState = Literal["begun", "complete", "broke off"]
"""`begun`: it is being recorded right now. Only a night that is `complete` counts when nights are compared."""
RunState = Literal["begun", "ended", "broke off"]

NIGHTLY: Final = "harness nightly"
"""The source of nights that were recorded as they ran; all others were imported, or are for calibration."""
CALIBRATION: Final = "harness nightly --calibrate"
"""The source of nights that ran one after another with the same code. They show the machine's noise, and nothing is judged of
them."""


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure is of: a metric, its unit, and which direction is the good one."""

    name: str
    unit: str
    better: Better


class RecordedNight(msgspec.Struct, frozen=True, kw_only=True):
    """One night: everything that was recorded together, on one machine and at one commit."""

    name: str
    source: str
    """`NIGHTLY`, `CALIBRATION`, or what it was imported from, such as `pytest-benchmark`."""
    suite: str
    """Empty for the default suite, and for what was imported."""
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
    """Every installed package with its version, to be looked at when a number moved; empty if it is not known."""


class RecordedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one drill in a night."""

    id: int
    """In this database."""
    night: str
    began_utc: datetime
    """When the run began."""
    place: int
    """The how manieth run of the night it was, from 0."""
    drill: str
    repeat: int
    """From 1."""
    seed: int
    state: RunState
    verdict: RunVerdict
    """`unknown` as well for a run that broke off."""
    as_expected: bool
    why: str
    """What was wrong, or why it cannot be told; empty for a run that passed."""
    counted: bool
    """Whether its figures count when nights are compared."""
    not_counted: str
    """Why they do not; empty if they do."""
    slos: tuple[SLOResult, ...]
    recoveries: tuple[Recovery, ...]
    definition: str
    """A digest of what the drill is: an edited drill is another one."""
    baseline: str
    """A digest of the night's facts and the drill's definition: figures are compared within one baseline."""
    duration_s: float | None
    rerun: str
    run_folder: str
    """Where the run is kept; empty if that is not known."""
