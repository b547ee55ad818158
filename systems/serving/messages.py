"""What travels between clients, balancer and replicas, as JSON."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from systems.parts.breaker import State

PIXELS: Final = 64
"""An image is 8 x 8 pixels, row by row."""

BRIGHTEST: Final = 16.0
"""Pixels go from 0 (paper) to this (ink), as in scikit-learn's digits."""

Pixel = Annotated[float, msgspec.Meta(ge=0, le=BRIGHTEST)]
Image = Annotated[list[Pixel], msgspec.Meta(min_length=PIXELS, max_length=PIXELS)]


class Prediction(msgspec.Struct, frozen=True):
    """Which digit the model sees, and the probability that it gives to it, rounded to four decimals."""

    label: int
    score: float


class PredictRequest(msgspec.Struct, frozen=True):
    """Body of `POST /predict`."""

    pixels: Image


class PredictReply(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to `POST /predict`: the prediction, the fingerprint of the weights it was made with, and the replica's name."""

    label: int
    score: float
    model: str
    node: str


class CacheStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A replica's cache: how many answers it holds, and what came of looking for one. Counts are since the replica's start."""

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
    """What the balancer knows of one replica. Counts are since the balancer's start."""

    name: str
    up: bool
    draining: bool
    """It gets no new requests; what is outstanding is still awaited."""
    share: float
    """How much of a full share of the requests it gets: less than 1 for a while after it returned, 0 while it is not up."""
    outstanding: int
    answered: int
    failed: int
    ejections: int
    """How often failed requests took it down."""
    breaker: State | None = None
    """While it is not closed, the replica gets at most a few requests, to see whether it is well again; None: there is none."""
    last_failure: str


class BalancerStatus(msgspec.Struct, frozen=True):
    """Answer to `GET /status`. Counts are since the balancer's start."""

    replicas: list[ReplicaStatus]
    limit: int | None = None
    """So many requests are let in at once; None: any number."""
    turned_away: int = 0
    """Requests that were over the limit."""
    retries: int = 0
    """Requests that were sent once more, hedges among them."""
    retries_refused: int = 0
    """Retries that the budget did not allow."""
    hedges: int = 0
    """Requests that were sent to a second replica while the first had not answered."""
