"""A replica node: asks the feature service for a user's features, through a circuit breaker, and scores them.

`POST /score` (see `messages`), `GET /status`: its breaker. It works on a few requests at once, as a pool of threads or
connections would. A request that waits for features holds one of them, and so other requests wait as well.
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import quote

import msgspec

from harness.http.message import Request, Response, TransportError
from harness.node.context import NodeContext
from systems.featured.asking import TimedClient
from systems.featured.bugs import BUGS
from systems.featured.invariant import Shown
from systems.featured.messages import AVERAGE, FeaturesReply, ScoreReply, ScoreRequest, score_of
from systems.parts.breaker import Breaker, Settings

FEATURES_TIMEOUT_S: Final = 0.25
"""Far longer than the feature service needs, but shorter than a client waits."""


class Config(msgspec.Struct, frozen=True):
    """The node's settings."""

    workers: int
    breaker: Settings
    bug: str | None = None


class FeaturesUnavailable(Exception):
    """The feature service was not asked, or did not answer."""


class Server:
    """Answers requests for scores."""

    def __init__(self, node: NodeContext, features: TimedClient, config: Config) -> None:
        kinds = BUGS.variant(config.bug)
        self._node = node
        self._features = features
        self._breaker: Breaker = kinds.breaker(config.breaker, node.clock)
        self._fallback_source = kinds.fallback_source
        self._exact_is_kept = kinds.exact_is_kept
        self._workers = asyncio.Semaphore(config.workers)
        self._under_way = self._refused = 0
        node.show(
            lambda: Shown(
                now_s=node.clock(),
                breaker=self._breaker,
                settings=config.breaker,
                asked=features.tally,
                workers=config.workers,
                all_busy=self._workers.locked(),
                refused=self._refused,
                under_way=self._under_way,
            )
        )
        node.report_unsettled(
            lambda: {
                "requests under way": self._under_way,
                "probes under way": self._breaker.probing,
                "breakers open": int(self._breaker.state == "open"),
            }
        )

    async def handle(self, request: Request) -> Response:
        match request.method, request.path:
            case "POST", "/score":
                return await self._score(request.decode(ScoreRequest))
            case "GET", "/status":
                return Response.json(self._breaker.status())
            case _:
                return Response(404, b"no such route; there are POST /score and GET /status")

    async def _score(self, asked: ScoreRequest) -> Response:
        self._under_way += 1
        try:
            return await self._scored(asked)
        finally:
            self._under_way -= 1

    async def _scored(self, asked: ScoreRequest) -> Response:
        async with self._workers:
            try:
                reply = ScoreReply(score=score_of(await self._ask(asked.user)), source="features", node=self._node.name)
            except FeaturesUnavailable as error:
                if asked.exact and self._exact_is_kept:
                    return Response(503, f"no exact score: {error}".encode())
                reply = ScoreReply(score=score_of(AVERAGE), source=self._fallback_source, node=self._node.name)
        return Response.json(reply)

    async def _ask(self, user: str) -> tuple[float, ...]:
        permit = self._breaker.allow()
        if permit is None:
            self._refused += 1
            raise FeaturesUnavailable("the circuit breaker is open")
        try:
            with permit:
                response = await self._features.request("GET", f"/features?user={quote(user)}", timeout_s=FEATURES_TIMEOUT_S)
                if response.status != 200:
                    raise FeaturesUnavailable(f"the feature service answered {response.status}")
                return response.decode(FeaturesReply).features
        except TransportError as error:
            raise FeaturesUnavailable(str(error)) from error


async def main(node: NodeContext) -> None:
    config = node.config(Config)
    server = Server(node, TimedClient(node.peers["features"], config.breaker.slow_s), config)
    await node.serve(server.handle)
