"""The messages between servers and workers over HTTP: JSON, followed by tensors as bytes, under a checksum.

The checksum is XXH3 of 128 bits. It finds accidental changes by a network, a proxy or memory. It does not stop a forger: that
takes a key.
"""

from __future__ import annotations

from typing import Final, TypeAlias, TypeVar

import msgspec
import xxhash

from harness.http.message import Pieces
from systems.parts.sampler import Use

PULL, PUSH, ALIVE, BEAT, PROMISE, STATUS = "/pull", "/push", "/alive", "/beat", "/promise", "/status"

NOTHING_SEEN: Final = -1
"""The step of a worker that has had no work in this term yet."""

T = TypeVar("T")

Buffer: TypeAlias = bytes | memoryview


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """A worker sends the master gradients and losses of shards, which follow. Pushing them again changes nothing."""

    worker: str
    term: int
    step: int
    """The number of steps in the parameters with which the gradients were computed."""
    batch: int
    shards: tuple[int, ...]
    whole: bool
    """Whether one sum over the shards follows; otherwise one gradient after another does."""
    uses: list[Use]
    """The samples of the gradients."""


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """A worker asks a server for the parameters, and for shards to compute. Asking again gives the same shards."""

    worker: str
    promised: int
    """The highest term that the worker knows. A master with a lower term is no longer the master."""
    term: int
    """The term of the last work from this server …"""
    seen: int
    """… and its step."""
    push: Push | None = None
    """The last gradients of that work, if they follow. They are taken first, so that this needs no exchange of its own."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """The master tells a worker to compute these shards of a batch, or none; the parameters follow."""

    term: int
    step: int
    """The number of steps in the parameters."""
    batch: int
    """The batch of the data; in the synchronous mode that of the step."""
    shards: tuple[int, ...]
    whole: bool
    """Whether to push the shards' gradients as one sum."""
    progress: msgspec.Raw
    """The trainer's progress that belongs to the parameters, for computing this batch."""
    loss: float | None
    """The loss of the previous step; 0 if another master did it. None stands for a number that is not finite, which JSON does
    not have: training goes on even if it diverges."""
    gradient_norm: float | None


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """A worker tells its master that it is alive during a long computation."""

    worker: str
    term: int


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """The master tells the other server ten times a second that it leads."""

    term: int


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A server asks a worker to take work from it in this term, and from no master with a lower term any more."""

    server: str
    term: int


class Promised(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's answer, and a server's status: the highest term that it knows, and the server of that term."""

    granted: bool
    term: int
    server: str


class Damaged(Exception):
    """A message that is not what was sent."""


_CHECKSUM_BYTES: Final = xxhash.xxh3_128().digest_size
_LENGTH_BYTES: Final = 4
_ALIGNED_BYTES: Final = 8
"""The data begins at a multiple of this, so that tensors can be read in place."""


def checksum_of(data: Buffer) -> bytes:
    """The checksum of data, for `pack`; keep it if you send the same data to several nodes."""
    return xxhash.xxh3_128_digest(data)


def pack(head: msgspec.Struct, data: Buffer = b"", checksum: bytes | None = None) -> bytes:
    """A checksum of the head and of the data's own `checksum`, the head's length, the head as JSON, and the data."""
    return b"".join(pieces(head, data, checksum))


def pieces(head: msgspec.Struct, data: Buffer, checksum: bytes | None = None) -> Pieces:
    """The message of `pack` as pieces, without a copy of the data."""
    encoded = msgspec.json.encode(head)
    encoded += b" " * (-(_CHECKSUM_BYTES + _LENGTH_BYTES + len(encoded)) % _ALIGNED_BYTES)
    length = len(encoded).to_bytes(_LENGTH_BYTES, "big")
    whole = checksum_of(length + encoded + (checksum or checksum_of(data)))
    return whole + length + encoded, data


def unpack(message: bytes, kind: type[T], *, checked: bool = True) -> tuple[T, memoryview]:
    """Head and data of a message of `pack`. Raises `Damaged` if a byte differs; if not `checked`, if the head is unreadable."""
    body = memoryview(message)[_CHECKSUM_BYTES:]
    begins = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES], "big")
    data = body[begins:]
    if checked and checksum_of(bytes(body[:begins]) + checksum_of(data)) != message[:_CHECKSUM_BYTES]:
        raise Damaged("the message does not match its checksum")
    try:
        return msgspec.json.decode(body[_LENGTH_BYTES:begins], type=kind), data
    except ValueError as error:  # of msgspec, or of Python for invalid UTF-8
        raise Damaged(f"the message's head is unreadable: {error}") from error
