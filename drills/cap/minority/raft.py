"""Raft has one leader at a time: the majority goes on, with a new leader if needed, the minority refuses; no read is stale."""

from __future__ import annotations

from drills.cap._cut import minority_cut
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from systems.raft import Raft

drill = minority_cut(Raft(replicas=3), checks=[linearizable, nothing_lost])
