"""A primary has synchronous backups, and one half has the keepers: neither half is a majority, so both refuse."""

from __future__ import annotations

from drills.cap._cut import halves_cut
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from systems.strong import Strong

drill = halves_cut(Strong(replicas=4), checks=[linearizable, nothing_lost])
