"""Whom a master may count as taking part in a step, and what it must do when all of it is there."""

from __future__ import annotations

from collections.abc import Mapping

from systems.parameter_server.shown import NOTHING_TAKEN, ShownRound, ShownServer, ShownWorker


def counts_too_many(servers: Mapping[str, ShownServer], workers: Mapping[str, ShownWorker]) -> str | None:
    """Whether a master counts a worker that does not have the step yet.

    It counts those that were heard after the step began: a worker says so by what it has seen, or pushes its gradients. Either
    comes after the worker took the step, and from then on it takes none of an earlier term or step. A worker that was
    started again since, and has taken nothing, may have had it.
    """
    for name, server in servers.items():
        if server.leads is None or not isinstance(server.work, ShownRound):
            continue
        place = server.leads, server.work.step
        for worker in sorted(server.work.took_part & workers.keys()):
            if NOTHING_TAKEN < workers[worker].at < place:
                term, step = workers[worker].at
                return f"{name} counts {worker} in step {place[1]} of term {place[0]}, which is at step {step} of term {term}"
    return None


def oversleeps(servers: Mapping[str, ShownServer]) -> str | None:
    """Whether a master has all of a step, and waits to be told so.

    Whatever completes a step tells it in the same turn of its loop, so nobody ever sees the one without the other.
    """
    for name, server in servers.items():
        if server.leads is not None and isinstance(server.work, ShownRound) and server.work.complete and server.work.asleep:
            return f"{name} has all of step {server.work.step} of term {server.leads}, and does not know it"
    return None
