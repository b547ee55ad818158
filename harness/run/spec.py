"""The spec of a run, and the command line that repeats it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.cluster.fault_plane import PlaneKind
from harness.model.drill import Drill
from harness.model.invocation import Invocation
from harness.run import schedule_file
from harness.run.catalog import NamedDrill
from harness.run.schedule import PlannedWindow

SEED_BITS: Final = 31
"""The size of a seed drawn at random: short enough to read out."""


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """A run to make: a drill with its name, title and seed, on a fault plane."""

    name: str
    title: str
    drill: Drill
    seed: int
    plane: PlaneKind = "embedded"
    windows: tuple[PlannedWindow, ...] | None = None
    """The schedule to carry out; None if the drill and the seed decide."""
    invocation: Invocation | None = None
    """The command line that repeats the run; None if the drill is not in a file."""


def run_spec_of(
    named: NamedDrill, seed: int, settings: Sequence[str], plane: PlaneKind, schedule: Path | None = None
) -> RunSpec:
    """The spec of a run of a drill from the catalogue, with its own schedule or a file's.

    `settings` were already applied to the drill; the invocation repeats them.
    """
    return RunSpec(
        name=named.name,
        title=named.title,
        drill=named.drill,
        seed=seed,
        plane=plane,
        windows=schedule_file.read(schedule, named.drill) if schedule else None,
        invocation=Invocation(
            drill=named.again,
            seed=seed,
            settings=tuple(settings),
            fault_plane=plane,
            schedule=None if schedule is None else str(schedule),
        ),
    )
