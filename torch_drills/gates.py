"""Gates: steps at which a rank waits for the harness, so that a fault by step begins at exactly that step.

A small model does a step in two milliseconds; without a gate it would be some steps further before a signal or a toxic reached
it. Ranks report through the journal. The harness answers with files: `PID.gates` lists where a process waits, `passed-STEP`
lets it continue.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Final

GATED: Final = "gated"
"""A file of this name exists if any rank has to wait."""

_LONGEST_S: Final = 5.0
"""A rank continues after this, whatever the harness does."""
_LOOK_AGAIN_S: Final = 0.0005


class Gates:
    """The gates of this process. Its steps count from its own first one, 0."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._steps: dict[int, int] = {}

    def ask(self) -> None:
        """Read where to wait. Call it after the journal has recorded the parameters with which this process begins."""
        if (self._folder / GATED).exists():
            file = self._folder / f"{os.getpid()}.gates"
            _wait_for(file)
            if file.exists():
                self._steps = {int(own): step for own, step in json.loads(file.read_text()).items()}

    def wait(self, done: int) -> None:
        """Wait if there is a gate after `done` steps."""
        step = self._steps.get(done)
        if step is not None:
            _wait_for(self._folder / f"passed-{step}")


def _wait_for(file: Path) -> None:
    deadline_s = time.monotonic() + _LONGEST_S
    while not file.exists() and time.monotonic() < deadline_s:
        time.sleep(_LOOK_AGAIN_S)
