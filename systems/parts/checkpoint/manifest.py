"""The manifest of a checkpoint: what it is of, its files and their hashes, and a hash of itself."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from systems.parts.checkpoint.refusals import Damaged, OtherJob

FORMAT: Final = 1
NO_PROGRESS: Final = msgspec.Raw(b"null")
_DIGEST_CHARACTERS: Final = 64


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a job's training the one it is. A checkpoint fits a job only if all of it is the same."""

    model: str
    """The architecture: the names, shapes and types of the parameters, or a digest of them."""
    data: str
    """The samples, or a digest of them."""
    seed: int
    shards: int
    """Into how many virtual shards a batch is split; the sums, and so the bits, depend on it."""
    batch: int
    """Samples a step, over all shards."""
    world: int | None = None
    """The number of ranks, if the training is repeatable only among as many; None if any number gives the same bits."""
    exchange: str = "exact"
    """How gradients are combined, which may have a state of its own."""


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """One file of tensors."""

    name: str
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A whole checkpoint. `step` steps are done; training resumes with the step of that number, the first being 0."""

    identity: Identity
    step: int
    shards: tuple[Shard, ...]
    progress: msgspec.Raw = NO_PROGRESS
    """JSON of the job's own that goes with the tensors: the sampler's ledger, the schedule of the learning rate."""
    state: str = ""
    """A checksum of all the tensors together, taken before they were copied to be written; empty if there is none.

    What has changed in a copy has right hashes when it is written."""
    withdrawn: bool = False
    """Whether it was found out, after it had been made, that it is not to be used."""
    format: int = FORMAT


def shard_of(name: str, data: bytes) -> Shard:
    """The manifest's entry for a file with this content."""
    return Shard(name=name, size_bytes=len(data), sha256=_digest(data))


def encode(manifest: Manifest) -> bytes:
    """The file: 64 hexadecimal digits, a line break, and JSON that the digits are the SHA-256 of."""
    body = msgspec.json.encode(manifest)
    return _digest(body).encode() + b"\n" + body


def decode(data: bytes) -> Manifest:
    """A manifest from its file. Raises `Damaged` if a byte differs from what `encode` wrote."""
    digest, separator, body = data[:_DIGEST_CHARACTERS], data[_DIGEST_CHARACTERS : _DIGEST_CHARACTERS + 1], data[65:]
    if separator != b"\n" or _digest(body).encode() != digest:
        raise Damaged("the manifest does not match its own SHA-256")
    try:
        manifest = msgspec.json.decode(body, type=Manifest)
    except msgspec.MsgspecError as error:
        raise Damaged(f"the manifest cannot be read: {error}") from error
    if manifest.format != FORMAT:
        raise Damaged(f"the manifest has format {manifest.format}; this program reads format {FORMAT}")
    return manifest


def check_shard(shard: Shard, data: bytes | None) -> bytes:
    """The content of a shard's file, once it is known to be what was written. Raises `Damaged` if it is not."""
    if data is None:
        raise Damaged(f"{shard.name} is missing")
    if len(data) != shard.size_bytes:
        raise Damaged(f"{shard.name} has {len(data):,} bytes, not {shard.size_bytes:,}")
    if _digest(data) != shard.sha256:
        raise Damaged(f"{shard.name} does not match its SHA-256")
    return data


def check_identity(found: Identity, wanted: Identity) -> None:
    """Raise `OtherJob`, naming what differs, unless a checkpoint is of this job."""
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


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
