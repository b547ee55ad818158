"""Messages that producers publish and the consumers of several groups receive; no message is published twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from random import Random

from harness.model.errors import UsageError
from harness.model.system import Answer, Call


@dataclass(frozen=True, kw_only=True)
class Publications:
    """Publishes to `topic`, each message with one of `keys` keys; `publishes` is their share, the other calls are receives.

    At the end, consumers of every group receive until nothing is left.
    """

    groups: Sequence[str] = ("billing", "shipping")
    """Should be the system's groups."""
    topic: str = "orders"
    keys: int = 6
    publishes: float = 0.25
    polls: bool = False
    """Whether consumers take several messages at once, with `poll`, rather than one, with `receive`."""
    final_receives: int = 24
    """How many consumers of each group there are at the end. Each receives until it finds nothing left."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", tuple(self.groups))  # a list if it comes from JSON
        if self.keys < 1 or self.final_receives < 1:
            raise UsageError(
                f"Publications(keys={self.keys!r}, final_receives={self.final_receives!r}): must be whole numbers, at least 1."
            )
        if not self.groups:
            raise UsageError("Publications(groups=[]): there must be at least one group.")
        if not 0 < self.publishes < 1:
            raise UsageError(f"Publications(publishes={self.publishes!r}): must be a share of all calls, between 0 and 1.")

    def varied(self, random: Random) -> Publications:
        """One message at a time, or several."""
        return replace(self, polls=random.random() < 0.5)

    def calls(self, random: Random) -> Iterator[Call]:
        for number in count(1):
            if random.random() < self.publishes:
                yield Call("publish", f"{self.topic}/k{random.randrange(self.keys)}", str(number))
            else:
                yield Call(self._kind, f"{self.topic}/{random.choice(self.groups)}")

    def final_calls(self) -> Iterable[Call]:
        return [Call(self._kind, f"{self.topic}/{group}") for _ in range(self.final_receives) for group in self.groups]

    def left_more(self, answer: Answer) -> bool:
        """Whether the receive brought anything."""
        return answer.value not in (None, "[]")

    @property
    def _kind(self) -> str:
        return "poll" if self.polls else "receive"
