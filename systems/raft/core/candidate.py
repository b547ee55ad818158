"""A candidate: asks for votes, first whether it would get them (pre-vote), then for good."""

from __future__ import annotations

from systems.raft.core.messages import Message, PreVote, PreVoteAnswer, Vote, VoteAnswer
from systems.raft.core.role import RoleName, Turn
from systems.raft.core.state import State


class Candidate:
    """See the module. For good, the term is a new one and the node has voted for itself in it."""

    def __init__(self, state: State, *, asks_only: bool, transfer: bool = False) -> None:
        self.name: RoleName = "pre-candidate" if asks_only else "candidate"
        self._state = state
        self._asks_only = asks_only
        self._granted = {state.name}
        self._gives_up_at_ms = state.election_timeout_ms()
        state.leader = None
        term, (last_term, last_index) = state.term, state.last
        request = (
            PreVote(term=term, last_index=last_index, last_term=last_term)
            if asks_only
            else Vote(term=term, last_index=last_index, last_term=last_term, transfer=transfer)
        )
        for name in state.log.members.voters:
            if name != state.name:
                state.send(name, request)

    def tick(self) -> Turn | None:
        """If nobody was elected for so long, there was a draw, or messages were lost: ask again."""
        return Turn.ASK if self._state.now_ms >= self._gives_up_at_ms else self._won()

    def step(self, source: str, message: Message) -> Turn | None:
        match message:
            case PreVoteAnswer(granted=True) if self._asks_only:
                self._granted.add(source)
            case VoteAnswer(granted=True) if not self._asks_only:
                self._granted.add(source)
        return self._won()

    def flush(self) -> None:
        """All that a candidate sends, it sends as it becomes one."""

    def saved(self) -> Turn | None:
        return self._won()

    def _won(self) -> Turn | None:
        votes = [int(name in self._granted) for name in self._state.voters]
        if not votes or not self._state.majority_of(votes):
            return None
        return Turn.CAMPAIGN if self._asks_only else Turn.LEAD
