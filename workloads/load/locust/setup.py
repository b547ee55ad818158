"""What `harness ui` sends to the process that runs locust, as the first message on its standard input."""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from harness.model.load import Load
from harness.model.system import Address
from workloads.load.engine.task import Exchange

LENGTH: Final = struct.Struct("<I")
"""Precedes the message. The standard input stays open as long as `harness ui` lives."""

MAX_RATE_PER_S: Final = 1e6
"""More than the engine can make; a higher rate would only fill the memory with calls that are due, 8 bytes each."""


def too_much(users: float, per_user: float) -> str:
    """What is wrong with this number of users, in one line; empty if nothing is."""
    rate = users * per_user
    if rate <= MAX_RATE_PER_S:
        return ""
    return f"{rate:,.0f} requests/s are more than can be made; ask for at most {MAX_RATE_PER_S:,.0f}."


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """`control` is the address that the Faults tab asks, with the secret; None if the system was started by another command."""

    title: str
    entry: Address
    exchanges: tuple[Exchange, ...]
    load: Load
    seed: int
    depth: int
    per_user: float
    slos: tuple[str, ...]
    control: Address | None
    secret: str
    arguments: tuple[str, ...]
    """Locust's own command line."""


def encoded(setup: Setup) -> bytes:
    content = msgspec.msgpack.encode(setup)
    return LENGTH.pack(len(content)) + content
