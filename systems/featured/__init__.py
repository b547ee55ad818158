"""Featured: replicas that ask a feature service before each answer, through a circuit breaker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from harness.model.errors import UsageError
from harness.model.system import Address, Client, Node
from systems.featured.bugs import BUGS
from systems.featured.client import ScoreClient

__all__ = ["BUGS", "Featured"]

_FEATURES = "features"


@dataclass(frozen=True, kw_only=True)
class Featured:
    """Scores from a user's features, which one service holds; if it fails or is slow, scores from average features.

    Each replica `r1`, `r2`, … asks the service `features` through a circuit breaker of its own, and an answer says what it was
    made from. Clients go to the replicas in turn.
    """

    bugs: ClassVar = BUGS

    replicas: int = 3
    bug: str | None = None
    """The name of a known bug that the replicas have."""

    def __post_init__(self) -> None:
        if self.replicas < 1:
            raise UsageError(f"Featured(replicas={self.replicas!r}): a whole number of replicas, at least one.")
        BUGS.variant(self.bug)

    def nodes(self) -> Sequence[Node]:
        return [
            Node(name=_FEATURES, code="systems.featured.features", replica=False),
            *(
                Node(name=name, code="systems.featured.replica", peers=(_FEATURES,), config={"bug": self.bug})
                for name in self.entries()
            ),
        ]

    def entries(self) -> Sequence[str]:
        return [f"r{number}" for number in range(1, self.replicas + 1)]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return ScoreClient(entries[self.entries()[index % self.replicas]])
