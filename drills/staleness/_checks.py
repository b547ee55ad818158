"""The checks of the drills whose modes have no rounds."""

from __future__ import annotations

from harness.checkers.bounded_staleness import bounded_staleness
from harness.checkers.checkpoints_valid import checkpoints_valid
from harness.checkers.every_sample_once import every_sample_once
from harness.checkers.loss_parity import loss_parity_within
from harness.checkers.master_undisturbed import master_undisturbed
from harness.checkers.one_master_per_term import one_master_per_term
from harness.checkers.recovered import recovered
from harness.checkers.replicas_agree import replicas_agree
from harness.checkers.same_parameters import same_parameters

CHECKS = (same_parameters, replicas_agree, every_sample_once, recovered, one_master_per_term, master_undisturbed)
"""The control is what was done, done again. `one_history` is missing: what a takeover rolls back comes to something else."""

learns = loss_parity_within(0.06, learnt=0.95)
"""What is applied as recorded may still not learn. Unknown before the synchronous training has learnt enough: after some 150
batches of `digits`. At first it depends on chance which of the two is ahead."""

BOUNDED_CHECKS = (*CHECKS, bounded_staleness)

MASTER_CHECKS = (*BOUNDED_CHECKS, checkpoints_valid)
"""Of one whose master is replaced: the old one comes back as the standby, and does no step any more."""
