"""Proposals that wait until their entry is applied, or can no longer be."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

from systems.raft.core.core import NotLeading
from systems.raft.core.messages import Entry
from systems.raft.rules import Rules

Answer = TypeVar("Answer")


class Unknown(Exception):
    """It is not known whether a command was, or will be, carried out."""


class Proposals(Generic[Answer]):
    """Wakes each proposal when its outcome is known."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._waiting: dict[int, tuple[int, asyncio.Future[Answer | None]]] = {}
        """By index: the entry's term, and the future of its answer."""

    def __len__(self) -> int:
        return len(self._waiting)

    async def outcome(self, entry: Entry) -> Answer | None:
        """Return the answer once this entry is applied; a change of members has none. Raises `NotLeading` and `Unknown`."""
        waiting: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._waiting[entry.index] = (entry.term, waiting)
        try:
            return await waiting
        finally:
            if self._waiting.get(entry.index, (0, None))[1] is waiting:
                del self._waiting[entry.index]

    def applied(self, entry: Entry, answer: Answer | None, leader: str | None) -> None:
        """An entry has been applied, with this answer, when `leader` led."""
        term, waiting = self._waiting.pop(entry.index, (0, None))
        if waiting is None or waiting.done():
            return
        if term == entry.term or not self._rules.entries_known_by_term:
            waiting.set_result(answer)
        else:
            waiting.set_exception(NotLeading(leader, "another leader has put another entry in its place"))

    def skipped(self, last: int) -> None:
        """A snapshot has taken the place of the entries up to this index."""
        for index in [index for index in self._waiting if index <= last]:
            _, waiting = self._waiting.pop(index)
            if not waiting.done():
                waiting.set_exception(Unknown("this node was told what became of it only in sum"))
