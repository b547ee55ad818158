"""Broken checkpoints, each wrong in one way."""

from __future__ import annotations

from collections.abc import Iterable

from systems.parts.checkpoint.manifest import Manifest
from systems.parts.checkpoint.refusals import Refusal
from systems.parts.checkpoint.store import Checkpoints, Tensors


class CopyTrusted(Checkpoints):
    """Trusts the hashes of the files alone."""

    def _check_state(self, manifest: Manifest, tensors: Tensors) -> None:
        """Accept any state."""


class OldestUsed(Checkpoints):
    """Resumes from the first checkpoint found."""

    def _candidates(self, refused: list[Refusal]) -> Iterable[tuple[str, Manifest]]:
        return reversed(list(super()._candidates(refused)))
