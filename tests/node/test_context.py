"""What a node gets from its context."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.model.steering import Setting
from harness.node.context import NodeContext, NodeSpec


def test_writes_to_a_shared_folder_that_fail_do_not_leave_more_and_more_files_open(tmp_path: Path) -> None:
    spec = NodeSpec(name="n1", start=0, host="127.0.0.1", port=0, data=str(tmp_path / "nodes" / "n1"), log="", seed=1)
    node = NodeContext(spec)
    node._machine.control[Setting.NO_SPACE] = 1
    for _ in range(8):
        with pytest.raises(OSError, match="No space left on device"):
            node.shared("checkpoints").replace("manifest", b"new")
    targets = [str(one.resolve()) for one in Path("/proc/self/fd").iterdir()]
    assert len([target for target in targets if target.startswith(f"{tmp_path}/shared/")]) == 1
    node._machine.control[Setting.NO_SPACE] = 0
    node.shared("checkpoints").replace("manifest", b"new")
    assert node.shared("checkpoints").read("manifest") == b"new"
