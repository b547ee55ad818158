"""Scores of users, each with its right answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random

import msgspec

from harness.model.errors import UsageError
from harness.model.system import Call
from systems.featured.client import EXACT, Score
from systems.featured.messages import AVERAGE, features_of, score_of


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How does this user score? Drawn evenly from `users`. The exact score is right, and the average if labelled a fallback.

    At the end each user's score is asked for once more, and only the exact one is right.
    """

    users: int = 30
    exact: bool = False
    """Whether only the exact score is right from the beginning."""

    def __post_init__(self) -> None:
        if self.users < 1:
            raise UsageError(f"Scores(users={self.users!r}): must be a whole number of users, at least 1.")

    def varied(self, random: Random) -> Scores:
        """Fewer users: several calls at a time ask for the same one."""
        return replace(self, users=random.choice((1, min(3, self.users), self.users)))

    def calls(self, random: Random) -> Iterator[Call]:
        fallback = () if self.exact else (Score(score_of(AVERAGE), "fallback"),)
        expected = [_texts(exact(user), *fallback) for user in self._names()]
        names = self._names()
        while True:
            number = random.randrange(self.users)
            yield Call(kind=EXACT if self.exact else "score", key=names[number], expected=expected[number])

    def final_calls(self) -> Iterable[Call]:
        return [Call(kind=EXACT, key=user, expected=_texts(exact(user))) for user in self._names()]

    def _names(self) -> list[str]:
        return [f"u{number}" for number in range(self.users)]


def exact(user: str) -> Score:
    """The score from the user's own features."""
    return Score(score_of(features_of(user)), "features")


def _texts(*scores: Score) -> str:
    return msgspec.json.encode(scores).decode()
