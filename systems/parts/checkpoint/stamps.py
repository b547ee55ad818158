"""The stamp of a file of tensors: the checkpoint that it was written for.

Checkpoints rotate through a few file names, so a file may have been overwritten since a manifest named it. Its hash tells, but
takes reading all of it; the stamp is in its header, and takes a few bytes.
"""

from __future__ import annotations

from typing import Final

import msgspec

from harness.node.disk import Disk

_LENGTH_BYTES: Final = 8
"""A safetensors file begins with the length of its header, which is JSON; the text of our own is its `__metadata__`."""


class Stamp(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """The checkpoint of a step by one generation's group. A later generation's is later, whatever its step."""

    generation: int
    step: int

    def metadata(self) -> dict[str, str]:
        """The text to store in a safetensors file: one entry, because safetensors writes several in any order."""
        return {"checkpoint": msgspec.json.encode(self).decode()}


class _Metadata(msgspec.Struct):
    checkpoint: str


class _Header(msgspec.Struct):
    metadata: _Metadata = msgspec.field(name="__metadata__")


def stamp_of(disk: Disk, name: str) -> Stamp | None:
    """The stamp of a file; None if there is no such file, or its header has none or is damaged. Raises `OSError`."""
    try:
        file = disk.map(name)
    except FileNotFoundError:
        return None
    length = int.from_bytes(file[:_LENGTH_BYTES], "little")
    try:
        header = msgspec.json.decode(file[_LENGTH_BYTES : _LENGTH_BYTES + length], type=_Header)
        return msgspec.json.decode(header.metadata.checkpoint, type=Stamp)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
