"""What a worker's promise must be worth at any time, imagined: what it would answer to any server now.

Few runs ask a worker just when its answer matters, and then two servers have to be wrong together.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Final

from systems.parameter_server.bugs import CORRECT
from systems.parameter_server.protocol import Promise, Promises
from systems.parameter_server.shown import NOTHING_TAKEN, ShownWorker

_OTHER: Final = "another server"
_LONG_S: Final = 3600.0


class PromisesKept:
    """A worker promises itself to one server in a term, and to no other while it hears its master; otherwise it does; it obeys
    no older term; and what it acts on is on its disk."""

    def __init__(self) -> None:
        self._asked: dict[str, Promise] = {}
        """What each worker had promised when it was asked last: its answers to the rest depend on nothing else."""
        self._looks: dict[str, tuple[tuple[int, int], float]] = {}
        """What each worker had taken at the look before, and when that was."""

    def broken(self, shown: Mapping[str, ShownWorker]) -> str | None:
        why = None
        for name, worker in shown.items():
            why = why or _without_disk(name, worker) or self._would_break(name, worker) or self._would_leave(name, worker)
            self._looks[name] = worker.at, worker.now_s
        return why

    def _would_break(self, name: str, worker: ShownWorker) -> str | None:
        kept, later_s = worker.promises.kept, worker.now_s + _LONG_S
        if self._asked.get(name) == kept:
            return None
        self._asked[name] = kept
        if kept.term and _promised(worker.promises, kept.term, later_s):
            return f"{name} has promised itself to {kept.server} in term {kept.term}, and would to another server as well"
        if kept.term and copy(worker.promises).obeys(kept.term - 1, _OTHER):
            return f"{name} knows of term {kept.term}, and would obey the master of term {kept.term - 1}"
        if not _promised(worker.promises, kept.term + 1, later_s):
            return f"{name} would promise itself to nobody after term {kept.term}, however long it hears of no master"
        return None

    def _would_leave(self, name: str, worker: ShownWorker) -> str | None:
        """Whether it would leave a master from which it took work since the look before.

        It heard the master then or later. If that is not long ago, nobody else may have its promise.
        """
        taken, looked_s = self._looks.get(name, (worker.at, worker.now_s))
        if worker.at in (taken, NOTHING_TAKEN) or worker.now_s - looked_s >= CORRECT.limits.heard_s:
            return None
        if _promised(worker.promises, worker.promises.kept.term + 1, worker.now_s):
            term, step = worker.at
            return f"{name} has just taken step {step} of term {term}, and would promise itself to another server"
        return None


def _without_disk(name: str, worker: ShownWorker) -> str | None:
    if worker.at[0] <= worker.durable.term:
        return None
    return f"{name} works in term {worker.at[0]}, and its disk knows only of term {worker.durable.term}"


def _promised(promises: Promises, term: int, now_s: float) -> bool:
    """Whether another server would get a promise then. The copy keeps what it promises."""
    return copy(promises).ask(term, _OTHER, now_s)
