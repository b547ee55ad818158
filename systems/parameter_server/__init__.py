"""A parameter server: a master holds the parameters, workers compute gradients, and a standby takes over from the master."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar, Final

from harness.model.errors import UsageError, hint
from harness.model.history import History
from harness.model.simulated import Harm
from harness.model.system import Address, Client, Journaled, Node, Trained
from systems.parameter_server import asking, replay
from systems.parameter_server.bugs import BUGS
from systems.parameter_server.invariant import OneMaster
from systems.parameter_server.protocol import majority
from systems.parameter_server.updates import parts_of
from systems.training import Training, control, records
from systems.training.client import StepClient

__all__ = ["BUGS", "ParameterServer"]

SERVERS: Final = ("master", "standby")
SYNCHRONOUS, BOUNDED, _ = MODES = ("synchronous", "bounded", "asynchronous")
_SHARDS: Final = 12
_TINY: Final = "dense(8)"


@dataclass(frozen=True, kw_only=True)
class ParameterServer:
    """Training with a `master`, its `standby`, and workers `worker1`, `worker2`, ….

    Parameters go out, gradients come back. In the synchronous mode the gradients are of virtual shards of one batch; the master
    adds them in the order of the shards, applies the sum and sends the parameters out again. In the other modes each worker
    computes its own batches, and the master applies each gradient as it comes. Losing a worker costs a second at most; if the
    master is lost, the standby resumes from the newest checkpoint. More than half of the workers have to be there. Faults
    choose among the workers; they hit the servers only by name, or the one that leads as "leader".
    """

    workers: int = 3
    mode: str = SYNCHRONOUS
    """"synchronous"; "bounded": no worker is more than `staleness` clocks ahead of the slowest; or "asynchronous"."""
    staleness: int | None = None
    """For the bounded mode: the number of clocks (updates) that a worker may be ahead of the slowest one."""
    model: str = "digits"
    """The model to train; see `systems/training/models`."""
    seed: int = 1
    step_ms: float = 40.0
    """The least time from the beginning of a step, or of a worker's batch, to that of the next; 0: no pause."""
    checkpoint_every: int = 20
    """The number of steps from one checkpoint to the next."""
    checkpoints_kept: int = 2
    bug: str | None = None
    """The name of a known bug; see `systems/parameter_server/bugs.py`."""

    bugs: ClassVar = BUGS

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= _SHARDS:
            raise UsageError(
                f"ParameterServer(workers={self.workers!r}): 1 to {_SHARDS}, because a batch is split into {_SHARDS} shards."
            )
        if self.mode not in MODES:
            raise UsageError(f"ParameterServer(mode={self.mode!r}): there is no such mode. {hint(self.mode, MODES)}")
        if self.mode == BOUNDED and self.staleness is None:
            raise UsageError("ParameterServer(mode='bounded'): bounded by what? Give it staleness=, such as 4.")
        if self.mode != BOUNDED and self.staleness is not None:
            raise UsageError(
                f"ParameterServer(mode={self.mode!r}, staleness={self.staleness!r}): the {self.mode} mode has no bound. Leave"
                " staleness= out, or use mode='bounded'."
            )
        if self.staleness is not None and self.staleness < 0:
            raise UsageError(f"ParameterServer(staleness={self.staleness!r}): how many clocks ahead, at least 0.")
        BUGS.variant(self.bug)
        self._training()

    def _parts(self) -> int:
        """The number of workers' batches that have as many samples as one batch of the synchronous mode."""
        return 1 if self.mode == SYNCHRONOUS else parts_of(self.workers, _SHARDS)

    def _training(self) -> Training:
        """The same job without a master; it has the same control, because bits do not depend on which node computes what."""
        return Training(
            ranks=self.workers,
            model=self.model,
            seed=self.seed,
            step_ms=self.step_ms,
            checkpoint_every=self.checkpoint_every,
            checkpoints_kept=self.checkpoints_kept,
        )

    def nodes(self) -> Sequence[Node]:
        workers = tuple(self.entries())
        common = {"model": self.model, "seed": self.seed, "bug": self.bug, "parts": self._parts()}
        servers = [
            Node(
                name=name,
                code="systems.parameter_server.server",
                peers=(*others, *workers),
                config={
                    "first": name == SERVERS[0],
                    "others": others,
                    "workers": workers,
                    "step_ms": self.step_ms,
                    "checkpoint_every": self.checkpoint_every,
                    "checkpoints_kept": self.checkpoints_kept,
                    "rounds": self.mode == SYNCHRONOUS,
                    "staleness": self.staleness,
                    **common,
                },
                replica=False,
            )
            for name in SERVERS
            if (others := tuple(other for other in SERVERS if other != name))
        ]
        code, config = "systems.parameter_server.worker", {"servers": SERVERS, **common}
        return [*servers, *(Node(name=name, code=code, peers=SERVERS, config=config) for name in workers)]

    def entries(self) -> Sequence[str]:
        return [f"worker{number}" for number in range(1, self.workers + 1)]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return StepClient(index, entries)

    async def leader(self, addresses: Mapping[str, Address]) -> str:
        return await asking.leader(addresses)

    def trained(self, journals: Mapping[str, Journaled]) -> Trained:
        return records.gathered([journals[node.name] for node in self.nodes()])

    def steps_done(self, journals: Mapping[str, Journaled]) -> int:
        return max(records.steps_done(journals[node.name]) for node in self.nodes())

    def control(self, steps: int) -> list[dict[str, object]]:
        return self._training().control(steps)

    def replay(self, history: History) -> list[dict[str, object]] | None:
        """In the modes without rounds: repeat the updates of the history in their order, which takes about as long."""
        if self.mode == SYNCHRONOUS:
            return None
        return replay.control(history, self.model, self.seed, self._parts(), self._losses)

    @property
    def withstands(self) -> frozenset[Harm]:
        return frozenset({"power loss", "failed sync", "full disk", "wrong clock"})

    def varied(self, random: Random) -> ParameterServer:
        """A tiny model, which learns in a tenth of the time; more workers; checkpoints more or less often; longer steps."""
        return replace(
            self,
            model=_TINY,
            workers=self.workers if random.random() < 0.7 else max(self.workers, random.choice((3, 4, 5))),
            checkpoint_every=random.choice((1, 3, self.checkpoint_every)),
            checkpoints_kept=random.choice((1, self.checkpoints_kept)),
            step_ms=random.choice((self.step_ms, 100.0)),
        )

    def cores(self) -> Sequence[Sequence[str]]:
        """One of the servers, with more than half of the workers."""
        twice, enough = [*self.entries(), *self.entries()], majority(self.workers)
        return [[server, *twice[first : first + enough]] for server in SERVERS for first in range(self.workers)]

    def invariant(self) -> OneMaster:
        return OneMaster(self.workers)

    def _losses(self, batches: int) -> list[float]:
        return control.steps(self.model, self.seed, "cpu", batches).losses

    def prepare(self) -> None:
        self._training().prepare()

    def missing(self) -> str | None:
        return self._training().missing()

    def preload(self) -> Sequence[str]:
        return self._training().preload()
