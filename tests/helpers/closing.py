"""Servers that are closed at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager


@asynccontextmanager
async def closing(listening: Awaitable[asyncio.Server]) -> AsyncIterator[asyncio.Server]:
    """Close the server, but do not wait for its clients to hang up, as `async with server` does from Python 3.12.1 on."""
    server = await listening
    try:
        yield server
    finally:
        server.close()
