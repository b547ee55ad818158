"""Batching: the predictions that all connections brought in one turn of the event loop are one pass through the model.

Nobody waits for a batch to fill. While a pass runs, the next requests gather in the sockets: batches grow with the load by
themselves, up to a bound, above which a replica says that it has too much to do.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Final

from harness.http.batched_server import RequestBatch
from harness.http.message import Response
from harness.http.requests import Message
from harness.http.writing import encode_response
from systems.serving.messages import Prediction

MAX_BATCH: Final = 4096
"""Images in one pass at most. What one turn brings beyond that is refused."""

Image = Sequence[float]
Encode = Callable[[Prediction], bytes]
"""Makes the whole HTTP answer out of what the model says."""

TOO_LATE: Final = encode_response(Response(504, b"no time is left before the deadline that came with the request"))
OVERLOADED: Final = encode_response(Response(503, b"too many predictions are waiting", (("retry-after", "1"),)))
_FAILED: Final = encode_response(Response(500, b"internal error; see the node's log"))


class Batcher:
    """Gathers images, and the runs that they came in, which are finished when their images are answered."""

    def __init__(self, predict: Callable[[Sequence[Image]], Sequence[Prediction]], max_batch: int = MAX_BATCH) -> None:
        self._predict = predict
        self._max_batch = max_batch
        self._images: list[Image] = []
        self._asked: list[tuple[Message, Encode]] = []
        self._runs: list[RequestBatch] = []

    def add(self, message: Message, image: Image, encode: Encode) -> None:
        """Answer a message with what the next pass says of an image; at once, with 503, where the batch is full."""
        if len(self._images) >= self._max_batch:
            message.answer = OVERLOADED
        else:
            self._images.append(image)
            self._asked.append((message, encode))

    def finish_with_batch(self, run: RequestBatch) -> None:
        """All that a run asks has been added: finish it after the next pass."""
        if not self._runs:
            asyncio.get_running_loop().call_soon(self._pass)
        self._runs.append(run)

    def _pass(self) -> None:
        images, self._images = self._images, []
        asked, self._asked = self._asked, []
        runs, self._runs = self._runs, []
        late = self._too_late(runs)
        if late:
            kept = [number for number, (message, _) in enumerate(asked) if id(message) not in late]
            images, asked = [images[number] for number in kept], [asked[number] for number in kept]
        if images and not all(run.given_up for run in runs):
            try:
                for (message, encode), prediction in zip(asked, self._predict(images), strict=True):
                    message.answer = encode(prediction)
            except Exception:  # a batch's failure is the answer to its requests, and is in the node's log
                traceback.print_exc(file=sys.stderr)
                for message, _ in asked:
                    message.answer = _FAILED
        for run in runs:
            run.finish()

    def _too_late(self, runs: Sequence[RequestBatch]) -> set[int]:
        """Answer what is past its deadline; which messages these are, by their `id`."""
        now_s = asyncio.get_running_loop().time()
        late: set[int] = set()
        for run in runs:
            if run.deadline is not None and run.deadline.at_s <= now_s:
                for message in run.messages:
                    message.answer = message.answer or TOO_LATE
                    late.add(id(message))
        return late
