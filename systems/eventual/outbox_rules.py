"""The rule of writes that no other replica has: a node that counts one as known elsewhere may drop its hints.

Nothing is lost by that until the hints are too old, while the peers are away, and then the disk is damaged. So the node's own
account is checked.
"""

from __future__ import annotations

from collections.abc import Mapping

from systems.eventual.shown import Shown


class UntoldWhileAllLackIt:
    """A write for which a hint waits for every peer has reached none, and counts as such."""

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        for name, state in shown.items():
            if state.outbox is None:
                continue
            first, *others = state.outbox.by_peer() or [{}]
            for key, hint in first.items():
                waits = all(key in hints and hints[key].what == hint.what for hints in others)
                if waits and state.outbox.untold.get(key) != hint.what:
                    return f"{name} has a hint of its last write of key {key} for every peer, and takes it for known to one"
        return None
