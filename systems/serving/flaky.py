"""Serving with a replica that fails every other prediction, which neither consecutive failures nor health checks reveal."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from harness.model.system import Node
from systems.serving import Serving


@dataclass(frozen=True, kw_only=True)
class FlakyServing(Serving):
    """Serving whose last replica is a `known_bad.flaky_replica`."""

    def nodes(self) -> Sequence[Node]:
        last = f"r{self.replicas}"
        return [
            dataclasses.replace(node, code="systems.serving.known_bad.flaky_replica") if node.name == last else node
            for node in super().nodes()
        ]
