"""What a leader knows of one other node, and what it may send there next."""

from __future__ import annotations

from dataclasses import dataclass

from systems.raft.core.pieces import Sending


@dataclass(kw_only=True)
class Progress:
    """See the module."""

    next: int
    """The next entry to send: sent ones are taken for received, until an answer says otherwise."""
    heard_ms: int
    match: int = 0
    """The last entry that is known to be there."""
    round: int = 0
    """The last round that was answered; see `reads`."""
    probing: bool = True
    """Where the logs agree is not known: one message at a time, until one is accepted."""
    sending: Sending | None = None
    """The snapshot that is on its way."""
    waits_until_ms: int = 0
    """Nothing more is sent before that, or an answer."""
    sent_bytes: int = 0
    """Since everything sent was answered."""

    def may_send(self, now_ms: int, in_flight_bytes: int) -> bool:
        return now_ms >= self.waits_until_ms and self.sent_bytes < in_flight_bytes

    def accepted(self, match: int) -> None:
        """It has the leader's log up to there."""
        self.match = max(self.match, match)
        self.next = max(self.next, self.match + 1)
        self.probing, self.sending, self.waits_until_ms = False, None, 0
        if self.next == self.match + 1:
            self.sent_bytes = 0

    def installing(self, index: int, offset: int) -> None:
        """It has the snapshot up to there, and waits for the next piece."""
        if self.sending is not None and self.sending.taken(index, offset):
            self.waits_until_ms = 0

    def refused(self, may_match: int, now_ms: int) -> None:
        """It lacks the entry before those that were sent; up to `may_match` it may have the leader's log.

        That may be less than it had: its disk was damaged, or the answer is an old one. In either case it is sent again.
        """
        if self.sending is not None and now_ms < self.waits_until_ms:
            return
        self.next = min(self.next - 1, may_match) + 1
        self.match = min(self.match, may_match)
        self.probing, self.sending, self.waits_until_ms, self.sent_bytes = True, None, 0, 0
