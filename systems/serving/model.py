"""The model: a small fully connected network that reads handwritten digits."""

from __future__ import annotations

import hashlib
import io
import warnings
from typing import Final

import numpy as np
import torch
from torch import nn

from systems.serving.messages import BRIGHTEST, PIXELS, Prediction

try:
    from systems.serving._compiled import predictions
except ImportError:  # there was no compiler where the harness was installed
    predictions = None  # type: ignore[assignment]

HIDDEN: Final = 64
LABELS: Final = 10
SCORE_DECIMALS: Final = 4

DTYPE: Final = torch.float64
"""Sums of a batch are not taken in the order of a single image's. In double precision that never shows in a rounded score."""


def network() -> nn.Sequential:
    """The untrained network: 64 pixels, one hidden layer, 10 labels."""
    return nn.Sequential(nn.Linear(PIXELS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, LABELS)).to(DTYPE)


def inputs(rows: bytes) -> torch.Tensor:
    """Images, one after another as `pixels` has them, as the network takes them: (images, 64), from 0 to 1."""
    return torch.from_numpy(np.frombuffer(rows).reshape(-1, PIXELS) / BRIGHTEST)


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
        self._take_layers()
        self._tensors = [(name.encode(), tensor.nbytes) for name, tensor in self._net.state_dict().items()]
        self._memory = memoryview(self.weights())
        self.fingerprint = self._fingerprint()
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
        self._take_layers()
        self._memory = memory.cast("B")

    def intact(self) -> bool:
        """Whether the weights in memory are, bit for bit, those that were loaded."""
        return self._fingerprint() == self.fingerprint

    def predict(self, rows: list[bytes]) -> list[Prediction]:
        """One prediction an image, in one pass through the network. `pixels` makes rows of images."""
        if predictions is None:
            return self.predict_by_torch(rows)
        return predictions(rows, self._memory, Prediction)

    def predict_by_torch(self, rows: list[bytes]) -> list[Prediction]:
        """The same by PyTorch's own operations. Each costs microseconds for a network of this size, whatever the batch.

        The layers' operations rather than the modules, whose calls cost as much again for a batch of a few dozen.
        """
        hidden = torch.addmm(self._bias_1, inputs(b"".join(rows)), self._weight_1).relu_()
        scores, labels = torch.addmm(self._bias_2, hidden, self._weight_2).softmax(1).max(1)
        rounded = scores.numpy().round(SCORE_DECIMALS)
        return [Prediction(label, score) for label, score in zip(labels.tolist(), rounded.tolist(), strict=True)]

    def _take_layers(self) -> None:
        weight_1, self._bias_1, weight_2, self._bias_2 = self._net.state_dict().values()
        self._weight_1, self._weight_2 = weight_1.t(), weight_2.t()

    def _fingerprint(self) -> str:
        digest, at = hashlib.sha256(), 0
        for name, size in self._tensors:
            digest.update(name)
            digest.update(self._memory[at : at + size])
            at += size
        return digest.hexdigest()[:8]
