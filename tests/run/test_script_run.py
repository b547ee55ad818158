"""A run of a training script that is lost before the script has made a step."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest

from harness.cluster.script.environment import journals_folder
from harness.cluster.toxiproxy import FaultPlane
from harness.cluster.warden_client import WardenClient
from harness.model.errors import HarnessError
from harness.run.injector import Watcher
from harness.run.script_run import ScriptRun
from harness.run.script_spec import ScriptSpec

SPEC = ScriptSpec(
    command=("torchrun", "train.py"), faults=(), fault_texts=(), slos=(), seed=1, plane="embedded", start_s=5.0
)  # fmt: skip


def test_a_warden_or_fault_plane_that_dies_before_the_first_step_is_told_at_once(tmp_path: Path) -> None:
    journals_folder(tmp_path).mkdir()
    run = ScriptRun(SPEC, tmp_path, cast(Watcher, None))
    run._lose(HarnessError("The process that starts the nodes has ended."))
    with pytest.raises(HarnessError, match="The process that starts the nodes has ended"):
        asyncio.run(run._begun(cast(FaultPlane, None), cast(WardenClient, None), None))
