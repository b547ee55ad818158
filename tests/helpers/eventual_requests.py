"""A node of the eventual store to ask without a network, and what to ask."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.http.message import Request
from harness.node.context import NodeContext, NodeSpec
from systems.eventual import Eventual
from systems.eventual.messages import Context


def node(tmp_path: Path, **settings: object) -> NodeContext:
    system = Eventual(replicas=1, **settings)  # type: ignore[arg-type]
    [described] = system.nodes()
    spec = NodeSpec(
        name="n1", start=0, host="127.0.0.1", port=1, data=str(tmp_path / "n1"), log="", seed=1, config=dict(described.config)
    )
    return NodeContext(spec)


def put(value: str, context: Context = Context(), key: str = "k") -> Request:  # noqa: B008 - it is frozen
    return Request("PUT", f"/kv/{key}", body=msgspec.json.encode({"value": value, "context": context}))


GET = Request("GET", "/kv/k")
