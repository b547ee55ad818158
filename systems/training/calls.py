"""What the thread that trains calls when something has happened, or is about to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from systems.training.messages import Accused, Stepped, Written


@dataclass(frozen=True, kw_only=True)
class Calls:
    """The worker's callbacks; it calls them from its own thread, or from the saver's."""

    stepped: Callable[[Stepped], None]
    written: Callable[[Written], None]
    collective: Callable[[str], None]
    """A collective of this name is about to begin."""
    accused: Callable[[Accused], None]
