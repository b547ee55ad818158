"""The messages between clients, replicas and the feature service, as JSON; and the arithmetic that both ends share."""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Literal

import msgspec

Source = Literal["features", "fallback"]

FEATURES: Final = 8
WEIGHTS: Final = (0.9, -0.4, 0.3, 0.7, -0.2, 0.5, -0.6, 0.1)
AVERAGE: Final = (0.5,) * FEATURES
"""The features that a replica uses for a user whose own it cannot get."""

SCORE_DECIMALS: Final = 6

LONGEST_NAME: Final = 1000
"""A user's name has at most this many characters. The feature service refuses one that does not fit in a request's head, and
that would count as its failure."""


class ScoreRequest(msgspec.Struct, frozen=True):
    """Body of `POST /score`. With `exact`, the request is refused rather than answered from average features."""

    user: Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)]
    exact: bool = False


class ScoreReply(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to `POST /score`: the score, which features it was made from, and the replica's name."""

    score: float
    source: Source
    node: str


class FeaturesReply(msgspec.Struct, frozen=True):
    """Answer to `GET /features?user=NAME`: numbers between 0 and 1."""

    features: tuple[float, ...]


def features_of(user: str) -> tuple[float, ...]:
    """A user's features, as the service knows them: the same for the same name, everywhere."""
    return tuple(byte / 255 for byte in hashlib.sha256(user.encode()).digest()[:FEATURES])


def score_of(features: tuple[float, ...]) -> float:
    """The model: a weighted sum."""
    return round(sum(weight * feature for weight, feature in zip(WEIGHTS, features, strict=True)), SCORE_DECIMALS)
