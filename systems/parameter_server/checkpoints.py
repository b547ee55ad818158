"""A training's checkpoints, by the master's term that made them: each term has a folder of its own.

A master that was replaced while it was saving goes on with that when it thaws. In a folder for all terms it would mix its files
with those of its successors, which are saving the same or later steps under the same names.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from harness.node.context import NodeContext
from systems.parameter_server.term import Settings
from systems.parts.checkpoint.manifest import Identity
from systems.parts.checkpoint.refusals import NoValidCheckpoint, Refusal
from systems.parts.checkpoint.store import Checkpoint, Checkpoints, Schedule

_FOLDER: Final = "checkpoints"


class TermCheckpoints:
    """The checkpoints of one term, and of those before it."""

    def __init__(self, term: int, settings: Settings, node: NodeContext, identity: Identity) -> None:
        self._term = term
        self._schedule = Schedule(every=settings.checkpoint_every, keep=settings.checkpoints_kept)
        self._node = node
        self._identity = identity
        self.own = self._of(term)
        """Those that this term's master makes."""

    def newest(self) -> tuple[int | None, Checkpoint | None]:
        """The newest sound checkpoint of the highest term before this one that has one, and that term; None if there is none.

        Raises `NoValidCheckpoint` if there are only damaged ones, `OtherJob`.
        """
        refused: list[Refusal] = []
        for term in range(self._term - 1, 0, -1):
            try:
                found = self._of(term).newest()
            except NoValidCheckpoint as error:
                refused += [replace(one, file=f"{_folder(term)}/{one.file}") for one in error.refusals]
                continue
            if found is not None:
                return term, replace(found, refused=(*refused, *found.refused))
        if refused:
            raise NoValidCheckpoint(refused)
        return None, None

    def _of(self, term: int) -> Checkpoints:
        return Checkpoints(self._node.shared(_folder(term)), self._identity, self._schedule)


def _folder(term: int) -> str:
    return f"{_FOLDER}-{term}"
