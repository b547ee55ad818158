"""What `harness ui` tells the process that runs locust, as the first message on its standard input."""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from harness.model.load import Load
from harness.model.system import Address
from workloads.load.engine.task import Exchange

LENGTH: Final = struct.Struct("<I")
"""Goes before the message. The standard input stays open as long as `harness ui` lives."""


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """`control` is where the Faults tab asks; None where the system runs elsewhere. Whoever asks there names the secret."""

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
