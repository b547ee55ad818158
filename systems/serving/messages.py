"""The JSON messages between clients, balancer and replicas."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from systems.parts.breaker import State

PIXELS: Final = 64
"""An image is 8 x 8 pixels, row by row."""

BRIGHTEST: Final = 16.0
"""Pixels range from 0 (paper) to this (ink), as in scikit-learn's digits."""

Pixel = Annotated[float, msgspec.Meta(ge=0, le=BRIGHTEST)]
Image = Annotated[list[Pixel], msgspec.Meta(min_length=PIXELS, max_length=PIXELS)]


class Prediction(msgspec.Struct, frozen=True):
    """The digit that the model sees, and its probability, rounded to four decimals."""

    label: int
    score: float


class PredictRequest(msgspec.Struct, frozen=True):
    """Body of `POST /predict`."""

    pixels: Image


class PredictReply(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to `POST /predict`: the prediction, the fingerprint of the weights that made it, and the replica's name."""

    label: int
    score: float
    model: str
    node: str


class CacheStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A replica's cache: how many answers it holds, and its hits and misses since the replica's start."""

    entries: int
    hits: int
    misses: int


class ServedStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A replica's own answer to `GET /status`."""

    node: str
    model: str
    cache: CacheStatus | None
    """None if it has none."""


class ReplicaStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the balancer knows about one replica. Counts are since the balancer's start."""

    name: str
    up: bool
    share: float
    """The fraction of a full share of requests that it gets: below 1 for a while after it returns, 0 while it is not up."""
    outstanding: int
    answered: int
    failed: int
    ejections: int
    """How often failed requests took it down."""
    breaker: State | None = None
    """While it is not closed, the replica gets at most a few requests as probes; None if breakers are switched off."""
    last_failure: str


class BalancerStatus(msgspec.Struct, frozen=True):
    """Answer to `GET /status`. Counts are since the balancer's start."""

    replicas: list[ReplicaStatus]
    limit: int | None = None
    """How many requests are let in at once; None: any number."""
    turned_away: int = 0
    """Requests over the limit."""
    retries: int = 0
    """Requests that were sent again, including hedges."""
    retries_refused: int = 0
    """Retries that the budget did not allow."""
    hedges: int = 0
    """Requests that were sent to a second replica before the first had answered."""
