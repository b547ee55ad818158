"""The journals of nodes that tests run in folders of their own."""

from __future__ import annotations

from pathlib import Path

from harness.cluster.node_disks import FileOnDisk
from harness.node.journal import FILE


def journal_in(folder: Path) -> FileOnDisk:
    """What a node with this folder has written to its journal."""
    return FileOnDisk(folder / FILE)
