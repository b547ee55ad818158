"""Where the project keeps what outlives a run."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Trained models and installed tools: `$XDG_CACHE_HOME`, else `~/.cache`, in a folder of the project's own."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "distributed-ml-harness"
