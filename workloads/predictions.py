"""Predictions: images of handwritten digits, each with the model's own answer beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from harness.drill import Call
from systems.serving import artifacts
from systems.serving.client import answer_text


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Which digit is in this image? Drawn evenly from scikit-learn's 1,797 images; a call's key is the image's number."""

    def calls(self, random: Random) -> Iterator[Call]:
        """Endless. Raises `UsageError` where `Serving` has not prepared the images."""
        expected = [answer_text(digit.answer) for digit in artifacts.digits(artifacts.folder())]
        while True:
            number = random.randrange(len(expected))
            yield Call(kind="predict", key=str(number), expected=expected[number])
