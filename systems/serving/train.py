"""Trains the model on scikit-learn's digits and writes the artifacts to a folder: `python -m systems.serving.train FOLDER`.

Every step is seeded, so the same libraries on the same machine make the same files.
"""

from __future__ import annotations

import copy
import fcntl
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec
import torch
from sklearn.datasets import load_digits
from torch import nn

from harness.model.errors import HarnessError
from harness.node.disk import Disk
from systems.serving import artifacts, model, pixels

SEED: Final = 20
EPOCHS: Final = 25
STALE_EPOCHS: Final = 8
V2_EPOCHS: Final = 35
BATCH: Final = 32
LEARNING_RATE: Final = 0.003
HELD_OUT: Final = 0.2
"""The share of images that is held out from training."""

LEAST_ACCURACY: Final = 0.95


def train(images: torch.Tensor, labels: torch.Tensor, epochs: Collection[int]) -> dict[int, nn.Sequential]:
    """A network after each of these numbers of epochs, fitted with Adam (Kingma, Ba 2015) on shuffled mini-batches.

    Images are (n, 64), labels (n,).
    """
    torch.manual_seed(SEED)
    net = model.network()
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    nets: dict[int, nn.Sequential] = {}
    for epoch in range(1, max(epochs) + 1):
        for rows in torch.split(torch.randperm(len(images)), BATCH):
            optimizer.zero_grad()
            torch.autograd.backward(nn.functional.cross_entropy(net(images[rows]), labels[rows]))
            optimizer.step()
        if epoch in epochs:
            nets[epoch] = copy.deepcopy(net)
    return nets


def make() -> tuple[dict[str, bytes], float]:
    """Every artifact by file name, and the model's accuracy. Raises `HarnessError` if the accuracy is too low."""
    bunch = load_digits()
    images, labels = model.inputs(bunch.data.tobytes()), torch.from_numpy(bunch.target)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(SEED))
    held_out, seen = order[: round(HELD_OUT * len(order))], order[round(HELD_OUT * len(order)) :]
    nets = train(images[seen], labels[seen], (EPOCHS, STALE_EPOCHS, V2_EPOCHS))
    weights, stale, next_weights = (model.save(nets[epochs]) for epochs in (EPOCHS, STALE_EPOCHS, V2_EPOCHS))
    versions = {"v1": _version(weights, bunch.data.tolist()), "v2": _version(next_weights, bunch.data.tolist())}
    answers = versions["v1"].answers
    accuracy = sum(answers[row].label == int(labels[row]) for row in held_out.tolist()) / len(held_out)
    if not accuracy >= LEAST_ACCURACY:
        raise HarnessError(f"The trained model is right on {accuracy:.1%} of unseen digits; {LEAST_ACCURACY:.0%} is the least.")
    digits = [artifacts.Digit(pixels=image, answer=answer) for image, answer in zip(bunch.data.tolist(), answers, strict=True)]
    files = {
        artifacts.WEIGHTS: weights,
        artifacts.STALE_WEIGHTS: stale,
        artifacts.V2_WEIGHTS: next_weights,
        artifacts.BAD_V2_WEIGHTS: model.save(_off_by_one(nets[V2_EPOCHS])),
        artifacts.DIGITS: msgspec.json.encode(digits),
        artifacts.VERSIONS: msgspec.json.encode(versions),
    }
    return files, accuracy


def _version(weights: bytes, images: list[list[float]]) -> artifacts.Version:
    classifier = model.Classifier(weights)
    return artifacts.Version(fingerprint=classifier.fingerprint, answers=classifier.predict(list(map(pixels.row, images))))


def _off_by_one(net: nn.Sequential) -> nn.Sequential:
    """The network with its labels shifted by one, as after a mistake in the order of the classes."""
    with torch.no_grad():
        for parameter in net[-1].parameters():
            parameter.copy_(parameter.roll(1, dims=0))
    return net


def main(folder: Path) -> None:
    """Fill the folder, unless another process has done so in the meantime."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if artifacts.manifest(folder) is not None:
            return
        files, accuracy = make()
        disk = Disk(folder)
        for name, data in files.items():
            disk.replace(name, data)
        disk.replace(artifacts.MANIFEST, msgspec.json.encode(artifacts.manifest_of(files, accuracy)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
