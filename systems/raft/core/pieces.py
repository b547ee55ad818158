"""Sends a snapshot in pieces, each after the previous one was taken, so that no message is long.

The follower says up to where it has the snapshot, and the leader continues from there: after a lost or duplicated piece or
answer, and after either of them has restarted. Pieces are kept in memory until all have arrived, and a checksum over the whole
shows that they belong together. A piece of a newer snapshot, or of another leader, starts over.

The leader finishes the snapshot that it has begun to send, even if it has taken a newer one meanwhile, or a piece was not
answered in time: with a log that is compacted often, a follower would otherwise never get a whole one.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

from systems.raft.core.messages import Install, Snapshot
from systems.raft.rules import CORRECT, Rules


class Which(NamedTuple):
    """Which snapshot a piece is from."""

    leader: str
    term: int
    last: int
    """The last entry that it holds."""
    size: int
    checksum: int


class Sending:
    """A snapshot that a leader sends to one follower."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.offset = 0
        """Where the current piece begins, which was sent last or is sent next."""
        self._checksum = checksum_of(snapshot.data)

    def piece(self, term: int, most: int, round_: int) -> Install:
        """The current piece, of at most `most` characters, in the leader's term."""
        snapshot = self.snapshot
        return Install(
            term=term,
            index=snapshot.index,
            entry_term=snapshot.term,
            members=snapshot.members,
            size=len(snapshot.data),
            checksum=self._checksum,
            offset=self.offset,
            data=snapshot.data[self.offset : self.offset + most],
            round=round_,
        )

    def taken(self, index: int, offset: int) -> bool:
        """The follower has the snapshot of that index up to `offset`; returns whether to send another piece.

        A late or duplicated answer may name an earlier offset than was reached. Going back there costs one piece that the
        follower already has, and its answer leads forward again; but reacting to every duplicate would never end.
        """
        if index != self.snapshot.index or offset == self.offset or not 0 <= offset < max(1, len(self.snapshot.data)):
            return False
        self.offset = offset
        return True


class Receiving:
    """The part of a snapshot that a follower has: `offset` characters."""

    def __init__(self, rules: Rules = CORRECT) -> None:
        self._rules = rules
        self.which: Which | None = None
        self._pieces: list[str] = []
        self.offset = 0

    @property
    def data(self) -> str:
        """What has arrived of the snapshot."""
        return "".join(self._pieces)

    def take(self, leader: str, piece: Install) -> Snapshot | None:
        """Take a piece; returns the snapshot once it is complete."""
        which, has = Which(leader, piece.term, piece.index, piece.size, piece.checksum), self.which
        if has is not None and (has.leader, has.term) == (leader, piece.term) and piece.index < has.last:
            return None  # it is late: the leader has gone on to a newer snapshot
        if has != which and (self._rules.pieces_of_one_snapshot or has is None):
            self.forget()
        self.which = which
        if piece.offset == self.offset or not self._rules.pieces_in_order:
            self._pieces.append(piece.data)
            self.offset += len(piece.data)
        if self.offset < piece.size:
            return None
        data = self.data
        self.forget()
        checked = self._rules.pieces_in_order and self._rules.pieces_of_one_snapshot
        if checked and checksum_of(data) != piece.checksum:
            return None
        return Snapshot(piece.index, piece.entry_term, piece.members, data)

    def drop_to(self, index: int) -> None:
        """Forget a snapshot that holds no entry after an index."""
        if self.which is not None and self.which.last <= index:
            self.forget()

    def forget(self) -> None:
        self.which, self._pieces, self.offset = None, [], 0


def checksum_of(data: str) -> int:
    return zlib.crc32(data.encode(errors="surrogatepass"))
