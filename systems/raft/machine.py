"""What a group replicates: any deterministic state machine."""

from __future__ import annotations

from typing import Protocol, TypeVar

Answer_co = TypeVar("Answer_co", covariant=True)


class StateMachine(Protocol[Answer_co]):
    """The state machine that a group's commands act on. Nodes that have applied the same entries have the same state."""

    def check(self, data: str) -> None:
        """Raise `ValueError` if this is not a command. What is refused here never gets into the log."""

    def apply(self, index: int, data: str) -> Answer_co:
        """Carry out the command of the entry at an index, deterministically.

        Raises `ValueError`, having changed nothing, if it is not a command: then every node skips it.
        """

    def snapshot(self) -> str:
        """The whole state, for `restore`."""

    def restore(self, data: str) -> None: ...
