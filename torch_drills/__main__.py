"""Run a script with the hook if torch does not load it: before 2.5, or with TORCH_DEVICE_BACKEND_AUTOLOAD=0.

torchrun --nproc-per-node 2 -m torch_drills train.py --epochs 3
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import torch  # noqa: F401 - the hook needs it loaded

import torch_drills


def main() -> None:
    """Run the script that the first argument names, in this process."""
    if len(sys.argv) < 2:
        sys.exit("usage: python -m torch_drills SCRIPT [ARGUMENT...]")
    torch_drills.autoload()
    del sys.argv[0]
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
