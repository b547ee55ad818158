"""Known-bad variants of Serving. Each deviates from the correct code in one visible way, written beside its name."""

from __future__ import annotations

import asyncio
import difflib
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from harness.errors import UsageError
from harness.wire import Client, Response
from systems.serving.artifacts import STALE_WEIGHTS, WEIGHTS
from systems.serving.dispatch import Dispatcher
from systems.serving.health import CHECK_TIMEOUT_S, HealthChecker
from systems.serving.policy import Pool, Replica


class _SameReplicaRetry(Pool):
    def choose(self, tried: Collection[str] = ()) -> str | None:
        return next(iter(tried)) if tried else super().choose()


class _IgnoresHealth(Pool):
    def _take_down(self, replica: Replica) -> bool:
        return False


class _NeverRecovers(Pool):
    def check_passed(self, name: str) -> bool:
        return False


class _DeadChecker(HealthChecker):
    async def run(self) -> None:
        self._unwatched = asyncio.create_task(super().run())
        await asyncio.Event().wait()

    async def check(self, name: str) -> str | None:
        response = await self._clients[name].request("GET", "/healthz", timeout_s=CHECK_TIMEOUT_S)
        return None if response.status == 200 else f"answered {response.status}"


class _SwappedAnswers(Dispatcher):
    def __init__(self, pool: Pool, clients: Mapping[str, Client], log: Callable[[str], None]) -> None:
        super().__init__(pool, clients, log)
        self._asked: deque[asyncio.Future[Response]] = deque()

    async def predict(self, body: bytes) -> Response:
        mine: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._asked.append(mine)
        answer = await super().predict(body)
        self._asked.popleft().set_result(answer)  # whoever asked first, not who asked this
        return await mine


class _CollidingCache(Dispatcher):
    def __init__(self, pool: Pool, clients: Mapping[str, Client], log: Callable[[str], None]) -> None:
        super().__init__(pool, clients, log)
        self._cache: dict[bytes, Response] = {}

    async def predict(self, body: bytes) -> Response:
        key = body[:40]  # the image's first pixels
        if key not in self._cache:
            self._cache[key] = await super().predict(body)
        return self._cache[key]


class _NoTimeout(Dispatcher):
    TRY_TIMEOUT_S = 3600


class _NoRetry(Dispatcher):
    MAX_TRIES = 1


class _DropsOnRetry(Dispatcher):
    async def ask(self, name: str, body: bytes, *, tries_before: int) -> Response:
        return await super().ask(name, b"" if tries_before else body, tries_before=tries_before)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The classes that the balancer is made of, and the weights of the last replica."""

    summary: str
    pool: type[Pool] = Pool
    checker: type[HealthChecker] = HealthChecker
    dispatcher: type[Dispatcher] = Dispatcher
    last_weights: str = WEIGHTS


CORRECT: Final = Variant(summary="as it should be")

VARIANTS: Final[Mapping[str, Variant]] = {
    "same-replica-retry": Variant(summary="a failed request is retried on the same replica", pool=_SameReplicaRetry),
    "ignores-health": Variant(summary="requests go to replicas that are down, too", pool=_IgnoresHealth),
    "never-recovers": Variant(summary="a replica that went down never comes up again", pool=_NeverRecovers),
    "dead-checker": Variant(summary="the health checker dies at its first error, and nobody notices", checker=_DeadChecker),
    "swapped-answers": Variant(
        summary="answers are handed out in the order of asking, not of arriving", dispatcher=_SwappedAnswers
    ),
    "colliding-cache": Variant(summary="answers are cached by the first pixels of the image", dispatcher=_CollidingCache),
    "no-timeout": Variant(summary="a request waits for its replica for ever", dispatcher=_NoTimeout),
    "no-retry": Variant(summary="a failed request is not retried", dispatcher=_NoRetry),
    "drops-on-retry": Variant(summary="a retried request has lost its body", dispatcher=_DropsOnRetry),
    "stale-model": Variant(summary="the last replica has an older model", last_weights=STALE_WEIGHTS),
}

BUGS: Final[Mapping[str, str]] = {name: variant.summary for name, variant in VARIANTS.items()}
"""What is wrong in each variant, by its name, for `Serving(bug=…)`."""


def variant(bug: str | None) -> Variant:
    """The variant of that name, or the correct one. Raises `UsageError` where there is none."""
    if bug is None:
        return CORRECT
    if bug not in VARIANTS:
        close = difflib.get_close_matches(bug, VARIANTS, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(VARIANTS)}."
        raise UsageError(f"Serving has no bug called {bug!r}. {hint}")
    return VARIANTS[bug]
