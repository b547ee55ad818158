"""Predictions: images of handwritten digits, each with the model's own answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import msgspec

from harness.http.writing import encode_request
from harness.model.system import Address, Call
from systems.serving import artifacts
from systems.serving.client import answer_text
from systems.serving.messages import PredictRequest
from workloads.load.engine.task import Exchange


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Which digit is in this image? Drawn evenly from scikit-learn's 1,797 images; a call's key is the image's number."""

    def calls(self, random: Random) -> Iterator[Call]:
        """Endless. Raises `UsageError` if `Serving` has not prepared the images."""
        expected = [answer_text(digit.answer) for digit in artifacts.digits(artifacts.folder())]
        while True:
            number = random.randrange(len(expected))
            yield Call(kind="predict", key=str(number), expected=expected[number])

    def exchanges(self, entry: Address) -> Sequence[Exchange]:
        """Every image once. Raises `UsageError` as `calls` does."""
        found = []
        for digit in artifacts.digits(artifacts.folder()):
            body = msgspec.json.encode(PredictRequest(digit.pixels))
            request = encode_request("POST", "/predict", host=f"{entry[0]}:{entry[1]}", body=body)
            right = answer_text(digit.answer).removesuffix("}").encode()
            found.append(Exchange(request, (right + b",", right + b"}")))
        return found
