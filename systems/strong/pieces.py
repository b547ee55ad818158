"""A snapshot on its way from a primary to a backup: in pieces, each after the previous one was taken.

However large the state is, a piece gets through in time, and each of them is a sign of life. The backup says up to where it has
the snapshot, and the primary continues from there, whatever was lost. Snapshots with the same checksum are the same, so a
transfer goes on under the next primary if that has taken its snapshot after the same entry.
"""

from __future__ import annotations

from typing import Final

import msgspec
import xxhash

from systems.strong.log import NOTHING
from systems.strong.messages import Piece, Snapshot

_decode: Final = msgspec.json.Decoder(Snapshot).decode


class Sending:
    """A snapshot that a primary sends to one backup."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.last = snapshot.ends[-1] if snapshot.ends else NOTHING
        """The last entry that it holds."""
        self._text = msgspec.json.encode(snapshot).decode()
        self._checksum = xxhash.xxh3_64_hexdigest(self._text.encode())
        self.offset = 0
        """Where the next piece begins."""

    @property
    def size(self) -> int:
        """Of all of it, in characters."""
        return len(self._text)

    def piece(self, most: int) -> Piece:
        """The next piece, of at most so many characters."""
        text = self._text[self.offset : self.offset + most]
        return Piece(self.last, self.size, self._checksum, self.offset, text)


class Receiving:
    """The part of a snapshot that a backup has: `offset` characters."""

    def __init__(self) -> None:
        self._checksum = ""
        self._texts: list[str] = []
        self.offset = 0

    def take(self, piece: Piece) -> Snapshot | None:
        """Take a piece if it is the next one; returns the snapshot once it is complete. One of another snapshot starts over."""
        if piece.checksum != self._checksum:
            self._checksum, self._texts, self.offset = piece.checksum, [], 0
        if piece.offset == self.offset < piece.size:
            self._texts.append(piece.text)
            self.offset += len(piece.text)
        return _decode("".join(self._texts)) if self.offset == piece.size else None
