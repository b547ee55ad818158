"""Serving with a small, known capacity, so that a drill can offer a multiple of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Self

import msgspec

from harness.model.errors import UsageError
from harness.model.system import Node
from systems.serving import Serving
from systems.serving.bugs import BUGS


@dataclass(frozen=True, kw_only=True)
class LimitedServing(Serving):
    """Serving whose replicas take `service_ms` for each request, one at a time: each answers 1000 / `service_ms` per second."""

    service_ms: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.service_ms) and self.service_ms > 0):
            raise UsageError(f"LimitedServing(service_ms={self.service_ms!r}): must be a number of milliseconds above 0.")

        if self.cache:
            raise UsageError(
                f"LimitedServing(cache={self.cache}): its replicas work on every request. Serving(cache=…) has a cache."
            )

    def varied(self, random: Random) -> Self:
        """As `Serving`, but limits of retries and admission stay, since nothing else bounds the queues of its replicas.

        Deadlines stay, too, since one that is shorter than the service can never be met.
        """
        varied, given = super().varied(random), self.settings
        limits = {"retry_ratio": given.retry_ratio, "overload_ms": given.overload_ms}
        settings = msgspec.structs.replace(varied.settings, **limits)
        return dataclasses.replace(varied, settings=settings, deadline_ms=self.deadline_ms)

    def nodes(self) -> Sequence[Node]:
        return [
            dataclasses.replace(
                node, code=BUGS.variant(self.bug).limited_replica, config={**node.config, "service_ms": self.service_ms}
            )
            if node.replica
            else node
            for node in super().nodes()
        ]
