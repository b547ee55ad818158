"""Records the steps of a script's optimizer."""

from __future__ import annotations

import contextlib
import sys
import time

import torch
from torch import distributed
from torch.distributed import distributed_c10d
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from torch_drills.fingerprint import Fingerprint
from torch_drills.gates import Gates
from torch_drills.journal import Journal


class StepJournal:
    """Records when each step began and ended, and the model's fingerprint after it.

    A step is one call of an optimizer's `step`. With several optimizers, the first one counts, until another is called twice
    without it; both these calls count if it trains the same parameters. Calls of one after another without it count, too, if
    all train the same, such as those of an optimizer made for each step. A step begins when the previous one ends; the first
    begins when the optimizer is called.
    """

    def __init__(self, journal: Journal, gates: Gates) -> None:
        self._journal = journal
        self._gates = gates
        self._counted: torch.optim.Optimizer | None = None
        self._rival: torch.optim.Optimizer | None = None
        self._uncounted: tuple[int, str] | None = None
        """When the rival's last step ended, with the fingerprint after it, if it trains what the counted one did."""
        self._fingerprint: Fingerprint | None = None
        self._done = 0
        self._begun_ns = 0
        self._broken = False
        register_optimizer_step_pre_hook(self._before)
        register_optimizer_step_post_hook(self._after)

    def _before(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        if self._counted is None and not self._broken:
            try:
                self._begin(optimizer)
            except Exception as error:
                self._break(repr(error))

    def _after(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        if self._broken:
            return
        if torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing():  # type: ignore[no-untyped-call]
            self._break("the script captures its steps in a CUDA graph, and replaying that calls no optimizer")
            return
        try:
            if optimizer is not self._counted:
                if optimizer is not self._rival:
                    now = self._now() if _train_the_same(optimizer, self._counted) else None
                    if now is not None and self._uncounted is not None:
                        self._record(*self._uncounted)
                    self._rival, self._uncounted = optimizer, now
                    return
                if self._uncounted is not None:
                    self._record(*self._uncounted)
                self._counted, self._fingerprint = optimizer, Fingerprint(optimizer)
            self._rival = self._uncounted = None
            self._step()
        except Exception as error:
            self._break(repr(error))

    def _begin(self, optimizer: torch.optim.Optimizer) -> None:
        self._counted, self._fingerprint = optimizer, Fingerprint(optimizer)
        rank, world = _rank_and_world()
        self._journal.write(
            "began",
            rank=rank,
            world=world,
            backend=_backend(optimizer) if _joined() else "",
            parameters=self._fingerprint.take(),
            part=self._fingerprint.of_a_part,
        )
        self._gates.ask()
        self._begun_ns = time.monotonic_ns()

    def _step(self) -> None:
        now = self._now()
        if now is not None:
            self._record(*now)
            self._gates.wait(self._done)

    def _now(self) -> tuple[int, str] | None:
        return None if self._fingerprint is None else (time.monotonic_ns(), self._fingerprint.take())

    def _record(self, done_ns: int, parameters: str) -> None:
        begun_ns, self._begun_ns = self._begun_ns, done_ns
        self._journal.write("step", at_ns=done_ns, step=self._done, begun_ns=begun_ns, parameters=parameters)
        self._done += 1

    def _break(self, why: str) -> None:
        self._broken = True
        print(f"torch_drills: no longer counting steps: {why}", file=sys.stderr)
        rank, world = _rank_and_world()
        with contextlib.suppress(OSError):  # said above; perhaps the journal itself cannot be written
            self._journal.write("not counted", rank=rank, world=world, why=why)


def _train_the_same(one: torch.optim.Optimizer, other: torch.optim.Optimizer | None) -> bool:
    """Whether the optimizers share their last parameter, as those that a script makes anew for each epoch or phase do."""
    return other is not None and _last(one) is _last(other)


def _last(optimizer: torch.optim.Optimizer) -> object:
    found = (one for group in reversed(optimizer.param_groups) for one in reversed(group["params"]))
    return next(found, optimizer)


def _rank_and_world() -> tuple[int, int]:
    return (distributed.get_rank(), distributed.get_world_size()) if _joined() else (0, 1)


def _backend(optimizer: torch.optim.Optimizer) -> str:
    """The backend that exchanges these parameters. A group made without naming one has one for each kind of device."""
    of_devices = dict(one.split(":") for one in distributed_c10d.get_backend_config().split(","))
    device = next((one.device.type for group in optimizer.param_groups for one in group["params"]), "cpu")
    return of_devices.get(device) or distributed.get_backend()


def _joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()
