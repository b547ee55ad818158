"""What a node must still know after a crash, compared with what a start would find on its disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from systems.eventual.files import Found, States
from systems.eventual.identity import Identity
from systems.eventual.messages import State


def outdated(held: States, in_doubt: Iterable[tuple[str, State | None]], copies: States) -> str | None:
    """Which older state a node would begin with whose entries were damaged now; None if none. For `copies` see `Files.copies`.

    It may have been deleted since, and its tombstone dropped everywhere. What is missing among the copies, others have.
    """
    doubtful = _by_key(in_doubt)
    for key, copy in copies.items():
        if copy != held.get(key) and copy not in doubtful.get(key, ()):
            instead = f"{_as_text(copy)} in place of {_as_text(held.get(key))}"
            return f"of key {key}, it would hold {instead} if its entries were damaged"
    return None


def forgotten(
    held: States, whose: Identity, in_doubt: Iterable[tuple[str, State | None]], found: Found, found_whose: Identity
) -> str | None:
    """What a node would have forgotten that starts with what was found; None if nothing.

    The states `in_doubt` are being written, or the disk did not take them: they may be there or not. Hints are not compared:
    one may be left of an earlier life of its key, and nobody lacks that.
    """
    if found_whose.life != whose.life:
        return f"it would count as damaged, and count its writes as {found_whose.actor} instead of as {whose.actor}"
    if found_whose.forgotten < whose.forgotten:
        return f"it would count writes again from {found_whose.forgotten + 1}, and has dropped tombstones of {whose.forgotten}"
    doubtful = _by_key(in_doubt)
    for key in dict.fromkeys([*held, *found.held]):
        state, left = held.get(key), found.held.get(key)
        if left != state and left not in doubtful.get(key, ()):
            return f"of key {key}, it would hold {_as_text(left)} in place of {_as_text(state)}"
    return None


def _by_key(in_doubt: Iterable[tuple[str, State | None]]) -> Mapping[str, list[State | None]]:
    doubtful: dict[str, list[State | None]] = {}
    for key, state in in_doubt:
        doubtful.setdefault(key, []).append(state)
    return doubtful


def _as_text(state: State | None) -> str:
    return "nothing" if state is None else state.decode()
