"""Serving with poison requests: a few images make the whole pass through the model fail that they are in."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from harness.model.system import Node
from systems.serving import Serving


@dataclass(frozen=True, kw_only=True)
class FragileServing(Serving):
    """Serving whose replicas cannot take one image in fifty, nor any that is in a pass with it."""

    def nodes(self) -> Sequence[Node]:
        return [
            dataclasses.replace(node, code="systems.serving.known_bad.fragile_replica") if node.replica else node
            for node in super().nodes()
        ]
