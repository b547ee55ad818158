"""Featured: replicas that ask a feature service before each answer, through a circuit breaker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar, Final

import msgspec

from harness.model.errors import UsageError
from harness.model.simulated import Invariant
from harness.model.system import Address, Client, Node
from systems.featured.bugs import BUGS
from systems.featured.client import ScoreClient
from systems.featured.invariant import ReplicasKeepTheirRules
from systems.parts.breaker import Settings as BreakerSettings

__all__ = ["BREAKER", "BUGS", "Featured"]

_FEATURES = "features"

BREAKER: Final = BreakerSettings(
    failure_rate=0.5, slow_rate=0.5, slow_s=0.2, window_s=0.4, least_calls=6, open_s=0.5, probes=2, probe_expires_s=1.0
)
"""The window is short, because calls that succeeded before the trouble began delay opening for as long as they are in it."""


@dataclass(frozen=True, kw_only=True)
class Featured:
    """Scores from a user's features, which one service holds; scores from average features if that fails or is slow.

    Each replica `r1`, `r2`, … asks the service `features` through a circuit breaker of its own, and an answer says which
    features it was made from. Clients use the replicas in turn. Answers carry no checksum: a link that flips bits can change
    them.
    """

    bugs: ClassVar = BUGS

    replicas: int = 3
    workers: int = 8
    """Each replica works on this many requests at once, like a pool of threads or connections."""
    breaker: BreakerSettings = BREAKER
    """When a replica stops asking the feature service."""
    bug: str | None = None
    """The name of a known bug that the replicas have."""

    def __post_init__(self) -> None:
        if self.replicas < 1:
            raise UsageError(f"Featured(replicas={self.replicas!r}): a whole number of replicas, at least one.")
        if self.workers < 1:
            raise UsageError(f"Featured(workers={self.workers!r}): a whole number of workers, at least one.")
        BUGS.variant(self.bug)

    def nodes(self) -> Sequence[Node]:
        return [
            Node(name=_FEATURES, code="systems.featured.features", replica=False),
            *(
                Node(name=name, code="systems.featured.replica", peers=(_FEATURES,), config=self._config())
                for name in self.entries()
            ),
        ]

    def _config(self) -> Mapping[str, object]:
        return {"bug": self.bug, "workers": self.workers, "breaker": msgspec.to_builtins(self.breaker)}

    def varied(self, random: Random) -> Featured:
        """More replicas, few workers or many, and breakers that open and close sooner or later."""
        return replace(
            self,
            replicas=self.replicas + random.choice((0, 0, 1, 2)),
            workers=random.choice((self.workers, 2, 32)),
            breaker=self.breaker.varied(random),
        )

    def entries(self) -> Sequence[str]:
        return [f"r{number}" for number in range(1, self.replicas + 1)]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return ScoreClient(entries[self.entries()[index % self.replicas]])

    def invariant(self) -> Invariant:
        return ReplicasKeepTheirRules()
