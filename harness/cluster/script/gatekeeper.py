"""The harness's side of the gates at which ranks wait (see `torch_drills.gates`)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from torch_drills.gates import GATED


class Gatekeeper:
    """Holds the ranks at steps until the windows that begin there have begun."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waited_for: dict[int, set[str]] = {}
        self._asked = False
        """Whether processes ask where to wait, as they do from the first gate on, even when all have been passed."""

    def close(self, labels: Iterable[tuple[int, str]]) -> None:
        """Close a gate at each step until all windows with its labels have passed it."""
        for step, label in labels:
            self._waited_for.setdefault(step, set()).add(label)
        if self._waited_for:
            (self._folder / GATED).touch()
            self._asked = True

    def answer(self, pid: int, start: int) -> None:
        """Tell a process that begins at step `start` where to wait. The process waits for this answer."""
        if self._asked:
            gates = {step - start: step for step in self._waited_for if step > start}
            part = self._folder / f"{pid}.part"
            part.write_text(json.dumps(gates))
            part.rename(self._folder / f"{pid}.gates")

    def passed(self, label: str) -> None:
        """Note that a window has begun or will not begin, and open the gates that waited only for it."""
        for step, labels in list(self._waited_for.items()):
            labels.discard(label)
            if not labels:
                del self._waited_for[step]
                (self._folder / f"passed-{step}").touch()
