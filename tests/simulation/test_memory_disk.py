"""A simulated disk does what a real one does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from harness.node.disk import Disk
from harness.simulation.disk import HostFiles, MemoryDisk


def simulated(_: Path) -> Disk:
    return Disk(HostFiles(MemoryDisk(Random(1)), "data", lambda operation, seconds: None))


@pytest.mark.parametrize("make", [Disk, simulated], ids=["real", "simulated"])
def test_a_mapped_file_can_be_appended_to_and_its_mapping_not_be_written(tmp_path: Path, make: Callable[[Path], Disk]) -> None:
    disk = make(tmp_path)
    disk.append("log", b"abc")
    mapped = disk.map("log")
    disk.append("log", b"def")
    with pytest.raises(TypeError, match="read-only"):
        mapped[0] = 0
    assert (bytes(mapped), disk.read("log")) == (b"abc", b"abcdef")
