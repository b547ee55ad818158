"""Batching: all predictions that arrive in one turn of the event loop, over any connection, make one pass through the model.

No pass waits for more requests. While one runs, the next requests queue in the sockets, so passes grow with the load, up to a
bound. Beyond it a replica refuses requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Final, Generic, TypeVar

from harness.http.batched_server import RequestBatch
from harness.http.logs import Log, log_exception, to_stderr
from harness.http.message import INTERNAL_ERROR, Response
from harness.http.requests import Message
from harness.http.writing import encode_response
from systems.serving.messages import Prediction

MAX_BATCH: Final = 4096
"""The most images of one pass. Requests beyond that in one turn are refused."""

Image = TypeVar("Image")
Encode = Callable[[Prediction], bytes]
"""Encodes the response for a prediction."""

TOO_LATE: Final = encode_response(Response(504, b"no time is left before the deadline that came with the request"))
OVERLOADED: Final = encode_response(Response(503, b"too many predictions are waiting", (("retry-after", "1"),)))
_FAILED: Final = encode_response(INTERNAL_ERROR)


class Batcher(Generic[Image]):
    """Collects images for the next pass, and finishes their request batches after it."""

    def __init__(
        self,
        predict: Callable[[list[Image]], Sequence[Prediction]],
        max_batch: int = MAX_BATCH,
        log: Log = to_stderr,
    ) -> None:
        self._predict = predict
        self._max_batch = max_batch
        self._log = log
        self._images: list[Image] = []
        self._asked: list[tuple[Message, Encode]] = []
        self._batches: list[RequestBatch] = []

    def add(self, message: Message, image: Image, encode: Encode) -> None:
        """Answer a message with the next pass's prediction for its image, or at once with 503 if the pass is full."""
        if len(self._images) >= self._max_batch:
            message.answer = OVERLOADED
        else:
            self._images.append(image)
            self._asked.append((message, encode))

    def add_all(self, messages: Sequence[Message], images: Sequence[Image], encode: Encode) -> None:
        """Add several messages, each with its own image."""
        room = self._max_batch - len(self._images)
        for message in messages[room:]:
            message.answer = OVERLOADED
        self._images += images[:room]
        self._asked += zip(messages[:room], repeat(encode))

    def finish_after_pass(self, batch: RequestBatch) -> None:
        """Finish a request batch after the next pass. All its images have been added."""
        if not self._batches:
            asyncio.get_running_loop().call_soon(self._pass)
        self._batches.append(batch)

    @property
    def waiting(self) -> int:
        """How many request batches wait for the next pass."""
        return len(self._batches)

    def _pass(self) -> None:
        images, self._images = self._images, []
        asked, self._asked = self._asked, []
        batches, self._batches = self._batches, []
        late = self._too_late(batches)
        if late:
            kept = [number for number, (message, _) in enumerate(asked) if id(message) not in late]
            images, asked = [images[number] for number in kept], [asked[number] for number in kept]
        if images:
            try:
                for (message, encode), prediction in zip(asked, self._predict(images), strict=True):
                    message.answer = encode(prediction)
            except Exception as error:  # if a pass fails, its requests are answered with the failure
                log_exception(self._log, error)
                for message, _ in asked:
                    message.answer = _FAILED
        for batch in batches:
            batch.finish()

    def _too_late(self, batches: Sequence[RequestBatch]) -> set[int]:
        """Answer the messages that are past their deadline; returns their `id`s."""
        now_s = asyncio.get_running_loop().time()
        late: set[int] = set()
        for batch in batches:
            if batch.deadline is not None and batch.deadline.at_s <= now_s:
                for message in batch.messages:
                    message.answer = message.answer or TOO_LATE
                    late.add(id(message))
        return late
