"""A replica node: holds the model and answers predictions.

`POST /predict` (see `messages`); `GET /healthz` runs the model on a known image: 200 where its answer is right, else 503.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import torch

from harness.node import Node
from harness.wire import Request, Response
from systems.serving import artifacts
from systems.serving.messages import Prediction, PredictReply, PredictRequest
from systems.serving.model import Classifier

QUIET_S: Final = 0.5
"""A replica that was told to end goes when no prediction was asked of it for this long: balancers see its 503s well before."""

DRAIN_S: Final = 5.0
"""It goes after this long in any case."""

Images = Sequence[Sequence[float]]


class Config(msgspec.Struct, frozen=True):
    """The node's settings: where the artifacts are, and the file name of the weights."""

    folder: str
    weights: str


class Batcher:
    """Gathers the images that arrive in one turn of the event loop and answers them with one pass through the model."""

    def __init__(self, predict: Callable[[Images], list[Prediction]]) -> None:
        self._predict = predict
        self._waiting: list[tuple[Sequence[float], asyncio.Future[Prediction]]] = []

    async def predict(self, image: Sequence[float]) -> Prediction:
        """The model's answer to one image. Raises what the model raised for its batch."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Prediction] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._answer_all)
        self._waiting.append((image, future))
        return await future

    def _answer_all(self) -> None:
        waiting, self._waiting = [(image, future) for image, future in self._waiting if not future.done()], []
        if not waiting:
            return
        try:
            answers = self._predict([image for image, _ in waiting])
        except Exception as error:
            for _, future in waiting:
                future.set_exception(error)
        else:
            for (_, future), answer in zip(waiting, answers, strict=True):
                future.set_result(answer)


class Server:
    """Answers requests, and knows when it may stop."""

    def __init__(self, node: Node, model: Classifier, known: artifacts.Digit) -> None:
        self._node = node
        self._fingerprint = model.fingerprint
        self._known = known
        self._batcher = Batcher(model.predict)
        self._draining = False
        self._last_asked_s = node.clock()

    async def handle(self, request: Request) -> Response:
        match request.method, request.path:
            case "POST", "/predict":
                return await self._predict(request.decode(PredictRequest).pixels)
            case "GET", "/healthz":
                return await self._health()
            case _:
                return Response(404, b"no such route; there are POST /predict and GET /healthz")

    async def drain(self) -> None:
        """Say "not well" to health checks, answer predictions while they still come, return when they stopped coming."""
        self._draining = True
        self._last_asked_s = now_s = self._node.clock()
        deadline_s = now_s + DRAIN_S
        while now_s < min(deadline_s, self._last_asked_s + QUIET_S):
            await asyncio.sleep(min(deadline_s, self._last_asked_s + QUIET_S) - now_s)
            now_s = self._node.clock()

    async def _predict(self, pixels: Sequence[float]) -> Response:
        self._last_asked_s = self._node.clock()
        answer = await self._batcher.predict(pixels)
        reply = PredictReply(label=answer.label, score=answer.score, model=self._fingerprint, node=self._node.name)
        return Response.json(reply)

    async def _health(self) -> Response:
        if self._draining:
            return Response(503, b"draining")
        answer = await self._batcher.predict(self._known.pixels)
        if answer.label != self._known.answer.label:
            return Response(503, f"sees {answer.label} in an image of {self._known.answer.label}".encode())
        return Response.json({"node": self._node.name, "model": self._fingerprint})


async def main(node: Node) -> None:
    """Load the model, then answer until told to end."""
    torch.set_num_threads(1)
    config = node.config(Config)
    folder = Path(config.folder)
    server = Server(node, Classifier(artifacts.read(folder, config.weights)), artifacts.digits(folder)[0])
    try:
        await node.serve(server.handle)
    except asyncio.CancelledError:
        node.log("draining")
        await server.drain()
        raise
