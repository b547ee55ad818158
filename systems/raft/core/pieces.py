"""A snapshot on its way: the leader sends it in pieces, each when the one before it was taken, so no message is long.

The follower says up to where it has the snapshot, and the leader goes on from there: after a piece or an answer was lost, or
twice, and also after either of them has died. Pieces are kept in memory until all of them have come, and a checksum over the
whole shows that they belong together. A piece of another snapshot, or of another leader, begins anew.

The leader keeps to the snapshot that it has begun to send, though it may have taken a newer one meanwhile: if the log is
compacted often, a follower would else never have a whole one.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

from systems.raft.core.messages import Install, Snapshot
from systems.raft.rules import CORRECT, Rules


class _Which(NamedTuple):
    leader: str
    term: int
    last: int
    size: int
    checksum: int


class Sending:
    """A snapshot that a leader sends to one follower."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.offset = 0
        """Where the piece begins that was sent last, or is to be sent."""
        self._checksum = checksum_of(snapshot.data)

    def piece(self, term: int, most: int, round_: int) -> Install:
        """The piece to send, of `most` characters at most, in the leader's term."""
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
        """The follower has the snapshot of that index up to there; whether another piece is to be sent than the last one.

        An answer that comes late, or twice, may name a place before one that was reached. To go back there costs a piece that
        the follower has, and its answer leads on; to answer each of two such answers would go on for ever.
        """
        if index != self.snapshot.index or offset == self.offset or not 0 <= offset < max(1, len(self.snapshot.data)):
            return False
        self.offset = offset
        return True


class Receiving:
    """What a follower has of a snapshot: `offset` characters."""

    def __init__(self, rules: Rules = CORRECT) -> None:
        self._rules = rules
        self._which: _Which | None = None
        self._pieces: list[str] = []
        self.offset = 0

    def take(self, leader: str, piece: Install) -> Snapshot | None:
        """The snapshot, if all of it is there now."""
        which = _Which(leader, piece.term, piece.index, piece.size, piece.checksum)
        if self._which != which and (self._rules.pieces_of_one_snapshot or self._which is None):
            self.forget()
        self._which = which
        if piece.offset == self.offset or not self._rules.pieces_in_order:
            self._pieces.append(piece.data)
            self.offset += len(piece.data)
        if self.offset < piece.size:
            return None
        data = "".join(self._pieces)
        self.forget()
        checked = self._rules.pieces_in_order and self._rules.pieces_of_one_snapshot
        if checked and checksum_of(data) != piece.checksum:
            return None
        return Snapshot(piece.index, piece.entry_term, piece.members, data)

    def forget(self) -> None:
        self._which, self._pieces, self.offset = None, [], 0


def checksum_of(data: str) -> int:
    return zlib.crc32(data.encode(errors="surrogatepass"))
