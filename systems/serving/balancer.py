"""The balancer node: forwards each prediction to a healthy replica.

`POST /predict` (see `messages`), `GET /status`: its view of the replicas.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import msgspec

from harness.http.batched_server import RequestBatch
from harness.http.client import HttpClient
from harness.http.message import Response
from harness.http.writing import encode_response
from harness.node.context import NodeContext
from systems.serving.bugs import BUGS
from systems.serving.invariant import Shown
from systems.serving.messages import BalancerStatus
from systems.serving.settings import Settings

START_GRACE_S: Final = 3.0
"""A balancer takes requests once every replica has passed health checks and is up, or after this long."""

_PREDICT: Final = "POST /predict"
_NO_ROUTE: Final = Response(404, b"no such route; there are POST /predict and GET /status")


class Config(msgspec.Struct, frozen=True):
    """The node's settings."""

    bug: str | None
    settings: Settings


async def main(node: NodeContext) -> None:
    """Check the replicas and answer requests. If the checker dies, so does the balancer: better dead than blind."""
    config = node.config(Config)
    kinds, settings = BUGS.variant(config.bug), config.settings
    pool = kinds.pool(list(node.peers), settings, node.random)
    overload_s = None if settings.overload_ms is None else settings.overload_ms / 1e3
    admission = kinds.admission(overload_s)
    retry_budget = kinds.retry_budget(settings.retry_ratio, settings.retries_per_s)
    clock = asyncio.get_running_loop().time
    checker = kinds.checker(pool, {name: HttpClient(address) for name, address in node.peers.items()}, node.log, node.random)
    hedge_s = None if settings.hedge_ms is None else settings.hedge_ms / 1e3
    dispatcher = kinds.dispatcher(pool, node.peers, node.log, admission, retry_budget, hedge_s)

    def status() -> Response:
        return Response.json(
            BalancerStatus(
                replicas=pool.status(clock()),
                limit=admission.limit,
                turned_away=admission.refused,
                retries=retry_budget.spent,
                retries_refused=retry_budget.refused,
                hedges=dispatcher.hedges,
            )
        )

    def handle(batch: RequestBatch) -> None:
        predictions = [message for message in batch.messages if message.head.route == _PREDICT and not message.answer]
        if len(predictions) < len(batch.messages):
            for message in batch.messages:
                match message.head.route:
                    case route if message.answer or route == _PREDICT:
                        pass
                    case "GET /status":
                        message.answer = encode_response(status())
                    case _:
                        message.answer = encode_response(_NO_ROUTE)
        if predictions:
            gatherer.add(batch, predictions)
        else:
            batch.finish()

    gatherer = kinds.gatherer(dispatcher.predict, node.log, (settings.gather_ms or 0) / 1e3)
    node.show(
        lambda: Shown(
            now_s=clock(),
            settings=settings,
            pool=pool,
            dispatcher=dispatcher,
            gatherer=gatherer,
            admission=admission,
            retry_budget=retry_budget,
            checker=checker,
        )
    )
    node.report_unsettled(
        lambda: {
            "requests admitted": dispatcher.outstanding,
            "groups under way": gatherer.under_way,
            **pool.unsettled(),
        }
    )

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(checker.run())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_GRACE_S):
                await checker.all_up_once()
        await node.serve_batches(handle)
