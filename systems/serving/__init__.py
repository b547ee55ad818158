"""Serving: a load balancer in front of replicas, each with a small PyTorch model that reads handwritten digits."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar, Self

import msgspec

from harness import roots
from harness.http.deadlines import LONGEST_MS
from harness.model.errors import HarnessError, UsageError
from harness.model.simulated import Invariant
from harness.model.system import Address, Client, Node
from systems.serving import artifacts
from systems.serving.bugs import BUGS
from systems.serving.client import PredictClient
from systems.serving.invariant import BalancersKeepTheirRules
from systems.serving.settings import STRATEGIES, Settings

__all__ = ["BUGS", "Serving", "Settings"]

_BALANCER = "balancer"


@dataclass(frozen=True, kw_only=True)
class Serving:
    """Replicated predictions: two choices, health checks, ejection, budgeted retries on another replica, load shedding.

    The balancer asks the less busy of two random replicas among `r1`, `r2`, …, leaves out those that do not answer, and asks
    another one if one fails. Faults choose among the replicas; they hit the balancer only if it is named. Answers carry no
    checksum: a link that flips bits can change them.
    """

    bugs: ClassVar = BUGS

    replicas: int = 3
    settings: Settings = Settings()  # noqa: RUF009 - frozen
    """How the balancer decides."""
    bug: str | None = None
    """The name of a known bug in the balancer, the replicas or deploys."""
    deadline_ms: int | Sequence[int] | None = None
    """How long an answer is of use to clients, which they send with each request; None: they send no deadline. Of several, each
    client has one, in turn."""
    cache: int = 0
    """How many answers each replica caches, by the bytes of the request; 0: none."""

    def __post_init__(self) -> None:
        if self.replicas < 1:
            raise UsageError(f"Serving(replicas={self.replicas!r}): a whole number of replicas, at least one.")
        BUGS.variant(self.bug)
        if self.cache < 0:
            raise UsageError(f"Serving(cache={self.cache!r}): a whole number of answers, at least 0.")
        if not all(0 < one <= LONGEST_MS for one in self._deadlines_ms()):
            raise UsageError(
                f"Serving(deadline_ms={self.deadline_ms!r}): milliseconds from 1 to {LONGEST_MS}, one or several, or None."
            )

    def nodes(self) -> Sequence[Node]:
        names = [f"r{number}" for number in range(1, self.replicas + 1)]
        folder, last_weights = str(artifacts.folder()), BUGS.variant(self.bug).last_weights
        weights = [artifacts.WEIGHTS] * (self.replicas - 1) + [last_weights]
        replicas = [
            Node(
                name=name, code=BUGS.variant(self.bug).replica, config={"folder": folder, "weights": file, "cache": self.cache}
            )
            for name, file in zip(names, weights, strict=True)
        ]
        return [
            *replicas,
            Node(
                name=_BALANCER,
                code="systems.serving.balancer",
                peers=tuple(names),
                config={"bug": self.bug, "settings": msgspec.to_builtins(self.settings)},
                replica=False,
            ),
        ]

    def entries(self) -> Sequence[str]:
        return [_BALANCER]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return PredictClient(artifacts.folder(), entries[_BALANCER], self.deadline_of(index))

    def deadline_of(self, client: int) -> int | None:
        """The deadline that a client sends, in milliseconds."""
        deadlines_ms = self._deadlines_ms()
        return deadlines_ms[client % len(deadlines_ms)] if deadlines_ms else None

    def _deadlines_ms(self) -> Sequence[int]:
        if self.deadline_ms is None:
            return ()
        return (self.deadline_ms,) if isinstance(self.deadline_ms, int) else tuple(self.deadline_ms)

    def varied(self, random: Random) -> Self:
        """More replicas, another strategy to choose one, clients with different deadlines, and parts of the balancer switched
        off, faster or slower."""
        given, breaker = self.settings, self.settings.breaker or Settings().breaker
        settings = msgspec.structs.replace(
            given,
            strategy=random.choice(STRATEGIES),
            ejection_ms=random.choice((given.ejection_ms, 0.0, 50.0, 1000.0)),
            longest_ejection_ms=random.choice((given.longest_ejection_ms, 500.0)),
            slow_start_ms=random.choice((given.slow_start_ms, 0.0, 2000.0)),
            retry_ratio=random.choice((given.retry_ratio, 0.0, 1.0, None)),
            overload_ms=random.choice((given.overload_ms, given.overload_ms, None)),
            hedge_ms=random.choice((given.hedge_ms, None, 0.0, 20.0)),
            breaker=random.choice((given.breaker, breaker and breaker.varied(random), None if given.breaker else breaker)),
        )
        return replace(
            self,
            replicas=self.replicas + random.choice((0, 0, 1, 2)),
            settings=settings,
            cache=random.choice((1, 8, self.cache)) if self.cache else 0,
            deadline_ms=random.choice((self.deadline_ms, self.deadline_ms, self.deadline_ms, (30, 1000))),
        )

    def invariant(self) -> Invariant:
        return BalancersKeepTheirRules()

    def missing(self) -> str | None:
        library = artifacts.missing_library()
        return library and f"Serving needs {library}, which is not installed: pip install 'distributed-ml-harness[serving]'"

    def preload(self) -> Sequence[str]:
        return ["torch"]

    def prepare(self) -> None:
        """Train the model if that has not been done: a few seconds, once per machine.

        It runs in a process of its own, so that this one need not import PyTorch. Raises `UsageError` if a library is missing
        or the cache folder cannot be written, `HarnessError` if training fails.
        """
        lacks = self.missing()
        if lacks is not None:
            raise UsageError(lacks)
        folder = artifacts.folder()
        if artifacts.manifest(folder) is not None:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"The trained model cannot be kept in {folder}: {error.strerror}. Set XDG_CACHE_HOME to a folder that can be"
                " written."
            ) from error
        trained = subprocess.run(
            [*roots.program("systems.serving.train"), str(folder)],
            env=roots.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if trained.returncode != 0:
            last = (trained.stderr.strip().splitlines() or ["(it said nothing)"])[-1]
            raise HarnessError(f"Training the model for Serving ended with code {trained.returncode}: {last}")
