"""A store uses majority quorums: the majority goes on, the minority refuses, and no read is stale."""

from __future__ import annotations

from drills.cap._cut import minority_cut
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from systems.quorum import Quorum

drill = minority_cut(Quorum(replicas=3, read=2, write=2), checks=[linearizable, nothing_lost])
