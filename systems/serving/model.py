"""The model: a small fully connected network that reads handwritten digits."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import nn

from systems.serving.messages import BRIGHTEST, PIXELS, Prediction

HIDDEN: Final = 64
LABELS: Final = 10
SCORE_DECIMALS: Final = 4

DTYPE: Final = torch.float64
"""Sums of a batch are not taken in the order of a single image's. In double precision that never shows in a rounded score."""

_row: Final = struct.Struct(f"{PIXELS}d").pack
"""An image's pixels as numpy's float64."""


def network() -> nn.Sequential:
    """The untrained network: 64 pixels, one hidden layer, 10 labels."""
    return nn.Sequential(nn.Linear(PIXELS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, LABELS)).to(DTYPE)


def inputs(images: Sequence[Sequence[float]]) -> torch.Tensor:
    """Images as the network takes them: (images, 64), from 0 to 1."""
    pixels = b"".join([_row(*image) for image in images])  # half the time of numpy's own way from lists
    return torch.from_numpy(np.frombuffer(pixels).reshape(-1, PIXELS) / BRIGHTEST)


def save(net: nn.Module) -> bytes:
    """The weights as a file."""
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    return file.getvalue()


class Classifier:
    """A trained network, answering."""

    def __init__(self, weights: bytes) -> None:
        self._net = network()
        self._net.load_state_dict(torch.load(io.BytesIO(weights), weights_only=True))
        self._net.eval()
        self.fingerprint = _fingerprint(self._net)
        """Eight hexadecimal digits that stand for the weights that were loaded."""

    def weights(self) -> bytes:
        """The weights as plain numbers, one tensor after another."""
        return b"".join(tensor.numpy().tobytes() for tensor in self._net.state_dict().values())

    def serve_from(self, memory: memoryview) -> None:
        """Go on with weights that lie elsewhere, as `weights` gives them.

        Nothing is copied, so that what changes there changes the answers.
        """
        own = self._net.state_dict()
        with warnings.catch_warnings(action="ignore"):  # PyTorch warns that it must not be written to, and it is not
            numbers = torch.frombuffer(memory, dtype=DTYPE)
        parts = torch.split(numbers, [tensor.numel() for tensor in own.values()])
        shaped = {name: part.view_as(tensor) for (name, tensor), part in zip(own.items(), parts, strict=True)}
        self._net.load_state_dict(shaped, assign=True)

    def intact(self) -> bool:
        """Whether the weights in memory are, bit for bit, those that were loaded."""
        return _fingerprint(self._net) == self.fingerprint

    def predict(self, images: Sequence[Sequence[float]]) -> list[Prediction]:
        """One prediction an image, in one pass through the network."""
        with torch.inference_mode():
            scores, labels = torch.softmax(self._net(inputs(images)), dim=1).max(dim=1)
        return [
            Prediction(label, round(score, SCORE_DECIMALS))
            for label, score in zip(labels.tolist(), scores.tolist(), strict=True)
        ]


def _fingerprint(net: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in net.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:8]
