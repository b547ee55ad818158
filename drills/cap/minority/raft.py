"""One leader at a time: a majority goes on, led anew if it must be, the other side refuses, and no read is ever stale."""

from __future__ import annotations

from drills.cap._cut import minority_cut
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from systems.raft import Raft

drill = minority_cut(Raft(replicas=3), checks=[linearizable, nothing_lost])
