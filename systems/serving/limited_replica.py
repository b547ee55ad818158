"""A replica of known capacity: it answers one request at a time and takes a fixed time for each.

`POST /predict` and `GET /healthz` are as at the ordinary replica, without batching. Its queue is unbounded, and it still works
on requests that the balancer has given up, as most servers do: that is what makes overload and retry storms dangerous. Only a
request with a deadline is not begun if too little time is left when its turn comes.
"""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import msgspec
import torch

from harness.http.batched_server import RequestBatch
from harness.http.message import BadBody, Response
from harness.http.requests import Message
from harness.http.writing import encode_response
from harness.node.context import NodeContext
from systems.serving import artifacts
from systems.serving.batching import TOO_LATE
from systems.serving.begun_rules import Begun
from systems.serving.messages import PredictReply
from systems.serving.model import Classifier
from systems.serving.pixels import row_of


class Config(msgspec.Struct, frozen=True):
    """The node's settings: the replica's, and how long one request takes."""

    folder: str
    weights: str
    service_ms: float


class Server:
    """Answers requests in the order in which they arrive."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        self._node = node
        self._model = Classifier(artifacts.read(Path(config.folder), config.weights))
        self._service_s = config.service_ms / 1e3
        self._turn = asyncio.Lock()
        self._works: set[asyncio.Task[None]] = set()
        self._least_left_s = math.inf
        node.show(lambda: Begun(least_left_s=self._least_left_s, service_s=self._service_s))
        node.report_unsettled(lambda: {"batches under way": len(self._works)})

    def handle(self, batch: RequestBatch) -> None:
        """Queue the batch's requests. They are worked on even if the caller goes away."""
        work = asyncio.get_running_loop().create_task(self._work(batch))
        self._works.add(work)
        work.add_done_callback(self._works.discard)

    def expired(self, batch: RequestBatch) -> bool:
        """Whether an answer that is begun now would come too late."""
        return batch.deadline is not None and batch.deadline.at_s <= self._node.clock() + self._service_s

    async def _work(self, batch: RequestBatch) -> None:
        try:
            for message in batch.messages:
                if message.answer:
                    continue
                match message.head.method, message.head.path:
                    case "POST", "/predict":
                        message.answer = await self._predict(message, batch)
                    case "GET", "/healthz":
                        known = {"node": self._node.name, "model": self._model.fingerprint}
                        message.answer = encode_response(Response.json(known))
                    case _:
                        nothing = Response(404, b"no such route; there are POST /predict and GET /healthz")
                        message.answer = encode_response(nothing)
        finally:
            batch.finish()

    async def _predict(self, message: Message, batch: RequestBatch) -> bytes:
        try:
            row = row_of(message.body)
        except BadBody as error:
            return encode_response(Response(400, f"bad request body: {error}".encode()))
        async with self._turn:
            if self.expired(batch):
                return TOO_LATE
            if batch.deadline is not None:
                self._least_left_s = min(self._least_left_s, batch.deadline.at_s - self._node.clock())
            await asyncio.sleep(self._service_s)
            (answer,) = self._model.predict([row])
        reply = PredictReply(label=answer.label, score=answer.score, model=self._model.fingerprint, node=self._node.name)
        return encode_response(Response.json(reply))


async def main(node: NodeContext) -> None:
    """Load the model, then answer until stopped."""
    torch.set_num_threads(1)
    await node.serve_batches(Server(node, node.config(Config)).handle)
