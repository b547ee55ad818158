"""Broken methods of exchange, each wrong in one way, made from a correct one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from systems.training.exchange import Array, Combined, Combining, Gather, Given, Method, State
from systems.training.exchange._residual import RESIDUAL
from systems.training.exchange.exact import Method as Exact


class Changed:
    """A method with a changed input or a changed result."""

    def __init__(self, method: Method) -> None:
        self.method = method
        self.repeatable = method.repeatable
        self.trainer = method.trainer
        self.batches = method.batches

    def combine(self, given: Given) -> Combining:
        combined = yield from self.method.combine(self.before(given))
        return self.after(given, combined)

    def before(self, given: Given) -> Given:
        return given

    def after(self, given: Given, combined: Combined) -> Combined:
        return combined


class OldDivisor(Changed):
    """Divides by the number of ranks of its first group."""

    _ranks_at_first = 0

    def after(self, given: Given, combined: Combined) -> Combined:
        self._ranks_at_first = self._ranks_at_first or len(given.dealt)
        return replace(combined, total=combined.total * np.float32(len(given.dealt) / self._ranks_at_first))


class OldScale(OldDivisor):
    """Divides the gradient, but not the loss, by the number of ranks of its first group instead of the current one."""

    def after(self, given: Given, combined: Combined) -> Combined:
        scaled = super().after(given, combined)
        scaled.total[-1] = combined.total[-1]
        return scaled


class ForgetsResidual(Changed):
    """Begins each step without a residual."""

    def before(self, given: Given) -> Given:
        return replace(given, state=State(shared=given.state.shared))


class OwnUncompressed(Changed):
    """Uses its own gradient uncompressed, and keeps what it did not send as well."""

    def after(self, given: Given, combined: Combined) -> Combined:
        total = combined.total.copy()
        total[:-1] += combined.state.private[RESIDUAL]
        return replace(combined, total=total)


class AveragesEarly(Changed):
    """Takes the mean of the ranks up to its own."""

    def combine(self, given: Given) -> Combining:
        gathered = yield Gather(given.total)
        arrived = given.rank + 1
        total = gathered[:arrived].sum(axis=0) * np.float32(len(given.dealt) / arrived)
        combining = self.method.combine(given)
        next(combining)
        return _last(combining, total)


class RankOrderSums(Exact):
    """Adds rank by rank, in the order of the buffer."""

    def __init__(self, method: Method) -> None:
        """Takes the place of the exact method."""

    def rows(self, dealt: tuple[range, ...], gathered: Array) -> list[Array]:
        return [gathered[rank][place] for rank, shards in enumerate(dealt) for place in range(len(shards))]


class SignsReversed(Changed):
    """Reads the eight signs of a byte in the reverse order. For `one-bit`."""

    def combine(self, given: Given) -> Combining:
        combining = self.method.combine(given)
        gathered = (yield next(combining)).copy()
        signs = gathered[:, -((given.layout.numbers + 7) // 8) :]
        signs[:] = np.packbits(np.unpackbits(signs, axis=1), axis=1, bitorder="little")
        return _last(combining, gathered)


def _last(combining: Combining, answer: Array) -> Combined:
    """The result of a method with the answer to its only request."""
    try:
        asked = combining.send(answer)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    raise TypeError(f"the method asks for another {type(asked).__name__}")
