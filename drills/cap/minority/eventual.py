"""Each node answers alone: both sides answer every call, reads are stale, and all nodes agree soon after the partition."""

from __future__ import annotations

from drills.cap._cut import minority_cut
from harness.checkers.converges import converges
from harness.checkers.nothing_lost import nothing_lost
from systems.eventual import Eventual

drill = minority_cut(Eventual(replicas=3), checks=[converges, nothing_lost])
