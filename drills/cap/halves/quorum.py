"""A store of four nodes uses majority quorums: neither half is a majority, so both refuse until the partition heals."""

from __future__ import annotations

from drills.cap._cut import halves_cut
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from systems.quorum import Quorum

drill = halves_cut(Quorum(replicas=4, read=3, write=3), checks=[linearizable, nothing_lost])
