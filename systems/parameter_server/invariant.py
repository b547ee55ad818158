"""What holds at any time for all nodes of a parameter server together, and what they agree about in the end."""

from __future__ import annotations

from collections.abc import Mapping

from systems.parameter_server.batch_rules import misplaced
from systems.parameter_server.promise_rules import PromisesKept
from systems.parameter_server.shown import ShownServer, ShownWorker
from systems.parameter_server.step_rules import counts_too_many, oversleeps


class OneMaster:
    """A term has at most one master, which more than half of the workers know; and no node falls back to an earlier term.

    Each of these is on a disk before anything is done with it, so it also holds after a restart. What masters count and give
    out, and what workers promise, have rules of their own.
    """

    def __init__(self, workers: int) -> None:
        self._allowed = (workers - 1) // 2
        """How many workers need not know of a master: the others are more than half."""
        self._promises = PromisesKept()
        self._masters: dict[int, tuple[str, float]] = {}
        self._terms: dict[str, int] = {}

    def broken(self, states: Mapping[str, object]) -> str | None:
        servers = {name: state for name, state in states.items() if isinstance(state, ShownServer)}
        workers = {name: state for name, state in states.items() if isinstance(state, ShownWorker)}
        why = self._promises.broken(workers)
        for name, server in servers.items():
            why = self._fell_back(name, server.term) or self._rivals(name, server, workers) or why
        for name, worker in workers.items():
            why = self._fell_back(name, worker.promises.kept.term) or why
        return why or counts_too_many(servers, workers) or oversleeps(servers) or misplaced(servers)

    def apart(self, states: Mapping[str, object]) -> str | None:
        """Whether there is one master, and all nodes know its term."""
        servers = {name: state for name, state in states.items() if isinstance(state, ShownServer)}
        masters = [(name, state.leads) for name, state in servers.items() if state.leads is not None]
        if len(masters) != 1:
            return f"{len(masters)} servers lead a term: {', '.join(name for name, _ in masters) or 'nobody'}"
        [(master, term)] = masters
        terms = {name: state.term for name, state in servers.items()}
        terms |= {name: state.promises.kept.term for name, state in states.items() if isinstance(state, ShownWorker)}
        others = [f"{name} knows term {known}" for name, known in terms.items() if known != term]
        return f"{master} leads term {term}, but {', '.join(others)}" if others else None

    def _fell_back(self, name: str, term: int) -> str | None:
        before = self._terms.get(name, 0)
        self._terms[name] = term
        return f"{name} knew of term {before}, and now only of term {term}" if term < before else None

    def _rivals(self, name: str, server: ShownServer, workers: Mapping[str, ShownWorker]) -> str | None:
        if server.leads is None:
            return None
        reign = name, server.began_s
        first = self._masters.get(server.leads)
        if first is None:
            self._masters[server.leads] = reign
            return self._unknown(name, server.leads, workers)
        return None if first == reign else f"term {server.leads} has two masters: first {first[0]}, then {name}"

    def _unknown(self, name: str, term: int, workers: Mapping[str, ShownWorker]) -> str | None:
        """Whether too many workers do not know of a new master. Those that are down now may have known."""
        lack = [other for other, worker in workers.items() if worker.promises.kept.term < term]
        return f"{name} leads term {term}, of which {', '.join(lack)} do not know" if len(lack) > self._allowed else None
