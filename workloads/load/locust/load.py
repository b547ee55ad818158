"""Locust's users as the engine's rate: a runner that counts users, and an engine that makes calls at their rate."""

from __future__ import annotations

import dataclasses
import logging
from typing import Final

import gevent
from gevent.lock import RLock
from locust.env import Environment
from locust.runners import STATE_INIT, STATE_SPAWNING, STATE_STOPPED, LocalRunner, WorkerRunner

from results.analysis.load_judge import why_late
from workloads.load.engine import Engine, EngineTask, Snapshot
from workloads.load.locust.setup import Setup
from workloads.load.locust.statistics import merge

MERGE_S: Final = 0.5
_WITHOUT_END_S: Final = 1e6
"""An engine's load has an end; this one is later than anyone will wait."""


class EngineLoad:
    """The engine behind locust's form: started with the first user, stopped with the last, its counts merged meanwhile."""

    def __init__(self, setup: Setup, environment: Environment) -> None:
        self._setup, self._environment = setup, environment
        self._engine: Engine | None = None
        self._merging: gevent.Greenlet | None = None
        self._merged: Snapshot | None = None
        self._lock = RLock()
        line = setup.exchanges[0].request.split(b"\r\n", 1)[0].decode()
        self._method, self._name = line.split(" ")[:2]

    def set_users(self, users: int) -> None:
        """Have `users` users from now on; 0 ends the load and waits for the calls in progress.

        This runs in its own greenlet, because locust may kill the caller's halfway if it has to stop while users are spawned.
        """
        gevent.spawn(self._set_users, users).get()

    def _set_users(self, users: int) -> None:
        with self._lock:
            if users == 0:
                self._end()
            elif self._engine is None:
                self._begin(users * self._setup.per_user)
            else:
                self._engine.set_rate(users * self._setup.per_user)

    def close(self) -> None:
        """End the engine's processes at once."""
        with self._lock:
            if self._merging is not None:
                self._merging.kill()
            if self._engine is not None:
                self._engine.__exit__(None, None, None)
            self._engine = None

    @property
    def counted(self) -> Snapshot | None:
        """What the current or last load has counted; None before the first."""
        return self._merged

    def _begin(self, rate: float) -> None:
        load = dataclasses.replace(self._setup.load, rate=rate, seconds=_WITHOUT_END_S, shape=None)
        seed = self._setup.seed + max(
            self._environment.runner.worker_index, 0
        )  # otherwise all workers would send at the same moments
        task = EngineTask(
            address=self._setup.entry, exchanges=list(self._setup.exchanges), load=load, seed=seed,
            depth=self._setup.depth,
        )  # fmt: skip
        engine = Engine(task).__enter__()
        try:
            before = engine.snapshot()
            engine.start()
        except BaseException:
            engine.__exit__(None, None, None)
            raise
        self._engine, self._merged = engine, before
        self._merging = gevent.spawn(self._merge)

    def _end(self) -> None:
        if self._engine is None:
            return
        if self._merging is not None:
            self._merging.kill()
        try:
            self._take(self._stopped(self._engine))
        finally:
            self.close()

    def _stopped(self, engine: Engine) -> Snapshot:
        try:
            return engine.stop()
        except RuntimeError as error:
            self._tell(error)
            return engine.snapshot()

    def _merge(self) -> None:
        while self._engine is not None:
            gevent.sleep(MERGE_S)
            with self._lock:
                if self._engine is not None:
                    self._take(self._engine.snapshot())
                    self._end_if_broken(self._engine)

    def _end_if_broken(self, engine: Engine) -> None:
        """If the engine has died, say so, and let the next number of users begin the load anew."""
        try:
            engine.check()
        except RuntimeError as error:
            self._tell(error)
            self._merging = None  # this is the greenlet itself, which `close` would kill halfway
            self.close()

    def _tell(self, error: RuntimeError) -> None:
        """Have locust show an error of the engine, and end with an exit code other than 0."""
        logging.getLogger(__name__).error("The load has ended by itself: %s.", error)
        self._environment.events.user_error.fire(user_instance=None, exception=error, tb=None)

    def _take(self, snapshot: Snapshot) -> None:
        if self._merged is None:
            return
        merge(self._environment.stats, self._method, self._name, snapshot.since(self._merged))
        if snapshot.late and not self._merged.late:
            logging.getLogger(__name__).warning("This is not the load that was asked for: %s.", why_late(snapshot))
        self._merged = snapshot


class _CountsUsers:
    """The part of a runner to which locust gives its users: here they are only a number."""

    load: EngineLoad

    @property
    def user_count(self) -> int:
        return sum(self._users().values())

    @property
    def user_classes_count(self) -> dict[str, int]:
        return {kind.__name__: self._users().get(kind.__name__, 0) for kind in self.user_classes}  # type: ignore[attr-defined]

    def spawn_users(self, user_classes_spawn_count: dict[str, int], wait: bool = False) -> list[object]:
        if self.state in (STATE_INIT, STATE_STOPPED):  # type: ignore[has-type]
            self.state = STATE_SPAWNING
        self._change(user_classes_spawn_count, +1)
        return []

    def stop_users(self, user_classes_stop_count: dict[str, int]) -> None:
        self._change(user_classes_stop_count, -1)

    def _users(self) -> dict[str, int]:
        found: dict[str, int] = self.__dict__.setdefault("users", {})
        return found

    def _change(self, counts: dict[str, int], sign: int) -> None:
        if any(counts.values()):
            for name, count in counts.items():
                self._users()[name] = self._users().get(name, 0) + sign * count
            self.load.set_users(self.user_count)


class EngineRunner(_CountsUsers, LocalRunner):  # type: ignore[misc]  # locust's classes are untyped here
    """Locust by itself."""


class EngineWorkerRunner(_CountsUsers, WorkerRunner):  # type: ignore[misc]
    """One of locust's workers: a share of the users, and so of the rate; its statistics go to the master unchanged."""
