"""A snapshot on its way to a backup, or a log on its way to the next primary: in pieces, each after the previous one was taken.

However large the state is, a piece gets through in time, and each of them is a sign of life. The receiver says up to where it
has the whole, and the sender continues from there, whatever was lost. Two with the same checksum are the same, so the transfer
of a snapshot goes on under the next primary if that has taken its snapshot after the same entry, and that of a log at the next
attempt to become the primary.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec
import xxhash

from systems.strong.log import NOTHING
from systems.strong.messages import Beyond, Piece, Snapshot

Whole = TypeVar("Whole", Snapshot, Beyond)


class Sending:
    """A snapshot or a log that is sent to one replica."""

    def __init__(self, whole: Snapshot | Beyond) -> None:
        self.last = whole.last if isinstance(whole, Beyond) else whole.ends[-1] if whole.ends else NOTHING
        """The last entry that it holds."""
        self._text = msgspec.json.encode(whole).decode()
        self._checksum = xxhash.xxh3_64_hexdigest(self._text.encode())
        self.offset = 0
        """Where the next piece begins, unless another place is asked for."""

    @property
    def size(self) -> int:
        """Of all of it, in characters."""
        return len(self._text)

    def piece(self, most: int, offset: int | None = None) -> Piece:
        """The next piece, or the one from this offset on, of at most so many characters."""
        begin = self.offset if offset is None else offset
        return Piece(self.last, self.size, self._checksum, begin, self._text[begin : begin + most])


class Receiving(Generic[Whole]):
    """The part of a snapshot or a log that a replica has received: `offset` characters."""

    def __init__(self, kind: type[Whole]) -> None:
        self._kind: type[Whole] = kind
        self._checksum = ""
        self._texts: list[str] = []
        self.offset = 0

    def take(self, piece: Piece) -> Whole | None:
        """Take a piece if it is the next one; returns the whole once it is complete. A piece of another one starts over."""
        if piece.checksum != self._checksum:
            self._checksum, self._texts, self.offset = piece.checksum, [], 0
        if piece.offset == self.offset < piece.size:
            self._texts.append(piece.text)
            self.offset += len(piece.text)
        return msgspec.json.decode("".join(self._texts), type=self._kind) if self.offset == piece.size else None

    def forget(self) -> None:
        """Drop what was received."""
        self._checksum, self._texts, self.offset = "", [], 0
