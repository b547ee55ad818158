"""The context of a node that tests run alone, in their own process: real files, and no process or address of its own."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from harness.node.context import NodeContext
from harness.node.disk import Disk
from harness.node.journal import FILE, FileJournal


def node_in(folder: Path, name: str, **others: object) -> NodeContext:
    """A node's context, with its journal in this folder, and its files below; `others` are attributes that differ."""
    parts: dict[str, object] = {
        "name": name,
        "disk": Disk(folder / "disk"),
        "shared": lambda shared: Disk(folder / shared),
        "journal": lambda: FileJournal(folder / FILE),
        "monotonic_ns": time.monotonic_ns,
        "thread": lambda: ThreadPoolExecutor(max_workers=1),
        "worked": lambda seconds: None,
        "event": lambda kind, detail: None,
        "log": lambda text: None,
        "show": lambda state: None,
        "must_recover": lambda forgotten: None,
    }
    return cast(NodeContext, SimpleNamespace(**parts | others))
