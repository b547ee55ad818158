"""Predictions while the model is replaced: each image with the answers of both versions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import msgspec

from harness.model.system import Call
from systems.serving import artifacts


@dataclass(frozen=True, kw_only=True)
class VersionedPredictions:
    """Which digit is in this image? Like `Predictions`, with the right answers by the version's fingerprint."""

    def calls(self, random: Random) -> Iterator[Call]:
        """Endless. Raises `UsageError` if `Serving` has not prepared the images."""
        versions = artifacts.versions(artifacts.folder()).values()
        by_image = zip(*(version.answers for version in versions), strict=True)
        expected = [
            msgspec.json.encode(
                {version.fingerprint: answer for version, answer in zip(versions, answers, strict=True)}
            ).decode()
            for answers in by_image
        ]
        while True:
            number = random.randrange(len(expected))
            yield Call(kind="predict", key=str(number), expected=expected[number])
