"""What servers and workers say to each other over HTTP: JSON, and tensors as bytes behind it, under a checksum.

The checksum is XXH3 of 128 bits. It finds what a network, a proxy or a memory does to a message by accident. A forger is not
stopped by it: that takes a key.
"""

from __future__ import annotations

from typing import Final, TypeAlias, TypeVar

import msgspec
import xxhash

from systems.parts.sampler import Use

PULL, PUSH, ALIVE, BEAT, PROMISE, STATUS = "/pull", "/push", "/alive", "/beat", "/promise", "/status"

NOTHING_SEEN: Final = -1
"""The step of a worker that had no work in this term yet."""

T = TypeVar("T")

Buffer: TypeAlias = bytes | memoryview


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """A worker to a server: give me the parameters, and shards to compute. Asking again gives the same shards."""

    worker: str
    promised: int
    """The highest term that it knows of. A master of a lower one is none any more."""
    term: int
    """The term of the last work that it had from this server …"""
    seen: int
    """… and its step."""
    pushing: tuple[int, ...] = ()
    """Shards of that step that it has computed: they are under way."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """The master to a worker, before the parameters: compute these shards of a batch, or none."""

    term: int
    step: int
    """How many steps the parameters are the result of."""
    batch: int
    """Which batch of the data; in the synchronous mode that of the step."""
    shards: tuple[int, ...]
    whole: bool
    """Whether the shards' gradients are to be pushed as one sum."""
    progress: msgspec.Raw
    """What goes with the parameters for a trainer that is to compute this batch."""
    loss: float
    """What the step before came to; 0 if it was another master's."""
    gradient_norm: float


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """A worker to the master, before the gradients and losses of shards. Pushing it again changes nothing."""

    worker: str
    term: int
    step: int
    """How many steps the parameters were the result of that it was computed with."""
    batch: int
    shards: tuple[int, ...]
    whole: bool
    """Whether what follows is the sum over the shards; else it is one after another."""
    uses: list[Use]
    """The samples that it computed."""


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """A worker to its master, while it computes for long: it is there."""

    worker: str
    term: int


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """The master to the other server, ten times a second: it leads."""

    term: int


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A server to a worker: will you take work from me in this term, and from none with a lower one any more?"""

    server: str
    term: int


class Promised(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's answer, and what a server says of itself: the highest term it knows, and whose that is."""

    granted: bool
    term: int
    server: str


class Damaged(Exception):
    """A message that is not what was sent."""


_CHECKSUM_BYTES: Final = xxhash.xxh3_128().digest_size
_LENGTH_BYTES: Final = 4
_ALIGNED_BYTES: Final = 8
"""The data begins at a multiple of this, so that tensors can be read where they lie."""


def checksum_of(data: Buffer) -> bytes:
    """What `pack` needs to know of its data: worth keeping, if the same is sent to several."""
    return xxhash.xxh3_128_digest(data)


def pack(head: msgspec.Struct, data: Buffer = b"", checksum: bytes | None = None) -> bytes:
    """A checksum of the head and of the data's own `checksum`, the head's length, the head as JSON, and the data."""
    encoded = msgspec.json.encode(head)
    encoded += b" " * (-(_CHECKSUM_BYTES + _LENGTH_BYTES + len(encoded)) % _ALIGNED_BYTES)
    length = len(encoded).to_bytes(_LENGTH_BYTES, "big")
    whole = checksum_of(length + encoded + (checksum or checksum_of(data)))
    return b"".join((whole, length, encoded, data))


def unpack(message: bytes, kind: type[T], *, checked: bool = True) -> tuple[T, memoryview]:
    """Head and data of what `pack` gave. Raises `Damaged` if a byte differs; not `checked`, if the head cannot be read."""
    body = memoryview(message)[_CHECKSUM_BYTES:]
    begins = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES], "big")
    data = body[begins:]
    if checked and checksum_of(bytes(body[:begins]) + checksum_of(data)) != message[:_CHECKSUM_BYTES]:
        raise Damaged("the message does not match its checksum")
    try:
        return msgspec.json.decode(body[_LENGTH_BYTES:begins], type=kind), data
    except ValueError as error:  # of msgspec, or of Python for invalid UTF-8
        raise Damaged(f"the message's head cannot be read: {error}") from error
