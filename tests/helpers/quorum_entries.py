"""Entries of the quorum store, and what a storage answers."""

from __future__ import annotations

import asyncio

from systems.quorum.messages import Entry, ReplicaRequest, Version
from systems.quorum.storage import Storage


def entry(counter: int, value: str | None = None) -> Entry:
    return Entry(Version(counter, "n1", 1), value or f"value {counter}")


def answers(storage: Storage, *requests: ReplicaRequest) -> list[Entry | None]:
    """The answers to requests that arrive in one turn of the loop."""

    async def ask_all() -> list[Entry | None]:
        return await asyncio.gather(*map(storage.answer, requests))

    return asyncio.run(ask_all())
