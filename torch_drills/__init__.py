"""The hook inside the processes of a torch.distributed script under `harness train`.

`import torch` calls `autoload` in every process (entry point group `torch.backends`, torch 2.5 and later). It returns at once
unless `harness train` started the process. Otherwise it routes the connections of gloo and of the rendezvous store over links
of the fault plane, and records every optimizer step; the script needs no changes.

Every program that imports torch in an environment with this project loads this module. So the package imports only the
standard library and torch, and none of our other packages, whose names a project may use for its own.
"""

from __future__ import annotations

import os

FOLDER = "HARNESS_TRAIN"
"""The environment variable that names the folder shared by the harness and the ranks."""


def autoload() -> None:
    """Hook into torch if `harness train` runs this process. Never raises: a script must not fail because the hook does."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    try:
        from torch_drills import hook

        hook.install(folder)
    except Exception as error:
        import sys

        print(f"torch_drills: this process has no link faults and records no steps: {error!r}", file=sys.stderr)
