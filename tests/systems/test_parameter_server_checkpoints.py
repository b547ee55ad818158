"""A master that is frozen while it saves, and thaws when its successor has saved: whose checkpoints remain."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest
import torch

from harness.model.training_events import NotSaved, Saved
from harness.node.context import NodeContext
from harness.node.disk import Disk
from systems.parameter_server.bugs import CORRECT
from systems.parameter_server.checkpoints import TermCheckpoints
from systems.parameter_server.saving import Saving
from systems.parameter_server.term import Settings
from systems.parts.checkpoint.manifest import Identity
from systems.training.trainer import Trainer
from tests.helpers.freezing_files import FreezingFiles

KEEP = 2
OPERATIONS = 10
"""Of a save: the tensors and the manifest each truncate, append, sync, rename and sync the folder."""


def kept(term: int, disk: Callable[[str], Disk]) -> TermCheckpoints:
    settings = Settings(
        name="master", workers=(), model="digits", seed=1, step_s=0, checkpoint_every=1, checkpoints_kept=KEEP, staleness=None,
        parts=1, rules=CORRECT,
    )  # fmt: skip
    job = Identity(model="m", data="d", seed=1, shards=1, batch=1)
    return TermCheckpoints(term, settings, cast(NodeContext, SimpleNamespace(shared=disk)), job)


class Master:
    """Saves the state after every step, which is the same in every term."""

    def __init__(self, term: int, disk: Callable[[str], Disk]) -> None:
        self.told: list[Saved | NotSaved] = []
        self._done = threading.Semaphore(0)
        self.checkpoints = kept(term, disk)
        self.saving = Saving(term, self.checkpoints.own, self._tell, ThreadPoolExecutor(max_workers=1))

    def begin(self, step: int) -> None:
        state = {"weights": torch.full((64,), float(step))}
        trainer = SimpleNamespace(step=step, tensors=lambda: state)
        self.saving.step_done(cast(Trainer, trainer), msgspec.Raw(b"null"))

    def save(self, step: int) -> None:
        self.begin(step)
        assert self._done.acquire(timeout=60)
        self.saving._saver.wait(60)

    def _tell(self, what: Saved | NotSaved) -> None:
        self.told.append(what)
        self._done.release()


@pytest.mark.parametrize("nth", range(1, OPERATIONS + 1))
@pytest.mark.parametrize("last", range(3, 3 + KEEP + 2))
def test_a_master_that_thaws_in_the_middle_of_saving_leaves_its_successors_checkpoints_alone(
    tmp_path: Path, nth: int, last: int
) -> None:
    def plain(name: str) -> Disk:
        return Disk(tmp_path / name)

    files: list[FreezingFiles] = []

    def freezing(name: str) -> Disk:
        files.append(FreezingFiles(tmp_path / name))
        return Disk(files[-1])

    old = Master(1, freezing)
    old.save(1)
    old.save(2)
    [its_files] = files
    its_files.nth = nth
    old.begin(3)
    assert its_files.frozen.wait(60)

    new = Master(2, plain)
    term, found = new.checkpoints.newest()
    assert found is not None
    assert (term, found.step) == (1, 3 if nth == OPERATIONS else 2)
    for step in range(found.step + 1, last + 1):
        new.save(step)
    its_files.thawed.set()
    old.saving.close()
    new.saving.close()

    assert [one.step for one in old.told] == [1, 2, 3]
    assert not [one for one in old.told + new.told if isinstance(one, NotSaved)]
    _, resumed = kept(3, plain).newest()
    assert resumed is not None
    assert (resumed.step, resumed.refused) == (last, ())
    assert torch.equal(resumed.tensors["weights"], torch.full((64,), float(last)))
