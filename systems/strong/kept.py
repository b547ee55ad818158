"""The latest configuration that any keeper has carried out, or that any replica has heard of, as the rules see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from systems.raft.invariant import Shown as Keeping
from systems.raft.store import KeyValues
from systems.strong.keeper import KEY
from systems.strong.messages import Configuration
from systems.strong.shown import Shown


class LatestConfiguration:
    """Remembers it: those who knew of it may have died since."""

    def __init__(self) -> None:
        self.latest: Configuration | None = None
        self._texts: dict[str, str | None] = {}
        """By keeper, what it had at the last look, which need not be decoded again."""

    def look(self, shown_by: Mapping[str, Shown], keepers: Mapping[str, object]) -> Configuration | None:
        heard = [shown.watch.configuration for shown in shown_by.values() if shown.watch is not None]
        for configuration in (*self._kept(keepers), *(one for one in heard if one is not None)):
            if self.latest is None or configuration.version > self.latest.version:
                self.latest = configuration
        return self.latest

    def _kept(self, keepers: Mapping[str, object]) -> Iterator[Configuration]:
        for name, state in keepers.items():
            if not isinstance(state, Keeping) or not isinstance(state.machine, KeyValues):
                continue
            text = state.machine.get(KEY)
            if text is not None and self._texts.get(name) != text:
                yield msgspec.json.decode(text, type=Configuration)
            self._texts[name] = text
