"""A replica node: holds the model and answers predictions.

The node keeps the weights in a file of its own, mapped into memory, as serving programs with large models do. So damage to that
file or that memory affects the answers.

`POST /predict` (see `messages`); `GET /healthz` runs the model and verifies its weights (see `deep_check`): 200 if both are
right, else 503. Damaged weights are loaded again from the artifacts, whose digests show that they are intact. Until that
succeeds, every check fails, so that the replica is taken out of service. If it succeeds at once, as usual, wrong answers end
with the first failed check, without an operator.

`POST /reload` with `{"weights": "weights-v2.pt"}`, a file of the artifacts folder: the next batch uses another version. Each
batch, and so each answer, comes from one version, whose fingerprint is in the answer. An invalid file changes nothing: 409.

With a cache (see `prediction_cache`), a repeated request is answered without the model, as long as the model is the same.
Health checks are never answered from the cache. `GET /status` has the cache's counts.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final, cast

import msgspec
import torch

from harness.http.batched_server import RequestBatch
from harness.http.message import BadBody, Response, decoded
from harness.http.plain import framed
from harness.http.requests import Message
from harness.http.writing import encode_response, response_start
from harness.model.errors import HarnessError
from harness.node.context import NodeContext
from systems.serving import artifacts
from systems.serving.batching import Batcher, Encode
from systems.serving.deep_check import KnownAnswers
from systems.serving.messages import Prediction, ServedStatus
from systems.serving.model import Classifier
from systems.serving.pixels import row_of, usual
from systems.serving.prediction_cache import PredictionCache

OWN_WEIGHTS: Final = "weights.bin"
"""The node's file with the weights that it serves."""

QUIET_S: Final = 0.5
"""A replica that was told to stop exits once no prediction has been asked for this long: balancers see its 503s well before."""

DRAIN_S: Final = 5.0
"""It exits after this long in any case."""

_PREDICT: Final = "POST /predict"
MOST_ENCODED: Final = 4096
"""How many different answers it keeps encoded."""

_NO_ROUTE: Final = encode_response(
    Response(404, b"no such route; there are POST /predict, POST /reload, GET /healthz and GET /status")
)
_DRAINING: Final = encode_response(Response(503, b"draining"))
_OK: Final = response_start(200, (("content-type", "application/json"),))


class Config(msgspec.Struct, frozen=True):
    """The node's settings: the artifacts' folder, the file name of the weights, and how many answers are cached."""

    folder: str
    weights: str
    cache: int = 0


class ReloadRequest(msgspec.Struct, frozen=True):
    """Body of `POST /reload`."""

    weights: str


class _End(msgspec.Struct, frozen=True, kw_only=True):
    """The last fields of every answer."""

    model: str
    node: str


class Server:
    """Answers requests, and drains before it stops."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        self._node = node
        self._folder = Path(config.folder)
        self._known = KnownAnswers(self._folder)
        self._checks = itertools.cycle(range(len(self._known.rows)))
        self._encoded: dict[tuple[int, float], bytes] = {}
        """Encoded answers by label and score: most are one of a few hundred."""
        self._cache = PredictionCache(config.cache) if config.cache else None
        self._use(Classifier(artifacts.read(self._folder, config.weights)), config.weights)
        self._batcher = Batcher[bytes](lambda rows: self._model.predict(rows), log=node.log)
        self._draining = False
        node.report_unsettled(lambda: {"batches that wait": self._batcher.waiting})
        self._last_asked_s = node.clock()

    def handle(self, batch: RequestBatch) -> None:
        """Add the batch's predictions to the next pass through the model, and answer everything else."""
        messages = batch.messages
        asked = [message for message in messages if message.head.route == _PREDICT and not message.answer]
        if len(asked) == len(messages) and self._cache is None:
            self._add(asked)
        else:  # one by one: a reload among them applies to those after it
            for message in messages:
                if not message.answer:
                    self._handle_one(message)
        if asked:
            self._last_asked_s = self._node.clock()
        self._batcher.finish_after_pass(batch)

    async def drain(self) -> None:
        """Fail health checks, but keep answering predictions; return when they stop coming."""
        self._draining = True
        self._last_asked_s = now_s = self._node.clock()
        deadline_s = now_s + DRAIN_S
        while now_s < min(deadline_s, self._last_asked_s + QUIET_S):
            await asyncio.sleep(min(deadline_s, self._last_asked_s + QUIET_S) - now_s)
            now_s = self._node.clock()

    def _add(self, messages: Sequence[Message]) -> None:
        rows = [usual(message.body) for message in messages]
        if None in rows:
            for message in messages:
                self._add_one(message)
        else:
            self._batcher.add_all(messages, cast(list[bytes], rows), self._encode)

    def _handle_one(self, message: Message) -> None:
        match message.head.route:
            case "POST /predict":
                self._add_one(message)
            case "GET /healthz" if self._draining:
                message.answer = _DRAINING
            case "GET /healthz":
                self._check_health(message)
            case "GET /status":
                message.answer = encode_response(Response.json(self._status()))
            case "POST /reload":
                message.answer = encode_response(self._reload(message.body))
            case _:
                message.answer = _NO_ROUTE

    def _add_one(self, message: Message) -> None:
        encode: Encode = self._encode
        cache, body = self._cache, message.body
        if cache is not None:
            message.answer = cache.get(body) or b""
            if message.answer:
                return
            encode = partial(self._encode_and_keep, cache, body)
        try:
            self._batcher.add(message, usual(body) or row_of(body), encode)
        except BadBody as error:
            message.answer = encode_response(Response(400, f"bad request body: {error}".encode()))

    def _reload(self, body: bytes) -> Response:
        try:
            name = decoded(body, ReloadRequest).weights
        except BadBody as error:
            return Response(400, f"bad request body: {error}".encode())
        try:
            model = Classifier(_weights(self._folder, name))
            why = self._known.first_wrong(model.predict(self._known.rows), model.fingerprint)
            if why is None:
                self._use(model, name)
        except Exception as error:  # a broken file can make PyTorch raise anything
            why = f"{type(error).__name__}: {error}".partition("\n")[0]
        if why is not None:
            self._node.log(f"does not load {name!r}: {why}")
            return Response(409, f"{name!r} is not loaded, {self._model.fingerprint} stays: {why}".encode())
        self._node.log(f"loaded {name}: {model.fingerprint}")
        return self._identity()

    def _use(self, model: Classifier, weights: str) -> None:
        self._node.disk.replace(OWN_WEIGHTS, model.weights())
        model.serve_from(self._node.disk.map(OWN_WEIGHTS))
        self._model, self._weights = model, weights
        self._cache = self._next_cache()
        self._encoded.clear()
        self._end = b"," + msgspec.json.encode(_End(model=model.fingerprint, node=self._node.name))[1:]

    def _next_cache(self) -> PredictionCache | None:
        """The cache of the next model: never the same one, see `prediction_cache`."""
        return None if self._cache is None else self._cache.successor()

    def _check_health(self, message: Message) -> None:
        number = next(self._checks)
        self._batcher.add(message, self._known.rows[number], partial(self._encode_health, number))

    def _repair(self) -> None:
        """Load the weights again from the artifacts: the node's own file is as damaged as the memory that maps it."""
        try:
            self._use(Classifier(_weights(self._folder, self._weights)), self._weights)
        except (HarnessError, OSError) as error:
            self._node.log(f"its weights have changed, and cannot be loaded again: {error}")
        else:
            self._node.log(f"its weights had changed; loaded {self._weights} again: {self._model.fingerprint}")

    def _identity(self) -> Response:
        return Response.json({"node": self._node.name, "model": self._model.fingerprint})

    def _status(self) -> ServedStatus:
        cache = None if self._cache is None else self._cache.status()
        return ServedStatus(node=self._node.name, model=self._model.fingerprint, cache=cache)

    def _encode(self, answer: Prediction) -> bytes:
        """Encode a `PredictReply`, whose last fields are the same in every answer."""
        key = answer.label, answer.score
        encoded = self._encoded.get(key)
        if encoded is None:
            if len(self._encoded) >= MOST_ENCODED:
                self._encoded.clear()
            encoded = self._encoded[key] = framed(_OK, [msgspec.json.encode(answer)[:-1] + self._end])
        return encoded

    def _encode_and_keep(self, cache: PredictionCache, body: bytes, answer: Prediction) -> bytes:
        encoded = self._encode(answer)
        cache.keep(body, encoded)
        return encoded

    def _encode_health(self, number: int, answer: Prediction) -> bytes:
        if not self._model.intact():
            self._repair()
            return encode_response(Response(503, b"its weights had changed by themselves"))
        why = self._known.wrong(number, answer, self._model.fingerprint)
        return encode_response(self._identity() if why is None else Response(503, why.encode()))


def _weights(folder: Path, name: str) -> bytes:
    found = artifacts.manifest(folder)
    if found is not None and name not in found.sha256:
        raise HarnessError(f"there is no such file; there are {', '.join(sorted(found.sha256))}")
    return artifacts.read(folder, name)


async def serve_undrained(node: NodeContext, kind: type[Server]) -> None:
    """Answer with a server of this kind until stopped, then exit at once: for known-bad variants."""
    torch.set_num_threads(1)
    await node.serve_batches(kind(node, node.config(Config)).handle)


async def main(node: NodeContext) -> None:
    """Load the model, then answer until stopped."""
    torch.set_num_threads(1)
    server = Server(node, node.config(Config))
    try:
        await node.serve_batches(server.handle)
    except asyncio.CancelledError:
        node.log("draining")
        await server.drain()
        raise
