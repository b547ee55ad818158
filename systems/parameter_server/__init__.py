"""A parameter server: a master holds the parameters, workers compute gradients, and a standby takes over from the master."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from harness.model.errors import UsageError
from harness.model.system import Address, Client, Node, Trained
from systems.parameter_server.bugs import BUGS
from systems.training import Training, records
from systems.training.client import StepClient

__all__ = ["BUGS", "ParameterServer"]

SERVERS: Final = ("master", "standby")
_MOST_WORKERS: Final = 12


@dataclass(frozen=True, kw_only=True)
class ParameterServer:
    """Synchronous training with a `master`, its `standby`, and workers `worker1`, `worker2`, ….

    Parameters go out, gradients of virtual shards come back; the master adds them in the order of the shards, applies the sum
    and sends the parameters out again. A worker that is lost costs a fraction of a second; a master that is lost is replaced
    by the standby, from the newest checkpoint. More than half of the workers have to be there. Faults choose among the
    workers; the servers are hit only if they are named.
    """

    workers: int = 3
    model: str = "digits"
    """What is trained; see `systems/training/models`."""
    seed: int = 1
    step_ms: float = 40.0
    """A step begins no sooner than this after the one before; 0: as soon as it can."""
    checkpoint_every: int = 20
    """Steps from one checkpoint to the next."""
    checkpoints_kept: int = 2
    bug: str | None = None
    """The name of a known bug; see `systems/parameter_server/bugs.py`."""

    bugs: ClassVar = BUGS

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= _MOST_WORKERS:
            raise UsageError(
                f"ParameterServer(workers={self.workers!r}): 1 to {_MOST_WORKERS}, because a batch is split into"
                f" {_MOST_WORKERS} shards."
            )
        BUGS.variant(self.bug)
        self._training()

    def _training(self) -> Training:
        """The same job without a master, whose control is this one's: bits do not depend on who computes what."""
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
        common = {"model": self.model, "seed": self.seed, "bug": self.bug}
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

    def trained(self, data: Mapping[str, Path]) -> Trained:
        return records.gathered([data[node.name] for node in self.nodes()])

    def steps_done(self, data: Mapping[str, Path]) -> int:
        return max(records.steps_done(data[node.name]) for node in self.nodes())

    def control(self, steps: int) -> list[dict[str, object]]:
        return self._training().control(steps)

    def prepare(self) -> None:
        self._training().prepare()

    def missing(self) -> str | None:
        return self._training().missing()

    def preload(self) -> Sequence[str]:
        return self._training().preload()
