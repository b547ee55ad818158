"""Report what a node's connections do, at the moments at which a fault may begin, to the watch of its event loop."""

from __future__ import annotations

import asyncio
from typing import Protocol
from weakref import WeakKeyDictionary

from harness.model.moment import Event


class Watch(Protocol):
    """Receives moments while it is armed."""

    @property
    def armed(self) -> bool: ...

    def passes(self, event: Event, what: str) -> None:
        """Note that this happens now. The process may be stopped inside and go on later."""


class _Unarmed:
    armed = False

    def passes(self, event: Event, what: str) -> None: ...


_UNARMED = _Unarmed()
_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()


def set_watch(watch: Watch) -> None:
    """Set the watch of the running event loop's connections."""
    _watches[asyncio.get_running_loop()] = watch


def watch() -> Watch:
    """The watch of the running event loop, which does nothing if none was set."""
    return _watches.get(asyncio.get_running_loop(), _UNARMED)
