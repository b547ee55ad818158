"""Signals reach all processes of a foreign program, whatever their pids and process groups. Forked nodes start small."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from harness.cluster import forks


def test_a_child_whose_pid_is_lower_than_its_parents_is_killed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pids wrap around, so a child may have a lower one than its parent."""
    leader, daemon, worker, other = 32_700, 32_767, 301, 302
    processes = [(worker, daemon, daemon), (other, 1, other), (leader, 1, leader), (daemon, leader, daemon)]
    signalled: list[tuple[int, int]] = []
    monkeypatch.setattr(forks, "_processes", lambda: iter(processes))
    monkeypatch.setattr(os, "kill", lambda pid, number: signalled.append((pid, number)))
    monkeypatch.setattr(os, "killpg", lambda group, number: signalled.append((group, number)))

    forks.signal_all(leader, signal.SIGKILL)

    assert signalled[0] == (leader, signal.SIGSTOP)
    assert sorted(signalled[1:]) == sorted((pid, signal.SIGKILL) for pid in (leader, daemon, worker))


def test_what_a_run_is_forked_from_leaves_pandas_out() -> None:
    """Importing it takes a quarter of a second, at the start of every run."""
    code = """
import sys
import harness.cluster.warden, workloads.load.generator, faults.plane.node, systems.raft.node, systems.serving.balancer
print([name for name in ("pandas", "rich", "jinja2") if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
