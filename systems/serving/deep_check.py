"""Known answers for a replica's health check, which also verifies that the weights are still those that were loaded.

Each check runs the model on one of a few images in turn, in a batch with the predictions of that moment: it takes the same path
as predictions, and finds what is wrong with that path. Label and score must be those that were recorded when the version was
made.

But an image shows only faults that change its own answer. Of the single flipped bits that change any prediction, the label of
one image shows 4%, and the labels and scores of eight images 77%. So a replica also compares all its weights with their
fingerprint, which every bit changes: 35 µs for 38 KB, at every check. For weights of gigabytes, each check would verify a part.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from systems.serving import artifacts, pixels
from systems.serving.messages import Prediction

KNOWN_IMAGES: Final = 8


class KnownAnswers:
    """A few images with each version's answers. Weights without recorded answers are checked against the labels only."""

    def __init__(self, folder: Path) -> None:
        digits = artifacts.digits(folder)[:KNOWN_IMAGES]
        self.rows = [pixels.row(digit.pixels) for digit in digits]
        self._labels = [digit.answer.label for digit in digits]
        self._recorded = {version.fingerprint: version.answers for version in artifacts.versions(folder).values()}

    def wrong(self, number: int, answer: Prediction, fingerprint: str) -> str | None:
        """Why an answer to the `number`-th image is not that of the weights with this fingerprint; None if it is."""
        recorded = self._recorded.get(fingerprint)
        label = recorded[number].label if recorded else self._labels[number]
        if answer.label != label:
            return f"sees {answer.label} in an image of {label}"
        if recorded and answer.score != recorded[number].score:
            return f"gives {answer.score} to a {label} that its version gives {recorded[number].score}"
        return None

    def first_wrong(self, answers: Sequence[Prediction], fingerprint: str) -> str | None:
        """The first reason why an answer to any of the images is wrong; None if all are right."""
        return next(filter(None, (self.wrong(number, answer, fingerprint) for number, answer in enumerate(answers))), None)
