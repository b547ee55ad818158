"""What a leader knows about one other node, and what it may send there next."""

from __future__ import annotations

from dataclasses import dataclass

from systems.raft.core.pieces import Sending


@dataclass(kw_only=True)
class Progress:
    """One node's progress; see the module."""

    next: int
    """The next entry to send: sent entries are assumed to be received until an answer says otherwise."""
    heard_ms: int
    match: int = 0
    """The last entry that the node is known to have."""
    round: int = 0
    """The last round that the node answered; see `reads`."""
    accepted_round: int = 0
    """The round of the last message that it accepted."""
    probing: bool = True
    """Whether it is unknown where the logs agree: then messages are sent one at a time until one is accepted."""
    sending: Sending | None = None
    """The snapshot that is being sent."""
    waits_until_ms: int = 0
    """Nothing is sent before this time or the next answer."""
    sent_bytes: int = 0
    """Bytes sent since the last time that everything was answered."""

    def may_send(self, now_ms: int, in_flight_bytes: int) -> bool:
        return now_ms >= self.waits_until_ms and self.sent_bytes < in_flight_bytes

    def accepted(self, match: int, round_: int, base_index: int) -> None:
        """The node has the leader's log up to `match`; the leader has the entries after `base_index`.

        The answer may be older than the snapshot that is being sent, which then goes on: the node still lacks what is in it.
        """
        self.accepted_round = max(self.accepted_round, round_)
        self.match = max(self.match, match)
        self.next = max(self.next, self.match + 1)
        self.probing = False
        if self.sending is None or self.match >= min(self.sending.snapshot.index, base_index):
            self.sending, self.waits_until_ms = None, 0
        if self.next == self.match + 1:
            self.sent_bytes = 0

    def installing(self, index: int, offset: int) -> None:
        """The node has the snapshot up to `offset`, and waits for the next piece."""
        if self.sending is not None and self.sending.taken(index, offset):
            self.waits_until_ms = 0

    def refused(self, may_match: int, round_: int) -> None:
        """The node lacks the entry before the sent ones; it may share the leader's log up to `may_match`.

        That may be less than it had, because its disk was damaged: then it refuses the next heartbeat, too. Or it is the late
        answer to a message from before one that it accepted, and if that was a snapshot, it would be sent another one for
        nothing. Until the node has the whole snapshot that is being sent, it refuses every heartbeat, which says nothing about
        pieces.
        """
        if may_match < self.match and round_ <= self.accepted_round:
            return
        self.match = min(self.match, may_match)
        if self.sending is not None:
            return
        self.next = min(self.next - 1, may_match) + 1
        self.probing, self.waits_until_ms, self.sent_bytes = True, 0, 0
