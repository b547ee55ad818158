"""What the coordinators remember: the last generation, the last group, and the ranks that are no longer trusted.

Each is one small record, and is written before it is used: to the disk of the one coordinator, or to a majority of several.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from harness.node.disk import Disk
from systems.raft.core.core import NotLeading
from systems.raft.messages import Command, Write
from systems.raft.proposals import Unknown
from systems.raft.replica import Replica
from systems.raft.store import Answer, KeyValues


class Deposed(Exception):
    """Another coordinator decides, or may do so at any time."""


class Ledger(Protocol):
    """The records that outlive a coordinator. Whoever gets `Deposed` from it must not decide anything more."""

    async def read(self, name: str) -> bytes | None:
        """The record as it was last written by any coordinator; None if it never was. It is as durable as one just written.

        Raises `Deposed`, `OSError`.
        """

    async def write(self, name: str, record: bytes) -> None:
        """Replace a record; returns when no failure that the training withstands can lose it. Raises `Deposed`, `OSError`."""

    async def confirm(self) -> None:
        """Return if no other coordinator had written anything by the time of this call. Raises `Deposed`."""


class DiskLedger:
    """The files of the only coordinator."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    async def read(self, name: str) -> bytes | None:
        self._disk.sync(name)  # whoever wrote it may have died, or have met a failing disk, before it was durable
        return self._disk.read(name)

    async def write(self, name: str, record: bytes) -> None:
        self._disk.replace(name, record)

    async def confirm(self) -> None:
        """There is no other."""


class RaftLedger:
    """Keys of a Raft group's store, for the leader of one term.

    It accepts nothing in another term: a coordinator that lost the leadership and won it back has to read everything again, for
    another one may have decided in between. In its own term nobody else writes, so what it has read stays true until the term
    ends; and what it proposes after that end is never committed.
    """

    def __init__(self, replica: Replica[Answer], values: KeyValues, term: int) -> None:
        self._replica = replica
        self._values = values
        self._term = term

    async def read(self, name: str) -> bytes | None:
        await self.confirm()
        value = self._values.get(name)
        return None if value is None else value.encode()

    async def write(self, name: str, record: bytes) -> None:
        self._check()
        command = msgspec.json.encode(Command(Write(name, record.decode()))).decode()
        try:
            await self._replica.propose(command)
        except (NotLeading, Unknown) as error:
            raise Deposed(str(error)) from error

    async def confirm(self) -> None:
        self._check()
        try:
            await self._replica.confirm()
        except NotLeading as error:
            raise Deposed(str(error)) from error
        self._check()

    def _check(self) -> None:
        if not self._replica.leads or self._replica.term != self._term:
            raise Deposed(f"term {self._term} is over")
