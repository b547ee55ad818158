"""Majority reads and writes of four: neither pair is a majority, and both refuse until they meet again."""

from __future__ import annotations

from drills.cap._cut import halves_cut
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from systems.quorum import Quorum

drill = halves_cut(Quorum(replicas=4, read=3, write=3), checks=[linearizable, nothing_lost])
