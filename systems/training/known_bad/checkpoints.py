"""Checkpoints that are wrong in one way each."""

from __future__ import annotations

from collections.abc import Iterable

from systems.parts.checkpoint.manifest import Manifest
from systems.parts.checkpoint.refusals import Refusal
from systems.parts.checkpoint.store import Checkpoints, Tensors


class CopyTrusted(Checkpoints):
    """The files have hashes; what could be wrong with them?"""

    def _check_state(self, manifest: Manifest, tensors: Tensors) -> None:
        """Whatever they hold."""


class OldestUsed(Checkpoints):
    """The first that is found."""

    def _candidates(self, refused: list[Refusal]) -> Iterable[tuple[str, Manifest]]:
        return reversed(list(super()._candidates(refused)))
