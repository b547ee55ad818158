"""Connections to the history, in SQLite or PostgreSQL, with one clear line for every error."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from harness.model.errors import HarnessError, UsageError, cannot_write

HISTORY: Final = "history.sqlite"
"""The name of the history in the folder of runs."""

_WAIT_S: Final = 30
"""How long to wait for another writer."""
_PAGE_BYTES: Final = 16384
"""SQLite's page size. A run takes two to three thousand bytes, so a page of SQLite's default size would hold only one."""
_POSTGRESQL_KEY: Final = 4_782_010_221
"""The key of the advisory lock that serializes writers of the history."""
_POSTGRESQL: Final = "postgresql+psycopg"


class Connections:
    """Transactions on one history. Each opens a connection of its own, so none goes stale in the hours of a night."""

    def __init__(self, where: str | Path) -> None:
        """`where` is a file, or a URL such as `postgresql://user@host/name`."""
        self._url = _url_of(str(where))
        self.name = self._url.database or "" if self.file else self._url.render_as_string(hide_password=True)
        self._beside = "" if self.file is None else str(self.file.parent)
        with self._one_line():
            self._engine = sa.create_engine(
                self._url,
                poolclass=NullPool,
                connect_args={"timeout": _WAIT_S} if self.file else {"connect_timeout": 10, "application_name": "harness"},
            )
        if self.file:
            sa.event.listen(self._engine, "connect", _prepare_sqlite)
            sa.event.listen(self._engine, "begin", _begin_sqlite)

    @property
    def file(self) -> Path | None:
        """The database's file; None for a server."""
        return Path(self._url.database) if self._url.get_backend_name() == "sqlite" and self._url.database else None

    def stored(self, folder: str) -> str:
        """A run's folder as the history stores it: relative if it is in the history's own folder, so that both can move."""
        if not folder or self.file is None:
            return folder and str(Path(folder).resolve())
        here, there = self.file.resolve().parent, Path(folder).resolve()
        return str(there.relative_to(here)) if there.is_relative_to(here) else str(there)

    def found(self, stored: str) -> str:
        """The path of a folder from what `stored` returned."""
        return os.path.join(self._beside, stored) if stored else stored  # noqa: PTH118 - of a hundred thousand runs at once

    def make_file(self) -> None:
        """Create the file of a new history. It can be read while it is written (SQLite's write-ahead log)."""
        assert self.file is not None  # noqa: S101 - for types: a server has no file of ours
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(f"the history {self.file}", error) from error
        with _alone_in(self.file.parent), self._one_line(), closing(self._engine.raw_connection()) as connection:
            connection.cursor().execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            connection.cursor().execute("PRAGMA journal_mode = WAL")

    def give_back_space(self) -> None:
        """Shrink the file by what was removed. PostgreSQL reclaims space by itself."""
        if self.file is not None:
            with self._one_line(), closing(self._engine.raw_connection()) as connection:
                connection.cursor().execute("VACUUM")

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that sees one state of the history."""
        with self._one_line(), self._engine.connect() as connection:
            if not self.file:
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """An exclusive write transaction: writers wait for each other. It is on the disk when the context ends."""
        with self._one_line(), self._engine.connect() as connection:
            if self.file:
                connection = connection.execution_options(harness_writes=True)
            with connection.begin():
                if not self.file:
                    connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_WAIT_S}s'"))
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRESQL_KEY)))
                yield connection

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except ModuleNotFoundError as error:
            if error.name != "psycopg":
                raise
            raise UsageError(
                "A history in PostgreSQL needs psycopg. Install it: pip install 'distributed-ml-harness[postgresql]'."
            ) from error
        except sa.exc.NoSuchModuleError as error:
            raise UsageError(f"{self.name}: a history is kept in SQLite or in PostgreSQL.") from error
        except OverflowError as error:  # of SQLite's driver
            raise UsageError(f"{self.name} cannot hold a seed of 2**63 or more. Give a smaller one.") from error
        except sa.exc.DBAPIError as error:
            raise self._explained(error.orig) from error

    def _explained(self, error: BaseException | None) -> HarnessError:
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or getattr(error, "sqlstate", None) == "55P03":
            return HarnessError(
                f"The history {self.name} was locked by another process for {_WAIT_S} s. See what holds it, then try again."
            )
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR) or getattr(error, "sqlstate", None) == "53100":
            return HarnessError(f"Cannot write the history {self.name}: {said}. Free space there, or give another --history.")
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            return UsageError(f"{self.name} is not a history: {said}. Give another --history, or restore a copy.")
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            return UsageError(f"Cannot open the history {self.name}: {said}. Give another --history.")
        if self.file or getattr(error, "sqlstate", None):
            return HarnessError(f"The history {self.name} failed: {said}.")
        return UsageError(f"Cannot reach the history {self.name}: {said}. Check that the server runs, and the URL.")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder. SQLite fails instead of waiting if two processes change the journal mode at once."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _url_of(where: str) -> sa.URL:
    if "://" not in where:
        return sa.URL.create("sqlite", database=where)
    try:
        url = sa.make_url(where)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise UsageError(f"--history {where.partition('://')[0]}://…: this URL cannot be read.") from error
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername=_POSTGRESQL)
    if backend != "sqlite" or not url.database or url.database == ":memory:":
        raise UsageError(
            f"--history {url.render_as_string(hide_password=True)}: give a file for SQLite, or postgresql://user@host/name."
        )
    return url


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # `_begin_sqlite` begins transactions, not the driver before the first INSERT
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("harness_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
