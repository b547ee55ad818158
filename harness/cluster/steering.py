"""The harness's side of a node's control page: tracks what each fault window asks for, so that overlapping windows add up."""

from __future__ import annotations

from collections import defaultdict

from harness.model.errors import FaultError
from harness.model.steering import Counter, Setting, Term, Tracked
from harness.node.control import ControlPage
from harness.node.memory import Memory
from harness.node.moments import Moments


class Steering:
    """Settings and clock terms of one node, by the labels of the windows that hold them."""

    def __init__(self, page: ControlPage) -> None:
        self._page = page
        self._held: dict[Setting, dict[str, int]] = defaultdict(dict)
        self._terms: dict[str, int] = {}

    @property
    def moments(self) -> Moments:
        """The moments at which the node stops itself."""
        return self._page.moments

    @property
    def memory(self) -> Memory:
        """The bits of its memory that flip."""
        return self._page.memory

    def hold(self, setting: Setting, label: str, value: int = 1) -> None:
        """Add this value to a setting until the window releases it. Of statuses, the highest counts."""
        self._held[setting][label] = value
        self._write(setting)

    def release(self, setting: Setting, label: str) -> None:
        """End a window's `hold`. Does nothing if there was none."""
        self._held[setting].pop(label, None)
        self._write(setting)

    def _write(self, setting: Setting) -> None:
        values = self._held[setting].values()
        self._page[setting] = max(values, default=0) if setting is Setting.ERROR_STATUS else sum(values)

    def deviate(self, label: str, term: Term) -> None:
        """Add one more term to the clock's error until the window ends it. Raises `FaultError` if there are too many."""
        slot = self._page.free_term()
        if slot is None:
            raise FaultError(f"its clock already has {len(self._terms)} faults, as many as it can take")
        self._terms[label] = slot
        self._page.set_term(slot, term)

    def end_deviation(self, label: str) -> None:
        """End a window's `deviate`. Does nothing if there was none."""
        slot = self._terms.pop(label, None)
        if slot is not None:
            self._page.clear_term(slot)

    def deviation_ns(self, now_ns: int) -> int:
        """The error that the clock is meant to have at a time of the monotonic clock."""
        return self._page.deviation_ns(now_ns)

    def count(self, counter: Counter) -> int:
        return self._page[counter]

    def tracked(self) -> list[Tracked]:
        """Which part of each file is durable. Raises `FaultError` if that is not known of all files."""
        if untracked := self._page[Counter.UNTRACKED_FILES]:
            raise FaultError(f"it keeps more files, or files with longer names, than can be tracked ({untracked} too many)")
        return self._page.tracked()
