"""Serving with heavy requests: a few images make every pass through the model fail in which they are not alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from harness.model.system import Node
from systems.serving import Serving


@dataclass(frozen=True, kw_only=True)
class FragileServing(Serving):
    """Serving whose replicas have memory for one image in fifty only if it is alone."""

    def nodes(self) -> Sequence[Node]:
        return [
            dataclasses.replace(node, code="systems.serving.known_bad.fragile_replica") if node.replica else node
            for node in super().nodes()
        ]
