"""The edge of one region: answers its users through its own balancer if possible, or else through another region.

`POST /predict` as in `systems.serving.messages`; with the header `from-region`, for a user of another region.
`GET /status`: where it would send requests, and how many guests it has.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from harness.http.client import HttpClient
from harness.http.message import Headers, Request, Response, TransportError
from harness.node.context import NodeContext
from systems.parts.breaker import Settings, State
from systems.regions.bugs import BUGS
from systems.regions.invariant import Shown, Way
from systems.regions.routing import FAILURE, REFUSALS, Guests, Route, Routes

FROM: Final = "from-region"
TRY_TIMEOUT_S: Final = 0.4
"""How long one region may take: longer than its balancer needs to try a second replica."""

BREAKER: Final = Settings(
    failure_rate=0.5, slow_rate=1.0, slow_s=10.0, window_s=1.0, least_calls=8, open_s=0.5, probes=2, probe_expires_s=1.0
)

_FULL: Final = Response(503, b"full: as many guests as there may be", (("retry-after", "1"),))


class Config(msgspec.Struct, frozen=True):
    """The node's settings."""

    home: str
    guests: int
    bug: str | None = None


class RouteStatus(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    breaker: State
    distance_ms: float | None
    """None until its first answer."""


class EdgeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to `GET /status`."""

    guests: int
    routes: list[RouteStatus]


class NotServed(Exception):
    """A region answered that it cannot serve the request, or failed to."""


class Edge:
    """Sends each request to one region after another until one answers."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        self._rules = BUGS.variant(config.bug)
        self._name = node.name
        self._clock = node.clock
        self._clients = {name: HttpClient(address) for name, address in node.peers.items()}
        ways = {name: Route(name, self._rules.breaker(BREAKER, node.clock)) for name in node.peers}
        self._ways = list(ways.values())
        self._routes = Routes(ways[config.home], [way for way in self._ways if way.name != config.home], self._rules)
        self._guests = Guests(config.guests, self._rules)
        self._under_way = 0
        node.show(
            lambda: Shown(
                now_s=node.clock(),
                settings=BREAKER,
                ways=[
                    Way(
                        name=way.name,
                        breaker=way.breaker,
                        asked=self._clients[way.name].tally,
                        refused=way.refused,
                        distance_s=way.distance_s,
                    )
                    for way in self._ways
                ],
                home=config.home,
                guests=self._guests.inside,
                guests_most=config.guests,
                under_way=self._under_way,
            )
        )
        node.report_unsettled(
            lambda: {
                "requests under way": self._under_way,
                "guests": self._guests.inside,
                "probes under way": sum(way.breaker.probing for way in self._ways),
            }
        )

    async def handle(self, request: Request) -> Response:
        match request.method, request.path:
            case "POST", "/predict":
                self._under_way += 1
                try:
                    return await (self._for_guest(request.body) if FROM in request.headers else self._asked(request.body, []))
                finally:
                    self._under_way -= 1
            case "GET", "/status":
                return Response.json(EdgeStatus(guests=self._guests.inside, routes=[_status(way) for way in self._ways]))
            case _:
                return Response(404, b"no such route; there are POST /predict and GET /status")

    async def _for_guest(self, body: bytes) -> Response:
        if not self._guests.enter():
            return _FULL
        answered = False
        try:
            others = [way.name for way in self._ways if way is not self._routes.home]
            response = await self._asked(body, others if self._rules.travels_once else [])
            answered = response.status == 200
            return response
        finally:
            self._guests.leave(answered=answered)

    async def _asked(self, body: bytes, tried: list[str]) -> Response:
        """The answer of the first region that has one and was not `tried`; 503 if there is none."""
        why = "no region is left to ask"
        while (way := self._routes.choose(tried)) is not None:
            tried.append(way.name)
            try:
                return await self._ask(way, body)
            except (TransportError, NotServed) as error:
                why = f"{way.name}: {error}"
        return Response(503, why.encode())

    async def _ask(self, way: Route, body: bytes) -> Response:
        """The answer of a region. Raises `NotServed` if it refused or failed, and `TransportError` if it did not answer."""
        permit = way.permit()
        if permit is None:
            raise NotServed("its breaker is open")
        headers: Headers = () if way is self._routes.home else ((FROM, self._name),)
        begun_s = self._clock()
        way.asked()
        with permit:
            response = await self._clients[way.name].request("POST", "/predict", body, timeout_s=TRY_TIMEOUT_S, headers=headers)
            refused = response.status in REFUSALS
            if response.status >= FAILURE and not (refused and self._rules.refusals_are_answers):
                raise NotServed(response.body.decode(errors="replace"))
        if refused:
            raise NotServed(response.body.decode(errors="replace"))
        way.answered(self._clock() - begun_s)
        return response


def _status(way: Route) -> RouteStatus:
    known = math.isfinite(way.distance_s)
    return RouteStatus(name=way.name, breaker=way.breaker.state, distance_ms=round(way.distance_s * 1e3, 3) if known else None)


async def main(node: NodeContext) -> None:
    edge = Edge(node, node.config(Config))
    await node.serve(edge.handle)
