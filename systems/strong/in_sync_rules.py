"""The rules of the replicas in sync: any of them may be the next primary on its own, so each has all that was acknowledged.

A history shows a breach only if one that lacks something takes over before it is sent that. And a primary waits for too few
only while it does not know what has become of its requests to the keepers, which seldom is at the wrong moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from systems.raft.invariant import Shown as Keeping
from systems.raft.store import KeyValues
from systems.strong.imagined import has
from systems.strong.keeper import KEY
from systems.strong.messages import Configuration, Entry
from systems.strong.protocol import LAGS_AFTER_S
from systems.strong.shown import Shown


class InSyncHaveAll:
    """Looks at the latest configuration that any keeper has carried out, or that any replica has heard of.

    Others may have died before they showed it, so it is remembered.
    """

    def __init__(self) -> None:
        self._latest: Configuration | None = None
        self._texts: dict[str, str | None] = {}
        """By keeper, what it had at the last look, which need not be decoded again."""

    def broken(
        self, shown_by: Mapping[str, Shown], keepers: Mapping[str, object], acknowledged: Sequence[Entry]
    ) -> str | None:  # fmt: skip
        heard = [shown.watch.configuration for shown in shown_by.values() if shown.watch is not None]
        for configuration in (*self._kept(keepers), *(one for one in heard if one is not None)):
            if self._latest is None or configuration.version > self._latest.version:
                self._latest = configuration
        last = len(acknowledged)
        for name in () if self._latest is None else self._latest.in_sync:
            shown = shown_by.get(name)
            if shown is not None and shown.replica.ready and not has(shown.replica.log, last, acknowledged):
                return f"{name} is in sync by what the keepers have, and lacks the acknowledged entry at {last}"
        return None

    def _kept(self, keepers: Mapping[str, object]) -> Iterator[Configuration]:
        for name, state in keepers.items():
            if not isinstance(state, Keeping) or not isinstance(state.machine, KeyValues):
                continue
            text = state.machine.get(KEY)
            if text is not None and self._texts.get(name) != text:
                yield msgspec.json.decode(text, type=Configuration)
            self._texts[name] = text


def forgets_whom_it_asked_for(name: str, shown: Shown) -> str | None:
    """For whom a primary would no longer wait after two requests to the keepers, of which either may be carried out.

    It is imagined to ask for those in sync now, and again when no backup has kept up with it meanwhile.
    """
    if shown.primary is None:
        return None
    primary, later_s = shown.primary.imagined(), shown.now_s + 2 * LAGS_AFTER_S
    first = primary.next_configuration(shown.now_s)
    primary.next_configuration(later_s)
    left = [other for other in first.in_sync if other not in primary.waits_for(later_s)]
    if not left:
        return None
    return (
        f"{name}, the primary of epoch {shown.epoch}, would not wait for {', '.join(left)} once it has asked the keepers for"
        " less, and they may have added them before"
    )
