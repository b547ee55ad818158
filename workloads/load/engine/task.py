"""What the engine is asked to do, and the messages between its parent and its workers."""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from harness.model.errors import UsageError
from harness.model.load import Load
from harness.model.system import Address

LENGTH: Final = struct.Struct("<I")
"""Precedes every message on a worker's standard input."""


class Exchange(msgspec.Struct, frozen=True):
    """One prepared request: the bytes as sent, and what the body of a right answer begins with.

    Without `expected`, any 2xx answer is right.
    """

    request: bytes
    expected: tuple[bytes, ...] = ()


class EngineTask(msgspec.Struct, frozen=True, kw_only=True):
    """Load on one HTTP/1.1 server. `load.clients` is the number of connections, each with up to `depth` requests in flight.

    The exchanges are sent in turn. What falls due within the first `warm_up_s` is sent at the load's rate and not counted;
    `load.seconds` and the load's shape begin after it. Raises `UsageError` for an impossible value.
    """

    address: Address
    exchanges: list[Exchange]
    load: Load
    seed: int
    depth: int = 1
    warm_up_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.exchanges:
            raise UsageError("EngineTask(exchanges=[]): nothing to send. Give at least one exchange.")
        if self.depth < 1:
            raise UsageError(
                f"EngineTask(depth={self.depth}): must be at least 1, the number of requests in flight on a connection."
            )
        if not 0 <= self.warm_up_s < float("inf"):
            raise UsageError(f"EngineTask(warm_up_s={self.warm_up_s!r}): must be a number of seconds, 0 or more.")


class Prepare(msgspec.Struct, frozen=True, kw_only=True, tag="prepare"):
    """One worker's share of a task: it is `number` of `workers`, counted from 0."""

    task: EngineTask
    number: int
    workers: int


class Start(msgspec.Struct, frozen=True, tag="start"):
    """When the schedule begins, on the monotonic clock that all processes of a machine share."""

    at_ns: int


class SetRate(msgspec.Struct, frozen=True, tag="rate"):
    """A new total rate of all workers, from a time on."""

    rate: float
    at_ns: int


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Nothing falls due from a time on; what was due before is still sent and waited for."""

    at_ns: int


Order = Prepare | Start | SetRate | Stop


def encoded(order: Order) -> bytes:
    content = msgspec.msgpack.encode(order)
    return LENGTH.pack(len(content)) + content
