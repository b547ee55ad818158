"""Each parameter's gradient as a product of two thin matrices, with error feedback.

Vogels, Karimireddy and Jaggi, "PowerSGD: Practical Low-Rank Gradient Compression for Distributed Optimization", NeurIPS 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.model.errors import UsageError
from systems.training.exchange import TRAINER, Array, Combined, Combining, Given, Layout, State, Sum
from systems.training.exchange._residual import keeping, with_residual


@dataclass(frozen=True, kw_only=True)
class Method:
    """One power iteration a step, from where the last one ended; a rank keeps the error of the product for the next step.

    Two all-reduces: of the gradient times the right factor, and of it times the left one, made orthonormal in between. Biases,
    and everything that would not become smaller, travel uncompressed. Promises that all ranks hold the same bits after each
    step.
    """

    rank: int = 2
    """The number of columns of the thin matrices."""

    repeatable: ClassVar[bool] = False
    trainer: ClassVar[str] = TRAINER
    batches: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise UsageError(f"Training(exchange='powersgd(rank={self.rank})'): at least 1.")

    def combine(self, given: Given) -> Combining:
        gradient = with_residual(given)
        whole, thin = self._split(given.layout)
        matrices = [gradient[part].reshape(shape) for part, shape in thin]
        rights = self._rights(given, [shape for _, shape in thin])
        plain = [*(gradient[part] for part in whole), given.total[-1:]]
        answer = yield Sum(_joined([*plain, *(matrix @ right for matrix, right in zip(matrices, rights, strict=True))]))
        plain_shapes = [part.shape for part in plain]
        sums = _parted(
            answer, [*plain_shapes, *((shape[0], right.shape[1]) for (_, shape), right in zip(thin, rights, strict=True))]
        )
        lefts = [np.linalg.qr(product)[0].astype(np.float32) for product in sums[len(plain) :]]
        own = [matrix.T @ left for matrix, left in zip(matrices, lefts, strict=True)]
        rights = _parted((yield Sum(_joined(own))), [right.shape for right in own]) if own else []
        total, residual = np.zeros(len(gradient) + 1, dtype=np.float32), np.zeros_like(gradient)
        for part, plain_sum in zip(whole, sums, strict=False):
            total[part] = plain_sum
        total[-1:] = sums[len(plain) - 1]
        for (part, _), matrix, left, right, mine in zip(thin, matrices, lefts, rights, own, strict=True):
            total[part] = (left @ right.T).reshape(-1)
            residual[part] = (matrix - left @ mine.T).reshape(-1)
        shared = {f"right{number}": right for number, right in enumerate(rights)}
        return Combined(total=total, state=State(shared=shared, private=keeping(given, residual).private))

    def _split(self, layout: Layout) -> tuple[list[slice], list[tuple[slice, tuple[int, int]]]]:
        """The parameters that travel uncompressed, and those that travel as products, with the shapes of their matrices."""
        whole: list[slice] = []
        thin: list[tuple[slice, tuple[int, int]]] = []
        for part, shape in zip(layout.slices, layout.shapes, strict=True):
            rows, columns = (shape[0], (part.stop - part.start) // shape[0]) if shape else (1, 1)
            if self.rank < min(rows, columns) and self.rank * (rows + columns) < rows * columns:
                thin.append((part, (rows, columns)))
            else:
                whole.append(part)
        return whole, thin

    def _rights(self, given: Given, shapes: list[tuple[int, int]]) -> list[Array]:
        """The right factors of the previous step, or the initial ones, which are the same at all ranks."""
        if known := given.state.shared:
            return [known[f"right{number}"] for number in range(len(shapes))]
        drawn = np.random.default_rng(given.layout.seed)
        return [drawn.standard_normal((columns, self.rank), dtype=np.float32) for _, columns in shapes]


def _joined(parts: list[Array]) -> Array:
    return np.concatenate([part.reshape(-1) for part in parts]).astype(np.float32)


def _parted(numbers: Array, shapes: list[tuple[int, ...]]) -> list[Array]:
    """An array split into arrays of these shapes; copies."""
    found, at = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        found.append(numbers[at : at + size].reshape(shape).copy())
        at += size
    return found
