"""The manifest of a checkpoint: the job that it belongs to, its files with their hashes, and a hash of itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec

from systems.parts.checkpoint.refusals import Damaged, OtherJob

FORMAT: Final = 2
NO_PROGRESS: Final = msgspec.Raw(b"null")
_DIGEST_CHARACTERS: Final = 64

T = TypeVar("T")


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What identifies a training job. A checkpoint fits a job only if all of this is equal."""

    model: str
    """The architecture: the names, shapes and types of the parameters, or a digest of them."""
    data: str
    """The samples, or a digest of them."""
    seed: int
    shards: int
    """How many virtual shards a batch is split into; the sums, and so the bits, depend on it."""
    batch: int
    """Samples per step, over all shards."""
    world: int | None = None
    """The number of ranks, if the training is repeatable only with that many; None if any number gives the same bits."""
    exchange: str = "exact"
    """How gradients are combined; an exchange may have state of its own."""


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """One file of tensors."""

    name: str
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A complete checkpoint. `step` steps are done; training resumes with the step of that number, the first being 0."""

    identity: Identity
    step: int
    shards: tuple[Shard, ...]
    progress: msgspec.Raw = NO_PROGRESS
    """The job's own JSON beside the tensors: the sampler's ledger, the schedule of the learning rate."""
    state: str = ""
    """A checksum of all the tensors together, taken before they were copied for writing; empty if there is none.

    It catches a bit that flips in the copy, which the files' hashes cannot: they are computed from the copy."""
    generation: int = 0
    """That of the group that made it."""
    format: int = FORMAT


class Withdrawn(msgspec.Struct, frozen=True, kw_only=True):
    """Checkpoints that turned out to be unusable: those with more steps, of this generation and all earlier ones."""

    generation: int
    step: int
    """The last one that is not spoilt."""


def shard_of(name: str, data: bytes) -> Shard:
    """The manifest entry for a file with this content."""
    return Shard(name=name, size_bytes=len(data), sha256=_digest(data))


def encode(manifest: Manifest) -> bytes:
    """The file's content: the SHA-256 of the JSON as 64 hexadecimal digits, a line break, and the JSON."""
    return _sealed(msgspec.json.encode(manifest))


def decode(data: bytes) -> Manifest:
    """Decode a manifest file. Raises `Damaged` if a byte differs from what `encode` wrote."""
    manifest = _opened("manifest", data, Manifest)
    if manifest.format != FORMAT:
        raise Damaged(f"the manifest has format {manifest.format}; this program reads format {FORMAT}")
    return manifest


def encode_withdrawn(withdrawn: Iterable[Withdrawn]) -> bytes:
    """The content of a file that says which checkpoints are withdrawn, in the form of a manifest's."""
    return _sealed(msgspec.json.encode(tuple(withdrawn)))


def decode_withdrawn(data: bytes) -> tuple[Withdrawn, ...]:
    """Decode such a file. Raises `Damaged` if a byte differs from what `encode_withdrawn` wrote."""
    return _opened("list", data, tuple[Withdrawn, ...])


def is_withdrawn(withdrawn: Iterable[Withdrawn], generation: int, step: int) -> bool:
    """Whether a checkpoint that this generation's group made is withdrawn."""
    return any(generation <= one.generation and step > one.step for one in withdrawn)


def check_shard(shard: Shard, data: bytes | None) -> bytes:
    """The content of a shard's file, verified. Raises `Damaged` if it is not what was written."""
    if data is None:
        raise Damaged(f"{shard.name} is missing")
    if len(data) != shard.size_bytes:
        raise Damaged(f"{shard.name} has {len(data):,} bytes, not {shard.size_bytes:,}")
    if _digest(data) != shard.sha256:
        raise Damaged(f"{shard.name} does not match its SHA-256")
    return data


def check_identity(found: Identity, wanted: Identity) -> None:
    """Raise `OtherJob`, naming what differs, unless a checkpoint belongs to this job."""
    for name in Identity.__struct_fields__:
        theirs, ours = getattr(found, name), getattr(wanted, name)
        if theirs != ours:
            raise OtherJob(
                f"The checkpoint is of another job: its {_WORDS[name]} is {theirs}, this job's is {ours}."
                " Give this job a folder of its own, or run it with the checkpoint's settings."
            )


_WORDS: Final = {
    "model": "model", "data": "data", "seed": "seed", "shards": "number of virtual shards", "batch": "batch size",
    "world": "number of ranks", "exchange": "exchange of gradients",
}  # fmt: skip


def _sealed(body: bytes) -> bytes:
    return _digest(body).encode() + b"\n" + body


def _opened(what: str, data: bytes, kind: type[T]) -> T:
    digest, separator, body = data[:_DIGEST_CHARACTERS], data[_DIGEST_CHARACTERS : _DIGEST_CHARACTERS + 1], data[65:]
    if separator != b"\n" or _digest(body).encode() != digest:
        raise Damaged(f"the {what} does not match its own SHA-256")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise Damaged(f"the {what} cannot be read: {error}") from error


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
