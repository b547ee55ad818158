"""Run a script with the hook where torch does not load it by itself: before 2.5, or with TORCH_DEVICE_BACKEND_AUTOLOAD=0.

torchrun --nproc-per-node 2 -m torch_drills train.py --epochs 3
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import torch  # noqa: F401 - what is hooked into

import torch_drills


def main() -> None:
    """Become the script that the first argument names."""
    if len(sys.argv) < 2:
        sys.exit("usage: python -m torch_drills SCRIPT [ARGUMENT...]")
    torch_drills.autoload()
    del sys.argv[0]
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
