"""A replica node: holds the model and answers predictions.

`POST /predict` (see `messages`); `GET /healthz` runs the model on a known image: 200 where its answer is right, else 503.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import msgspec
import torch

from harness.node import Node
from harness.pipelining import Message, Run
from harness.wire import Response, encode_response
from systems.serving import artifacts
from systems.serving.batching import Batcher
from systems.serving.messages import Prediction, PredictRequest
from systems.serving.model import Classifier

QUIET_S: Final = 0.5
"""A replica that was told to end goes when no prediction was asked of it for this long: balancers see its 503s well before."""

DRAIN_S: Final = 5.0
"""It goes after this long in any case."""

_NO_ROUTE: Final = encode_response(Response(404, b"no such route; there are POST /predict and GET /healthz"))
_DRAINING: Final = encode_response(Response(503, b"draining"))
_OK: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
_decode: Final = msgspec.json.Decoder(PredictRequest).decode


class Config(msgspec.Struct, frozen=True):
    """The node's settings: where the artifacts are, and the file name of the weights."""

    folder: str
    weights: str


class _End(msgspec.Struct, frozen=True, kw_only=True):
    """How every answer ends."""

    model: str
    node: str


class Server:
    """Answers requests, and knows when it may stop."""

    def __init__(self, node: Node, model: Classifier, known: artifacts.Digit) -> None:
        self._node = node
        self._model = model
        self._end = b"," + msgspec.json.encode(_End(model=model.fingerprint, node=node.name))[1:]
        self._known = known
        self._batcher = Batcher(model.predict)
        self._draining = False
        self._last_asked_s = node.clock()

    def handle(self, run: Run) -> None:
        """Take what the run asks for into the next batch."""
        add, encode = self._batcher.add, self._encode
        for message in run.messages:
            head = message.head
            if head.path == "/predict" and head.method == "POST":
                try:
                    add(message, _decode(message.body).pixels, encode)
                except msgspec.MsgspecError as error:
                    message.answer = encode_response(Response(400, f"bad request body: {error}".encode()))
                self._last_asked_s = self._node.clock()
            elif not message.answer:
                self._handle_other(message)
        self._batcher.finish_with_batch(run)

    async def drain(self) -> None:
        """Say "not well" to health checks, answer predictions while they still come, return when they stopped coming."""
        self._draining = True
        self._last_asked_s = now_s = self._node.clock()
        deadline_s = now_s + DRAIN_S
        while now_s < min(deadline_s, self._last_asked_s + QUIET_S):
            await asyncio.sleep(min(deadline_s, self._last_asked_s + QUIET_S) - now_s)
            now_s = self._node.clock()

    def _handle_other(self, message: Message) -> None:
        match message.head.method, message.head.path:
            case "GET", "/healthz":
                if self._draining:
                    message.answer = _DRAINING
                else:
                    self._batcher.add(message, self._known.pixels, self._encode_health)
            case _:
                message.answer = _NO_ROUTE

    def _encode(self, answer: Prediction) -> bytes:
        """As `PredictReply`, whose last fields are the same in every answer."""
        body = msgspec.json.encode(answer)[:-1] + self._end
        return _OK % (len(body), body)

    def _encode_health(self, answer: Prediction) -> bytes:
        if answer.label != self._known.answer.label:
            return encode_response(Response(503, f"sees {answer.label} in an image of {self._known.answer.label}".encode()))
        return encode_response(Response.json({"node": self._node.name, "model": self._model.fingerprint}))


async def main(node: Node) -> None:
    """Load the model, then answer until told to end."""
    torch.set_num_threads(1)
    config = node.config(Config)
    folder = Path(config.folder)
    server = Server(node, Classifier(artifacts.read(folder, config.weights)), artifacts.digits(folder)[0])
    try:
        await node.serve_runs(server.handle)
    except asyncio.CancelledError:
        node.log("draining")
        await server.drain()
        raise
