"""The events that a node reports for the history: see `harness.model.consensus_events`."""

from __future__ import annotations

from harness.model.consensus_events import Appended, Applied, Committed, Installed, Leader, Truncated, Vowed
from harness.node.context import NodeContext
from systems.raft.core.core import Output, Saved
from systems.raft.core.messages import Entry, Vows
from systems.raft.invariant import fingerprint


class Telling:
    """Reports each output when it is saved, and what is on the disk at the start."""

    def __init__(self, node: NodeContext) -> None:
        self._tell = node.event
        self.vows = Vows()
        """The vows on the disk."""

    def found(self, saved: Saved) -> None:
        self._vowed(saved.vows, anew=saved.vows.votes_from is not None)
        if saved.base_index:
            self._tell("installed", Installed(index=saved.base_index, entry_term=saved.base_term))
        else:
            self._tell("truncated", Truncated(index=1))
        for entry in saved.entries:
            self._appended(entry)

    def saved(self, output: Output, term: int) -> None:
        """All entries that are committed together are reported before any of them is applied."""
        if output.vows is not None:
            self._vowed(output.vows)
        if output.installed is not None:
            self._tell("installed", Installed(index=output.installed.index, entry_term=output.installed.term))
        for entry in output.entries:
            self._appended(entry)
        if output.led is not None:
            self._tell("leader", Leader(term=output.led))
        for entry in output.committed:
            self._tell("committed", Committed(index=entry.index, entry_term=entry.term, term=term))

    def applied(self, entry: Entry) -> None:
        self._tell("applied", Applied(index=entry.index, entry=f"{entry.term} {_text(entry)}"))

    def _vowed(self, vows: Vows, *, anew: bool = False) -> None:
        self.vows = vows
        self._tell("vowed", Vowed(term=vows.term, vote=vows.vote, anew=anew))

    def _appended(self, entry: Entry) -> None:
        self._tell("appended", Appended(index=entry.index, entry_term=entry.term, entry=_text(entry)))


def _text(entry: Entry) -> str:
    """A text that identifies an entry's content."""
    return f"{fingerprint(entry):08x}"
