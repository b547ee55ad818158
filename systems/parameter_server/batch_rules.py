"""What a master without rounds may have given out: each batch is at one place, and nobody is too far ahead."""

from __future__ import annotations

from collections.abc import Mapping

from systems.parameter_server.protocol import Outcome
from systems.parameter_server.shown import ShownServer, ShownUpdates
from systems.parameter_server.updates import Task


def misplaced(servers: Mapping[str, ShownServer]) -> str | None:
    """Whether a batch is lost or at two places at some master, or a worker has one although it is too far ahead.

    Each batch that was ever given out was applied, or waits, or a worker has it. A master applies each once, so it has done
    as many updates as there are batches that neither wait nor are with a worker. That also holds after a restart, since a
    checkpoint has its updates and its batches of the same moment.
    """
    for name, server in servers.items():
        if server.leads is not None and isinstance(server.work, ShownUpdates):
            why = _at_two_places(server.work) or _lost(server.work) or _too_far(server.work) or _takes(server.work)
            if why is not None:
                return f"{name}, in term {server.leads}, {why}"
    return None


def _at_two_places(work: ShownUpdates) -> str | None:
    open_batches = [*work.waiting, *(task.batch for task in work.given.values())]
    twice = sorted(batch for batch in set(open_batches) if open_batches.count(batch) > 1)
    return f"has batch {twice[0]} at two places: {_placed(work)}" if twice else None


def _lost(work: ShownUpdates) -> str | None:
    used = work.next - len(work.waiting) - len(work.given)
    if used == work.version:
        return None
    return f"has done {work.version} updates, and {used} of {work.next} batches neither wait nor are given: {_placed(work)}"


def _too_far(work: ShownUpdates) -> str | None:
    """The slowest one's clock only rises, and whoever joins begins with it, so this holds while a worker has a batch."""
    for worker in work.given:
        if worker not in work.clocks:
            return f"has left out {worker}, which still has batch {work.given[worker].batch}"
        ahead = work.clocks[worker] - min(work.clocks.values())
        if work.bound is not None and ahead > work.bound:
            return f"has given {worker} batch {work.given[worker].batch}, {ahead} clocks ahead of the slowest of {work.clocks}"
    return None


def _takes(work: ShownUpdates) -> str | None:
    """Whether it would take a gradient that must not count: of a batch that another worker has, or that waits; or of its own
    batch, with other parameters than it was given last.
    """
    for worker, task in work.given.items():
        others = {name: other for name, other in work.given.items() if name != worker}
        wrong = [*others.values(), *(Task(batch=batch, version=work.version) for batch in work.waiting)]
        wrong.append(Task(batch=task.batch, version=task.version - 1))
        for one in wrong:
            if work.judged(worker, one) is Outcome.HELD:
                return f"would take batch {one.batch}, computed after {one.version} updates, from {worker}: {_placed(work)}"
    return None


def _placed(work: ShownUpdates) -> str:
    given = ", ".join(f"{worker} has {task.batch}" for worker, task in work.given.items()) or "none given"
    return f"{given}; waiting: {', '.join(map(str, work.waiting)) or 'none'}"
