"""Where the kernel says that control groups are; tests/faults/test_slow_cpu.py tests what they do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cluster import cgroups
from harness.cluster.cgroups import PREFIX, CpuGroup, Hierarchy, cpu_hierarchy


def _mounts(folder: Path, *lines: str) -> Path:
    mounts = folder / "mounts"
    mounts.write_text("".join(f"{line}\n" for line in ("proc /proc proc rw 0 0", *lines)))
    return mounts


def test_version_1_is_where_the_cpu_controller_is(tmp_path: Path) -> None:
    mounts = _mounts(
        tmp_path,
        "cgroup /cg/cpuset cgroup rw,cpuset 0 0",
        "cgroup /cg/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0",
        f"cgroup2 {tmp_path} cgroup2 rw 0 0",
    )
    assert cpu_hierarchy(mounts) == Hierarchy(Path("/cg/cpu,cpuacct"), 1)


def test_version_2_is_used_where_its_top_hands_the_cpu_controller_on(tmp_path: Path) -> None:
    (tmp_path / "cgroup.subtree_control").write_text("cpuset cpu io memory pids\n")
    assert cpu_hierarchy(_mounts(tmp_path, f"cgroup2 {tmp_path} cgroup2 rw 0 0")) == Hierarchy(tmp_path, 2)


def test_version_2_without_the_cpu_controller_will_not_do(tmp_path: Path) -> None:
    (tmp_path / "cgroup.subtree_control").write_text("memory pids\n")
    with pytest.raises(OSError, match="no cpu controller"):
        cpu_hierarchy(_mounts(tmp_path, f"cgroup2 {tmp_path} cgroup2 rw 0 0"))


def test_limit_is_written_in_the_words_of_each_version(tmp_path: Path) -> None:
    CpuGroup(Hierarchy(tmp_path, 2), tmp_path, tmp_path).limit(0.25)
    assert (tmp_path / "cpu.max").read_text() == "2500 10000"
    CpuGroup(Hierarchy(tmp_path, 1), tmp_path, tmp_path).limit(0.01)
    assert (tmp_path / "cpu.cfs_quota_us").read_text() == "1000"  # the kernel takes no less
    assert (tmp_path / "cpu.cfs_period_us").read_text() == "100000"


def test_group_left_by_a_harness_that_is_gone_is_removed() -> None:
    try:
        hierarchy = cpu_hierarchy()
        home = hierarchy.home(os.getpid()) if hierarchy.version == 1 else hierarchy.mount
        with subprocess.Popen([sys.executable, "-c", ""]) as gone:
            gone.wait()
        left, kept = home / f"{PREFIX}-{gone.pid}-1", home / f"{PREFIX}-{os.getpid()}-1"
        left.mkdir()
    except OSError as error:
        pytest.skip(f"control groups cannot be made here: {error}")
    kept.mkdir()
    told: list[Path] = []
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        group = CpuGroup.create(process.pid, told.append)
        assert not left.exists()
        assert kept.exists()
        assert hierarchy.home(process.pid) == told[0]
        group.dissolve()
        assert hierarchy.home(process.pid) == hierarchy.home(os.getpid())
    kept.rmdir()
    assert not told[0].exists()


STARTS_MORE = "import subprocess, sys\nfor _ in sys.stdin: print(subprocess.Popen(['sleep', '60']).pid, flush=True)"


def test_what_is_started_while_processes_move_moves_too(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        hierarchy = cpu_hierarchy()
        if not os.access(hierarchy.mount, os.W_OK):
            raise PermissionError("root makes them")
    except OSError as error:
        pytest.skip(f"control groups cannot be made here: {error}")
    started: list[int] = []
    directories: list[Path] = []
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_MORE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:

        def start_first(pid: int, group: Path) -> None:
            if pid == parent.pid and parent.stdin is not None and parent.stdout is not None:
                print(file=parent.stdin, flush=True)
                started.append(int(parent.stdout.readline()))
            move(pid, group)

        move = cgroups._move
        monkeypatch.setattr(cgroups, "_move", start_first)
        group = CpuGroup.create(parent.pid, directories.append)
        assert [hierarchy.home(pid) for pid in started] == directories
        group.dissolve()
        assert not directories[0].exists()
        for pid in started:
            os.kill(pid, signal.SIGKILL)
