"""The known bugs of the parameter server. Each breaks one rule of the correct one, or replaces one part of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from harness.model.bug import Bug, BugCatalog

_TRAINERS: Final = "systems.training.known_bad.trainers"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long is too long, in seconds."""

    overdue_s: float = 0.2
    """From a shard's being dealt to its gradient: then another worker gets it as well, and the first answer counts."""
    slow: float = 2.0
    """It gets it already when this one took so many times as long as any other shard of the step …"""
    least_s: float = 0.02
    """… and so long at least."""
    silent_s: float = 1.0
    """Without a beat of the master: then the other server stands for election."""
    heard_s: float = 0.6
    """A worker that had work from its master within this time promises itself to no other."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules that a correct server or worker keeps, and the trainer it works with, as "module:name"."""

    trainer: str = "systems.training.trainer:Trainer"
    limits: Limits = Limits()
    pushes_count_once: bool = True
    """A gradient that is pushed again, because its answer was lost, is not added again."""
    steps_compared: bool = True
    """A gradient counts in the step that it was computed for and in no other."""
    digests_checked: bool = True
    """What does not match its SHA-256 is not used."""
    terms_compared: bool = True
    """A worker takes work only from the master that it promised itself to last; a master with an older term gives up."""
    shards_dealt_again: bool = True
    """A step takes all shards: those of a worker that does not answer are computed by another."""
    samples_weigh_alike: bool = True
    """The mean is over samples, however many of them a worker computed."""


CORRECT: Final = Rules()

BUGS: Final = BugCatalog(
    CORRECT,
    Bug(
        "no-optimizer-state",
        "a checkpoint holds the parameters without the optimizer's momentum",
        Rules(trainer=f"{_TRAINERS}:ForgetsMomentum"),
        caught_by=("training/master_killed", "same_parameters"),
    ),
    Bug(
        "forgets-step",
        "a checkpoint is resumed with the first step",
        Rules(trainer=f"{_TRAINERS}:ForgetsStep"),
        caught_by=("training/master_killed", "same_parameters"),
    ),
    Bug(
        "lost-shards",
        "the shards of a worker that does not answer are left out of the step",
        Rules(shards_dealt_again=False),
        caught_by=("training/master_worker_killed", "every_sample_once"),
    ),
    Bug(
        "unweighted-mean",
        "the mean is over workers, each with as much weight, however many samples it computed",
        Rules(samples_weigh_alike=False),
        caught_by=("training/master_worker_killed", "same_parameters"),
    ),
    Bug(
        "pushes-added-twice",
        "a gradient that is pushed again, because its answer did not come, is added again",
        Rules(pushes_count_once=False),
        caught_by=("training/master_stalls", "same_parameters"),
    ),
    Bug(
        "late-gradients",
        "a gradient is taken in whatever step it arrives",
        Rules(steps_compared=False),
        caught_by=("training/master_worker_frozen", "same_parameters"),
    ),
    Bug(
        "no-timeout",
        "a worker that does not answer is waited for",
        Rules(limits=Limits(overdue_s=3600, slow=math.inf)),
        caught_by=("training/master_worker_frozen", "max < 1.5s"),
    ),
    Bug(
        "digests-ignored",
        "a gradient is used, and parameters are, whether or not they match their SHA-256",
        Rules(digests_checked=False),
        caught_by=("training/master_link_corrupt", "same_parameters"),
    ),
    Bug(
        "unfenced",
        "terms are not compared: a master that was replaced while it was frozen goes on, and workers serve both",
        Rules(terms_compared=False),
        caught_by=("training/master_paused", "one_history"),
    ),
)
