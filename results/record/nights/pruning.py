"""Removes old nights from the history, or only the folders of their runs, which take most of the space."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from harness.model.errors import HarnessError
from results.record.nights import schema
from results.record.nights.database import HistoryDatabase
from results.record.store import RESULT


def prune_nights(database: HistoryDatabase, before: datetime) -> int:
    """Remove the nights that began before a time, with all their figures; returns how many. A night in progress is kept."""
    names = [night.name for night in database.nights() if night.began_utc < before and night.state != "begun"]
    with database.connections.writing() as connection:
        for name in names:
            connection.execute(sa.delete(schema.nights).where(schema.nights.c.name == name))
    database.connections.give_back_space()
    return len(names)


def prune_run_folders(database: HistoryDatabase, before: datetime) -> int:
    """Remove the folders of the runs of nights that began before a time; returns how many. Their figures stay."""
    old = {night.name for night in database.nights() if night.began_utc < before and night.state != "begun"}
    runs = [run for run in database.runs() if run.night in old and run.run_folder]
    removed = 0
    for run in runs:
        folder = Path(run.run_folder)
        if (folder / RESULT).is_file() and not folder.is_symlink():  # never remove anything but a run's folder
            try:
                shutil.rmtree(folder)
            except OSError as error:
                raise HarnessError(f"Cannot remove {error.filename}: {error.strerror}. Remove it yourself.") from error
            removed += 1
    with database.connections.writing() as connection:
        for run in runs:
            if not Path(run.run_folder).exists():
                connection.execute(sa.update(schema.runs).where(schema.runs.c.id == run.id).values(run_folder=""))
    return removed
