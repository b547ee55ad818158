"""A primary has synchronous backups: one side has a primary, the other refuses, and no read is stale."""

from __future__ import annotations

from drills.cap._cut import minority_cut
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from systems.strong import Strong

drill = minority_cut(Strong(), checks=[linearizable, nothing_lost])
