"""The rules of a node's background work. A node that breaks one may give right answers for a long time.

Anti-entropy compares digests, so it never finds what a stale digest hides. And if anti-entropy is off, what is kept for a
replica that was away has no other way to reach it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from systems.parts.dropped_tombstones import OWN, DroppedTombstones
from systems.parts.left_out import LeftOut
from systems.parts.silence import SparesOnlyTheSilent
from systems.quorum.messages import Entry, Version
from systems.quorum.shown import Shown
from systems.quorum.upkeep import Digests


class ComparedInTurn:
    """A node compares itself with each peer in turn."""

    def __init__(self) -> None:
        self._left_out = LeftOut("compared itself with others")

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        return self._left_out.look({name: state.compared for name, state in shown.items()})


class AsksWhoAnswers:
    """A node counts a peer as silent only after several requests in a row without an answer.

    It asks a silent one for less at a time, and has others stand in for it if quorums are sloppy.
    """

    def __init__(self) -> None:
        self._rule = SparesOnlyTheSilent()

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        found = [self._rule.look(name, state.start, state.heard) for name, state in shown.items()]
        return next((why for why in found if why is not None), None)


class DigestsCoverEntries:
    """Every digest is that of the entry that the node holds, and of no other one, unless the entry is marked as changed."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Digests, dict[str, Entry]]] = {}
        """What each node's digests covered at the last look, which need not be checked again."""
        self._turn = 0

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        for name, state in shown.items():
            digests, entries, changed = state.digests, state.entries, state.changed
            if digests is None or entries is None:
                continue
            before = self._last.get(name)
            if before is None or before[0] is not digests:  # the node has restarted
                before = self._last[name] = (digests, {})
            last = before[1]
            for key in [key for key in last if key not in entries and key not in changed]:
                if not digests.cover(key, Entry()):
                    return f"{name} does not hold key {key} any more, and its digest says that it does"
                del last[key]
            for key, entry in entries.items():
                if last.get(key) is entry or key in changed:
                    continue
                if not digests.cover(key, entry):
                    return f"{name} holds {_told(entry.version)} of key {key}, and its digest is that of something else"
                other = self._another(entry.version)
                if digests.cover(key, Entry(other)) and not digests.cover(key, Entry()):  # else it belongs to other nodes
                    return f"{name} has the same digest for {entry.version} and {other} of key {key}"
                last[key] = entry
        return None

    def _another(self, version: Version) -> Version:
        """A version that differs in one field: in each of them in turn."""
        self._turn += 1
        field = version.__struct_fields__[self._turn % len(version.__struct_fields__)]
        value = getattr(version, field)
        return msgspec.structs.replace(version, **{field: f"{value}'" if isinstance(value, str) else value + 1})


class KeptUntilTaken:
    """A node drops what it keeps for a replica only once the replica has it, or something newer replaces it.

    This applies only to replicas that keep what they hold through a restart.
    """

    def __init__(self, *, tombstones_dropped: bool) -> None:
        """`tombstones_dropped`: a replica may have had something, and now have nothing."""
        self._tombstones_dropped = tombstones_dropped
        self._last: dict[str, dict[tuple[str, str], Version]] = {}
        """By node, what it kept at the last look, by replica and key."""

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        before, self._last = self._last, {}  # nodes that are down are left out: when they drop something is not known
        for name, state in shown.items():
            if state.entries is None:  # a damaged log has lost what was kept, too
                continue
            now = {(home, key): hint.what.version for home, kept in state.kept.items() for key, hint in kept.items()}
            self._last[name] = now
            for (home, key), version in before.get(name, {}).items():
                kept = now.get((home, key))
                if (kept is None or kept < version) and self._lacks(shown.get(home), key, version):
                    return f"{name} no longer keeps {_told(version)} of key {key} for {home}, which does not have it"
        return None

    def _lacks(self, home: Shown | None, key: str, version: Version) -> bool:
        """Whether a replica certainly has neither this version nor a newer one. Down or damaged, it may have it."""
        if home is None or home.entries is None:
            return False
        held = home.entries.get(key)
        return held.version < version if held is not None else not self._tombstones_dropped


class DroppedForGood:
    """When a tombstone is dropped, no node holds an older entry of its key, or keeps one for another node."""

    def __init__(self) -> None:
        self._rule = DroppedTombstones[Entry](
            lambda entry: entry.value is None, lambda entry, tombstone: entry.version < tombstone.version
        )

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        nodes = dict[str, Mapping[str, Mapping[str, Entry]]]()
        for name, state in shown.items():
            if state.entries is None:  # a damaged log
                self._rule.lost(name)
                continue
            kept = {home: {key: hint.what for key, hint in hints.items()} for home, hints in state.kept.items()}
            nodes[name] = {OWN: dict(state.entries), **kept}
        left = self._rule.look(nodes)
        if left is None:
            return None
        has = "still holds" if left.place == OWN else f"still keeps for {left.place}"
        return f"{left.dropped_by} dropped the tombstone of key {left.key}, of which {left.node} {has} something older"


def _told(version: Version) -> str:
    return f"version {version.counter} of {version.writer}"
