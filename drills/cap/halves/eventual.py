"""Each node answers alone: both halves answer every call, reads are stale, and all nodes agree soon after the partition."""

from __future__ import annotations

from drills.cap._cut import halves_cut
from harness.checkers.converges import converges
from harness.checkers.nothing_lost import nothing_lost
from systems.eventual import Eventual

drill = halves_cut(Eventual(replicas=4), checks=[converges, nothing_lost])
