"""The checks of every drill of a training."""

from __future__ import annotations

from harness.checkers.checkpoints_valid import checkpoints_valid
from harness.checkers.corruption_named import corruption_named
from harness.checkers.every_sample_once import every_sample_once
from harness.checkers.leader_completeness import leader_completeness
from harness.checkers.log_matching import log_matching
from harness.checkers.master_undisturbed import master_undisturbed
from harness.checkers.one_group import one_group
from harness.checkers.one_history import one_history
from harness.checkers.one_leader_per_term import one_leader_per_term
from harness.checkers.one_master_per_term import one_master_per_term
from harness.checkers.recovered import recovered
from harness.checkers.replicas_agree import replicas_agree
from harness.checkers.same_parameters import same_parameters
from harness.checkers.state_machine_safety import state_machine_safety

CHECKS = (same_parameters, replicas_agree, one_history, every_sample_once, recovered)

COORDINATED = (*CHECKS, one_group, one_leader_per_term, log_matching, leader_completeness, state_machine_safety)
"""Of a training with several coordinators, which are a Raft group."""

SERVED = (*CHECKS, one_master_per_term, master_undisturbed)
"""Of a parameter server."""

MASTER_CHECKS = (*SERVED, checkpoints_valid)
"""Of one whose master is replaced: the old one comes back as the standby, and does no step any more."""

LEFT_OUT = (corruption_named, replicas_agree, every_sample_once)
"""Of a training with a rank that computes wrongly and is left out for good. Until it is found out its steps are wrong."""
