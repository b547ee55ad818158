"""What runs inside the processes of a torch.distributed script while `harness train` breaks it.

`import torch` calls `autoload` in every process (entry point group `torch.backends`, torch 2.5 and later). It returns at once
unless `harness train` started the process. Otherwise gloo's connections and the rendezvous store's are led over links of the
fault plane, and every step of an optimizer is written down; the script is not edited and need not know.

Every program that imports torch in an environment with this project loads this module. So the package imports nothing but the
standard library and torch, none of our other packages, whose names a project may use for its own.
"""

from __future__ import annotations

import os

FOLDER = "HARNESS_TRAIN"
"""The environment variable that names the folder which the harness and the ranks share."""


def autoload() -> None:
    """Hook into torch if `harness train` runs this process. Never raises: a script must not fail for want of its faults."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    try:
        from torch_drills import hook

        hook.install(folder)
    except Exception as error:
        import sys

        print(f"torch_drills: no faults on links and no steps from this process: {error!r}", file=sys.stderr)
