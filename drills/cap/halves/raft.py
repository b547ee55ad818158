"""Raft has four nodes: neither half is a majority, so both refuse until the partition heals, and no read is stale."""

from __future__ import annotations

from drills.cap._cut import halves_cut
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from systems.raft import Raft

drill = halves_cut(Raft(replicas=4), checks=[linearizable, nothing_lost])
