"""latency_distribution: delays drawn from a distribution with a tail or from a recorded sample. The order is kept."""

from __future__ import annotations

import math
from random import Random

import msgspec

from faults.plane.kind import NEXT, Chunk, Interrupted, Kind, Pipe, Sleep, Stub
from faults.plane.timers import FOREVER_NS

_MOST_EXPONENT = 700.0
"""The exponential function overflows beyond it."""


class LatencyDistributionToxic(msgspec.Struct):
    """Milliseconds. Every chunk is delayed by `latency` plus a random amount of at most `limit`.

    `distribution` is "normal" (mean 0, standard deviation `scale`, negative values count as 0), "pareto" (scale `scale`,
    exponent `shape`: the smaller it is, the heavier the tail) or "sample" (one of `samples`, all equally likely).
    """

    distribution: str = "normal"
    latency: float = 0.0
    scale: float = 0.0
    shape: float = 2.0
    limit: float = 60_000.0
    samples: tuple[float, ...] = ()


def _pipe(attributes: LatencyDistributionToxic, stub: Stub) -> Pipe:
    while isinstance(chunk := (yield NEXT), Chunk):
        delay_ms = attributes.latency + min(_drawn_ms(attributes, stub.random), attributes.limit)
        due_ns = chunk.at_ns + int(min(max(delay_ms, 0.0) * 1e6, FOREVER_NS))
        stub.shared.hits += due_ns > chunk.at_ns
        try:
            yield Sleep(due_ns)
        except Interrupted:
            stub.send(chunk)
            return
        stub.send(Chunk(chunk.data, due_ns))


def _drawn_ms(attributes: LatencyDistributionToxic, random: Random) -> float:
    if attributes.distribution == "sample":
        return random.choice(attributes.samples)
    if attributes.distribution == "pareto":
        exponent = -math.log(1.0 - random.random()) / attributes.shape
        return attributes.scale * math.exp(min(exponent, _MOST_EXPONENT))
    return max(random.gauss(0.0, attributes.scale), 0.0)


def _check(attributes: LatencyDistributionToxic) -> str | None:
    if attributes.distribution not in ("normal", "pareto", "sample"):
        return f"distribution {attributes.distribution!r} is none of normal, pareto, sample"
    if attributes.distribution == "sample" and not attributes.samples:
        return "distribution sample needs samples, a list of milliseconds"
    if attributes.distribution == "pareto" and not attributes.shape > 0:
        return "distribution pareto needs a shape above 0"
    return None


KIND = Kind(attributes=LatencyDistributionToxic, pipe=_pipe, capacity_bytes=32 * 1024 * 1024, check=_check)
