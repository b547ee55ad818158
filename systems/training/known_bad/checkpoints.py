"""Checkpoints that are wrong in one way each."""

from __future__ import annotations

from systems.parts.checkpoint.manifest import Manifest
from systems.parts.checkpoint.store import Checkpoints, Tensors


class CopyTrusted(Checkpoints):
    """The files have hashes; what could be wrong with them?"""

    def _check_state(self, manifest: Manifest, tensors: Tensors) -> None:
        """Whatever they hold."""
