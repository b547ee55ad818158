"""The deaths of a node in the middle of its life, each with the disk that it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from harness.node.crashpoints import CrashPoint, crash_points
from harness.node.disk import Disk

Node = TypeVar("Node")


def deaths(start: Callable[[Disk], Node], live: Callable[[Node], object]) -> Iterator[tuple[Node, CrashPoint]]:
    """Every crash of a node that has started, as `crash_points` yields them, with the node as it was when it died."""
    node: Node | None = None

    def life(disk: Disk) -> None:
        nonlocal node
        node = None
        node = start(disk)
        live(node)

    for crash in crash_points(life):
        if node is not None:
            yield node, crash
