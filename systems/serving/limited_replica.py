"""A replica of known capacity: it answers one request after another and takes a fixed time for each.

`POST /predict` and `GET /healthz` as the ordinary replica has them, without batching. Its queue has no bound, and what the
balancer has given up is still worked on, as most servers do: that is what makes overload and retry storms dangerous.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import torch

from harness.node import Node
from harness.wire import Request, Response
from systems.serving import artifacts
from systems.serving.messages import PredictReply, PredictRequest
from systems.serving.model import Classifier


class Config(msgspec.Struct, frozen=True):
    """The node's settings: as the replica's, and how long one request takes."""

    folder: str
    weights: str
    service_ms: float


class Server:
    """Answers requests in the order of their arrival."""

    def __init__(self, node: Node, model: Classifier, service_s: float) -> None:
        self._name = node.name
        self._model = model
        self._service_s = service_s
        self._turn = asyncio.Lock()
        self._works: set[asyncio.Task[Response]] = set()

    async def handle(self, request: Request) -> Response:
        match request.method, request.path:
            case "POST", "/predict":
                work = asyncio.create_task(self._work(request.decode(PredictRequest)))
                self._works.add(work)
                work.add_done_callback(self._works.discard)
                return await asyncio.shield(work)  # a caller that has gone does not end it
            case "GET", "/healthz":
                return Response.json({"node": self._name, "model": self._model.fingerprint})
            case _:
                return Response(404, b"no such route; there are POST /predict and GET /healthz")

    async def _work(self, request: PredictRequest) -> Response:
        async with self._turn:
            await asyncio.sleep(self._service_s)
            (answer,) = self._model.predict([request.pixels])
        reply = PredictReply(label=answer.label, score=answer.score, model=self._model.fingerprint, node=self._name)
        return Response.json(reply)


async def main(node: Node) -> None:
    """Load the model, then answer until told to end."""
    torch.set_num_threads(1)
    config = node.config(Config)
    model = Classifier(artifacts.read(Path(config.folder), config.weights))
    await node.serve(Server(node, model, config.service_ms / 1e3).handle)
