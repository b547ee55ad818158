"""The rules of the replicas in sync: any of them may be the next primary on its own, so each has all that was acknowledged.

A history shows a breach only if one that lacks something takes over before it is sent that. And a primary waits for too few
only while it does not know what has become of its requests to the keepers, which seldom is at the wrong moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from systems.strong.imagined import has
from systems.strong.kept import LatestConfiguration
from systems.strong.messages import Entry
from systems.strong.protocol import LAGS_AFTER_S
from systems.strong.shown import Shown


class InSyncHaveAll:
    """Looks at the latest configuration that anybody knows of."""

    def __init__(self) -> None:
        self._known = LatestConfiguration()

    def broken(
        self, shown_by: Mapping[str, Shown], keepers: Mapping[str, object], acknowledged: Sequence[Entry]
    ) -> str | None:  # fmt: skip
        latest, last = self._known.look(shown_by, keepers), len(acknowledged)
        for name in () if latest is None else latest.in_sync:
            shown = shown_by.get(name)
            if shown is not None and shown.replica.ready and not has(shown.replica.log, last, acknowledged):
                return f"{name} is in sync by what the keepers have, and lacks the acknowledged entry at {last}"
        return None


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
