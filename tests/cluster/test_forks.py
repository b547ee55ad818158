"""Signals reach all of a foreign program's processes, whatever their pids and process groups."""

from __future__ import annotations

import os
import signal

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
