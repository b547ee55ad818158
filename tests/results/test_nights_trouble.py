"""The one-line messages if a history cannot be used; its data is never lost."""

from __future__ import annotations

import multiprocessing
import re
import resource
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import psutil
import pytest

from harness.model.errors import HarnessError, UsageError
from results.record.nights import connection as nights_connection
from results.record.nights import schema
from results.record.nights.database import HistoryDatabase
from results.record.nights.holder import Holder, broke_off
from results.record.nights.recording import Recording
from results.trends.recorded import series_of
from tests.helpers.commands import FORKS
from tests.helpers.nights import begin, measured, plan, record


def test_a_newer_version_is_refused_and_left_alone(where: str) -> None:
    database = HistoryDatabase.open(where, create=True)
    with database.connections.writing() as connection:
        connection.execute(schema.version.update().values(version=schema.VERSION + 1))
    with pytest.raises(UsageError) as refused:
        HistoryDatabase.open(where, create=True)
    assert re.fullmatch(
        rf"The history \S+ is of version {schema.VERSION + 1}; this harness knows up to version {schema.VERSION}."
        " Update the harness.",
        str(refused.value),
    )


def test_a_locked_history_is_said_and_the_night_goes_on_when_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nights_connection, "_WAIT_S", 0)
    file = tmp_path / "history.sqlite"
    recording = Recording(HistoryDatabase.open(file, create=True), plan())
    run = begin(recording)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HarnessError, match=r"The history \S+ was locked by another process for 0 s. See what holds it"):
            recording.end_run(run, measured())
        other.execute("ROLLBACK")
    recording.end_run(run, measured())
    recording.complete()
    assert len(series_of(HistoryDatabase.open(file))) == 1


def test_a_seed_that_is_too_large_for_the_history_is_said(tmp_path: Path) -> None:
    database = HistoryDatabase.open(tmp_path / "history.sqlite", create=True)
    with pytest.raises(UsageError, match=r"history.sqlite cannot hold a seed of 2\*\*63 or more. Give a smaller one."):
        Recording(database, msgspec.structs.replace(plan(), seed=2**63))
    assert database.nights() == []


def _fill(file: str, tell: Connection) -> None:
    database = HistoryDatabase.open(file)
    room = Path(file).stat().st_size + 30_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    nights = 0
    try:
        while nights < 1000:
            record(database, plan(day=nights), [measured()])
            nights += 1
    except HarnessError as error:
        tell.send((nights, str(error)))


@pytest.mark.slow
def test_a_full_disk_is_said_and_what_was_recorded_stays(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    HistoryDatabase.open(file, create=True)
    hear, tell = multiprocessing.Pipe(duplex=False)
    process = FORKS.Process(target=_fill, args=(str(file), tell))
    process.start()
    assert hear.poll(60)
    nights, said = hear.recv()
    process.join()
    assert nights >= 1
    assert re.fullmatch(
        rf"Cannot write the history {file}: (disk I/O error|database or disk is full). Free space there, or give another"
        " --history.",
        said,
    )
    states = [night.state for night in HistoryDatabase.open(file).nights()]
    assert states[:nights] == ["complete"] * nights
    assert states[nights:] in ([], ["broke off"])


def test_a_file_that_is_no_history(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("not a database, and longer than the header of one, so that nothing else is to be said of it" * 10)
    with pytest.raises(UsageError, match=rf"^{text} is not a history: file is not a database"):
        HistoryDatabase.open(text)
    assert text.read_text().startswith("not a database")
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as other:
        other.execute("CREATE TABLE theirs (x)")
    with pytest.raises(UsageError, match=r"other.sqlite holds no history"):
        HistoryDatabase.open(tmp_path / "other.sqlite")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (
            "mysql://root@localhost/x",
            "--history mysql://root@localhost/x: give a file for SQLite, or postgresql://user@host/name.",
        ),
        ("sqlite://", "--history sqlite://: give a file for SQLite, or postgresql://user@host/name."),
        ("postgresql://me:secret@127.0.0.1:1/x", "Cannot reach the history postgresql+psycopg://me:***@127.0.0.1:1/x: "),
        ("/proc/none/history.sqlite", "Cannot write the history /proc/none/history.sqlite: No such file or directory."),
    ],
)
def test_a_place_that_cannot_be_one(where: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        HistoryDatabase.open(where, create=True)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_night_elsewhere_broke_off_when_nothing_was_heard_of_it_for_too_long() -> None:
    here = Holder.this_process()
    elsewhere = Holder(host="other", world="another boot", pid=here.pid, started=here.started)
    now = datetime.now(UTC)
    assert not broke_off(elsewhere, now + timedelta(minutes=1))
    assert broke_off(elsewhere, now - timedelta(minutes=1))
    assert not broke_off(here, now - timedelta(minutes=1)), "a process that is seen to live may take its time"
    assert broke_off(Holder(host=here.host, world=here.world, pid=here.pid, started=here.started - 1), now), "a pid used again"


def test_a_clock_that_is_set_during_a_night_does_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    here, older = Holder.this_process(), psutil.Process().create_time()
    of_older = Holder(host=here.host, world=here.world, pid=here.pid, started=older)
    assert not broke_off(of_older, None), "an older version told the time since 1970"
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: older + 60)
    assert not broke_off(here, None)
