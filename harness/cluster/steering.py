"""A node's control page from the harness's side: what each fault window asks of it, so that overlapping windows add up."""

from __future__ import annotations

from collections import defaultdict

from harness.model.errors import FaultError
from harness.model.steering import Counter, Setting, Term, Tracked
from harness.node.control import ControlPage
from harness.node.memory import Memory
from harness.node.moments import Moments


class Steering:
    """Settings and clock terms of one node, each held by windows, by label."""

    def __init__(self, page: ControlPage) -> None:
        self._page = page
        self._held: dict[Setting, dict[str, int]] = defaultdict(dict)
        self._terms: dict[str, int] = {}

    @property
    def moments(self) -> Moments:
        """Where the node is to stop itself."""
        return self._page.moments

    @property
    def memory(self) -> Memory:
        """Where bits of its memory are to flip."""
        return self._page.memory

    def hold(self, setting: Setting, label: str, value: int = 1) -> None:
        """Add this to a setting until the window releases it."""
        self._held[setting][label] = value
        self._page[setting] = sum(self._held[setting].values())

    def release(self, setting: Setting, label: str) -> None:
        """End a window's `hold`; nothing happens if there was none."""
        self._held[setting].pop(label, None)
        self._page[setting] = sum(self._held[setting].values())

    def deviate(self, label: str, term: Term) -> None:
        """Have the node's clock deviate by one more term until the window ends it. Raises `FaultError` for too many."""
        slot = self._page.free_term()
        if slot is None:
            raise FaultError(f"its clock is under {len(self._terms)} faults already, which is all that it can hold")
        self._terms[label] = slot
        self._page.set_term(slot, term)

    def end_deviation(self, label: str) -> None:
        """End a window's `deviate`; nothing happens if there was none."""
        slot = self._terms.pop(label, None)
        if slot is not None:
            self._page.clear_term(slot)

    def deviation_ns(self, now_ns: int) -> int:
        """How far from right the clock is meant to be at a time of the monotonic clock."""
        return self._page.deviation_ns(now_ns)

    def count(self, counter: Counter) -> int:
        return self._page[counter]

    def tracked(self) -> list[Tracked]:
        """What of each file is on the disk. Raises `FaultError` if that is not known of all."""
        if untracked := self._page[Counter.UNTRACKED_FILES]:
            raise FaultError(f"it keeps more files, or files with longer names, than can be followed ({untracked} too many)")
        return self._page.tracked()
