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
except ImportError:  # the harness was installed without a compiler
    predictions = None  # type: ignore[assignment]

HIDDEN: Final = 64
LABELS: Final = 10
SCORE_DECIMALS: Final = 4

DTYPE: Final = torch.float64
"""Batches sum in another order than single images. In double precision that never changes a rounded score."""


def network() -> nn.Sequential:
    """The untrained network: 64 pixels, one hidden layer, 10 labels."""
    return nn.Sequential(nn.Linear(PIXELS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, LABELS)).to(DTYPE)


def inputs(rows: bytes) -> torch.Tensor:
    """The network's input for images in the format of `pixels`, one after another: shape (images, 64), from 0 to 1."""
    return torch.from_numpy(np.frombuffer(rows).reshape(-1, PIXELS) / BRIGHTEST)


def save(net: nn.Module) -> bytes:
    """The weights as a file."""
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    return file.getvalue()


class Classifier:
    """A trained network that answers."""

    def __init__(self, weights: bytes) -> None:
        self._net = network()
        self._net.load_state_dict(torch.load(io.BytesIO(weights), weights_only=True))
        self._take_layers()
        self._tensors = [(name.encode(), tensor.nbytes) for name, tensor in self._net.state_dict().items()]
        self._memory = memoryview(self.weights())
        self.fingerprint = self._fingerprint()
        """Eight hexadecimal digits that identify the loaded weights."""

    def weights(self) -> bytes:
        """The weights as plain numbers, one tensor after another."""
        return b"".join(tensor.numpy().tobytes() for tensor in self._net.state_dict().values())

    def serve_from(self, memory: memoryview) -> None:
        """Use weights that are stored elsewhere, in the format of `weights`.

        Nothing is copied, so a change of that memory changes the answers.
        """
        own = self._net.state_dict()
        with warnings.catch_warnings(action="ignore"):  # PyTorch warns that the memory is read-only; it is never written to
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
        """One prediction for each image, in one pass through the network. `pixels` makes rows from images."""
        if predictions is None:
            return self.predict_by_torch(rows)
        return predictions(rows, self._memory, Prediction)

    def predict_by_torch(self, rows: list[bytes]) -> list[Prediction]:
        """`predict` with PyTorch's own operations. Each costs microseconds for a network of this size, whatever the batch.

        It calls the layers' operations instead of the modules, whose calls would double the cost for a batch of a few dozen.
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
