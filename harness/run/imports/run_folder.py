"""Folders of drill runs from before there was a history of nights, recognized by their `result.json`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from harness.run.night import as_simulated, measured_of
from results.record.nights.facts import facts_of_run
from results.record.nights.importing import Found
from results.record.result import SIMULATED
from results.record.store import RESULT, load_run


def takes(file: Path) -> bool:
    """Whether the file is a run's result."""
    return file.name == RESULT


def read(file: Path) -> list[Found]:
    """The run. An aborted run has no result, so it is not found."""
    result, history = load_run(file.parent)
    measured = measured_of(result, history, file.parent, repeat=1)
    return [
        Found(
            source="harness run",
            began_utc=datetime.fromisoformat(result.started_utc).astimezone(UTC),
            commit=result.commit,
            facts=facts_of_run(result),
            runs=(as_simulated(measured) if result.fault_plane == SIMULATED else measured,),
        )
    ]
