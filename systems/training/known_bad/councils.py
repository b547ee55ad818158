"""Broken councils of coordinators, each wrong in one way."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import ClassVar, Final

from systems.raft.rules import CORRECT, Rules
from systems.training.council import Council
from systems.training.ledger import Deposed, RaftLedger

_PATIENCE_S: Final = 0.3


class NotAwaited(RaftLedger):
    """Counts a record as written as soon as this coordinator has proposed it."""

    _writing: ClassVar[set[asyncio.Task[None]]] = set()

    async def write(self, name: str, record: bytes) -> None:
        task = asyncio.create_task(self._propose(name, record))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _propose(self, name: str, record: bytes) -> None:
        with contextlib.suppress(Deposed):
            await super().write(name, record)

    async def confirm(self) -> None:
        self._check()


class DecidesWithoutQuorum(Council):
    """Uses a generation before a majority has it, and does not stand down when it hears no majority."""

    rules: ClassVar[Rules] = replace(CORRECT, leader_needs_to_be_heard=False)
    ledger: ClassVar[type[RaftLedger]] = NotAwaited


class GenerationForgotten(RaftLedger):
    """Remembers everything but the number."""

    async def read(self, name: str) -> bytes | None:
        return None if name == "generation" else await super().read(name)


class ForgetsGeneration(Council):
    """Begins to count anew when it takes over."""

    ledger: ClassVar[type[RaftLedger]] = GenerationForgotten


class GroupForgotten(RaftLedger):
    """Remembers everything but the last group."""

    async def read(self, name: str) -> bytes | None:
        return None if name == "group" else await super().read(name)


class ForgetsGroup(Council):
    """Forms a group when it takes over, whether or not another one trains."""

    ledger: ClassVar[type[RaftLedger]] = GroupForgotten


class Insisting(RaftLedger):
    """Goes on when it is refused."""

    async def write(self, name: str, record: bytes) -> None:
        with contextlib.suppress(Deposed, TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                await super().write(name, record)

    async def confirm(self) -> None:
        with contextlib.suppress(Deposed, TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                await super().confirm()


class DeposedDecides(Council):
    """Takes no notice of losing the leadership."""

    ledger: ClassVar[type[RaftLedger]] = Insisting

    def _may_decide(self, term: int) -> bool:
        return True
