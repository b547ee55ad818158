"""How a rank joins: it says who it is, and waits for what the harness has made for it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Final

from torch_drills.journal import Journal

MOST_RANKS: Final = 64
_WAIT_S: Final = 30.0
_LOOK_AGAIN_S: Final = 0.005


def join(folder: str, file: str, journal: Journal, rank: int, world: int) -> Any:
    """Say that this process is a rank, and return what the harness then writes to `file`: an object with the `world` it knows.

    Raises `TimeoutError` if it writes nothing, `ValueError` if there are more ranks than it knows, or takes.
    """
    journal.write("joining", rank=rank, world=world)
    if world > MOST_RANKS:
        raise ValueError(f"{world} ranks; the harness takes {MOST_RANKS} at most")
    deadline_s = time.monotonic() + _WAIT_S
    while (found := _read(Path(folder) / file)) is None:
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"the harness did not answer {world} ranks within {_WAIT_S:g} s")
        time.sleep(_LOOK_AGAIN_S)
    if found["world"] < world:  # it answers once, so waiting would be in vain
        raise ValueError(f"{world} ranks; there were {found['world']} when the harness answered")
    return found


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        return None
