"""The known bugs of the parameter server. Each breaks one rule, or replaces one part, of the correct server."""

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
    """From dealing a shard to its gradient: after that another worker gets the shard as well, and the first answer counts."""
    slow: float = 2.0
    """Another worker gets the shard already after this many times the longest time of any other shard of the step …"""
    least_s: float = 0.02
    """… but not before this."""
    silent_s: float = 1.0
    """Without a beat from the master: after that the other server stands for election."""
    heard_s: float = 0.6
    """A worker that got work from its master within this time promises itself to no other server."""
    gone_s: float = 1.0
    """Without a request from a worker, in the modes without rounds: after that another worker gets its batch."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules that a correct server or worker keeps, and its trainer, as "module:name"."""

    trainer: str = "systems.training.trainer:Trainer"
    limits: Limits = Limits()
    pushes_count_once: bool = True
    """A gradient that is pushed again, because its answer was lost, is not added again."""
    steps_compared: bool = True
    """A gradient counts in the step that it was computed for and in no other."""
    digests_checked: bool = True
    """Data that does not match its checksum is not used."""
    terms_compared: bool = True
    """A worker takes no work of an older term than it knows; a master that hears of a later one gives up."""
    promises_once: bool = True
    """A worker promises itself to one server in each term."""
    shards_dealt_again: bool = True
    """A step takes all shards: another worker computes those of one that does not answer."""
    samples_weigh_alike: bool = True
    """The mean is over samples, no matter how many of them each worker computed."""

    # Of the modes without rounds:
    staleness_checked: bool = True
    """A worker that is too far ahead of the slowest gets no work."""
    clocks_count_applied: bool = True
    """A clock counts updates that were applied, not the one under way."""
    gone_are_left_out: bool = True
    """A worker that is gone no longer counts as the slowest."""
    batches_given_again: bool = True
    """The batch of a worker that is gone is given to another one."""
    tasks_compared: bool = True
    """A gradient counts only while its batch belongs to that worker, with those parameters."""
    updates_count_once: bool = True
    """A gradient that is pushed again, because its answer was lost, is not applied again."""
    parameters_replaced: bool = True
    """A gradient is computed with the parameters that came with its batch."""
    updates_weigh_whole: bool = True
    """An update is the mean over its own batch, not divided among workers."""
    staleness_weighed: bool = True
    """The rate of an update is divided by its staleness."""
    rate_shared: bool = True
    """Workers whose batches together make one batch of the model share its learning rate."""
    open_batches_saved: bool = True
    """A checkpoint records the batches that were given out and not applied yet."""


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
        "the master resumes a checkpoint at the first step",
        Rules(trainer=f"{_TRAINERS}:ForgetsStep"),
        caught_by=("training/master_killed", "same_parameters"),
    ),
    Bug(
        "lost-shards",
        "the master leaves the shards of a worker that does not answer out of the step",
        Rules(shards_dealt_again=False),
        caught_by=("training/master_worker_killed", "every_sample_once"),
    ),
    Bug(
        "unweighted-mean",
        "the master weighs all workers equally in the mean, however many samples each computed",
        Rules(samples_weigh_alike=False),
        caught_by=("training/master_worker_killed", "same_parameters"),
    ),
    Bug(
        "pushes-added-twice",
        "the master adds a gradient twice if its worker pushes it again because no answer came",
        Rules(pushes_count_once=False),
        caught_by=("training/master_stalls", "same_parameters"),
    ),
    Bug(
        "late-gradients",
        "the master accepts a gradient in any step, whichever step it was computed for",
        Rules(steps_compared=False),
        caught_by=("training/master_worker_frozen", "same_parameters"),
    ),
    Bug(
        "no-timeout",
        "the master waits for a worker that does not answer, without a timeout",
        Rules(limits=Limits(overdue_s=3600, slow=math.inf)),
        caught_by=("training/master_worker_frozen", "max < 1.5s"),
    ),
    Bug(
        "digests-ignored",
        "master and workers use gradients and parameters without verifying their checksums",
        Rules(digests_checked=False),
        caught_by=("training/master_link_corrupt", "same_parameters"),
    ),
    Bug(
        "unfenced",
        "terms are not compared: a master that was replaced while it was frozen goes on, and workers obey both",
        Rules(terms_compared=False),
        caught_by=("training/master_paused", "one_history"),
    ),
    Bug(
        "promises-twice",
        "a worker promises itself to every server that asks in its term, so two may lead it",
        Rules(promises_once=False),
        caught_by=("training/master_and_standby_killed", "one_master_per_term"),
    ),
    Bug(
        "staleness-ignored",
        "the master gives a worker work no matter how far it is ahead of the slowest",
        Rules(staleness_checked=False),
        caught_by=("staleness/bounded_worker_slow", "bounded_staleness"),
    ),
    Bug(
        "clocks-run-ahead",
        "a worker's clock counts the batch being computed as done, so others get one clock further ahead than allowed",
        Rules(clocks_count_applied=False),
        caught_by=("staleness/bounded_worker_slow", "bounded_staleness"),
    ),
    Bug(
        "waits-for-the-gone",
        "the clock of a worker that is gone still counts as the slowest, so all others wait for it",
        Rules(gone_are_left_out=False),
        caught_by=("staleness/bounded_worker_frozen", "max < 2.5s"),
    ),
    Bug(
        "lost-batches",
        "the master gives the batch of a worker that is gone to no other worker",
        Rules(batches_given_again=False),
        caught_by=("staleness/asynchronous_worker_killed", "every_sample_once"),
    ),
    Bug(
        "late-updates",
        "the master applies a late gradient even if its batch was given to another worker",
        Rules(tasks_compared=False),
        caught_by=("staleness/bounded_worker_frozen", "every_sample_once"),
    ),
    Bug(
        "updates-applied-twice",
        "the master applies a gradient twice if its worker pushes it again because no answer came",
        Rules(updates_count_once=False),
        caught_by=("staleness/asynchronous_master_stalls", "every_sample_once"),
    ),
    Bug(
        "keeps-parameters",
        "a worker computes each gradient with the parameters that came with the previous batch",
        Rules(parameters_replaced=False),
        caught_by=("staleness/asynchronous_worker_slow", "same_parameters"),
    ),
    Bug(
        "mean-over-workers",
        "the master divides each update by the number of workers, as if each had computed only a part of it",
        Rules(updates_weigh_whole=False),
        caught_by=("staleness/asynchronous_worker_slow", "same_parameters"),
    ),
    Bug(
        "staleness-not-weighed",
        "the master gives all gradients the same weight, however stale their parameters are",
        Rules(staleness_weighed=False),
        caught_by=("staleness/asynchronous_worker_slow", "same_parameters"),
    ),
    Bug(
        "full-rate",
        "the master applies each update at the full learning rate, as if it were the only one and not stale",
        Rules(rate_shared=False),
        caught_by=("staleness/asynchronous_learns", "loss_parity"),
    ),
    Bug(
        "forgets-open-batches",
        "a checkpoint records how many batches were given out, but not which of them are still to be applied",
        Rules(open_batches_saved=False),
        caught_by=("staleness/bounded_master_killed", "every_sample_once"),
    ),
)
