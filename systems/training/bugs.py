"""The known bugs of training. Each replaces one part of a correct rank, or of the coordinator, by one that is wrong.

Parts are named, not imported: listing bugs needs no PyTorch.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Final, TypeVar, cast

from harness.model.bug import Bug, BugCatalog
from systems.training.exchange import Method
from systems.training.membership import Limits

T = TypeVar("T")

_TRAINERS: Final = "systems.training.known_bad.trainers"
_GUARDS: Final = "systems.training.known_bad.guards"
_CHECKPOINTS: Final = "systems.training.known_bad.checkpoints"
_EXCHANGES: Final = "systems.training.known_bad.exchanges"
_WORKERS: Final = "systems.training.known_bad.workers"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a correct training is made of; classes as "module:name"."""

    trainer: str = ""
    """"" for the one that the method of exchange has."""
    worker: str = "systems.training.worker:Worker"
    guard: str = "systems.training.guard:Guard"
    checkpoints: str = "systems.parts.checkpoint.store:Checkpoints"
    exchange: str = ""
    """A function that is given the method of exchange and returns one that is wrong."""
    limits: Limits = Limits()  # noqa: RUF009 - frozen

    def changed(self, method: Method) -> Method:
        """The method of exchange that a rank uses in place of the correct one."""
        if not self.exchange:
            return method
        module, _, name = self.exchange.partition(":")
        return cast(Method, getattr(importlib.import_module(module), name)(method))


def load(named: str, kind: type[T]) -> type[T]:
    """The class that "module:name" names, which is `kind` or made from it."""
    module, _, name = named.partition(":")
    found = getattr(importlib.import_module(module), name)
    assert issubclass(found, kind)  # noqa: S101 - named in this file
    return cast("type[T]", found)


BUGS: Final = BugCatalog(
    Parts(),
    Bug(
        "old-divisor",
        "gradients are divided by the number of ranks that there were at first, as in a DistributedDataParallel that is kept",
        Parts(exchange=f"{_EXCHANGES}:OldDivisor"),
        caught_by=("training/worker_killed", "same_parameters"),
    ),
    Bug(
        "lost-shards",
        "the samples of a rank that is gone are dropped",
        Parts(worker=f"{_WORKERS}:LostShards"),
        caught_by=("training/worker_killed", "every_sample_once"),
    ),
    Bug(
        "order-restarts",
        "a new group begins the data from its beginning",
        Parts(worker=f"{_WORKERS}:OrderRestarts"),
        caught_by=("training/worker_killed", "every_sample_once"),
    ),
    Bug(
        "next-permutation",
        "a new group goes on in the middle of the epoch with the order of the next one",
        Parts(worker=f"{_WORKERS}:NextPermutation"),
        caught_by=("training/worker_killed", "every_sample_once"),
    ),
    Bug(
        "skips-unfinished",
        "the batch whose step failed is skipped, not done again",
        Parts(worker=f"{_WORKERS}:SkipsUnfinished"),
        caught_by=("training/worker_killed", "every_sample_once"),
    ),
    Bug(
        "applies-alone",
        "a rank whose exchange fails applies its own gradients",
        Parts(worker=f"{_WORKERS}:AppliesAlone"),
        caught_by=("training/worker_killed", "same_parameters"),
    ),
    Bug(
        "rescaled-rate",
        "the learning rate is multiplied by the change of the number of ranks each time",
        Parts(worker=f"{_WORKERS}:RescaledRate"),
        caught_by=("training/worker_killed", "same_parameters"),
    ),
    Bug(
        "rank-order-sums",
        "gradients are added in the order of ranks, so that the bits depend on how many there are",
        Parts(exchange=f"{_EXCHANGES}:RankOrderSums"),
        caught_by=("training/worker_killed", "same_parameters"),
    ),
    Bug(
        "random-by-place",
        "dropout is drawn by a shard's place on its rank, not by the shard",
        Parts(trainer=f"{_TRAINERS}:RandomByPlace"),
        caught_by=("training/worker_killed", "same_parameters"),
    ),
    Bug(
        "no-optimizer-state",
        "what is sent to a rank that comes back, and what is saved, are the parameters without the optimizer's momentum",
        Parts(trainer=f"{_TRAINERS}:ForgetsMomentum"),
        caught_by=("training/worker_killed", "replicas_agree"),
    ),
    Bug(
        "states-not-compared",
        "a rank that comes back with parameters is taken to have the right ones",
        Parts(worker=f"{_WORKERS}:StatesNotCompared"),
        caught_by=("training/rank_frozen", "same_parameters"),
    ),
    Bug(
        "no-timeout",
        "a rank that is silent is waited for",
        Parts(limits=Limits(silent_s=3600, waiting_s=3600)),
        caught_by=("training/rank_frozen", "max < 1.5s"),
    ),
    Bug(
        "forgets-step",
        "a checkpoint is resumed with the first step",
        Parts(trainer=f"{_TRAINERS}:ForgetsStep"),
        caught_by=("training/all_killed", "same_parameters"),
    ),
    Bug(
        "auditor-blamed",
        "where an audit contradicts a rank, the one who audited is named",
        Parts(guard=f"{_GUARDS}:AuditorBlamed"),
        caught_by=("corruption/rank_computes_wrongly", "corruption_named"),
    ),
    Bug(
        "wrong-gradient-accepted",
        "an audit that contradicts a rank is written down, and the gradient is used",
        Parts(guard=f"{_GUARDS}:GradientAccepted"),
        caught_by=("corruption/rank_computes_wrongly", "corruption_named"),
    ),
    Bug(
        "length-convicts",
        "a gradient that is three times as long as most names its rank, with no look at whether it is right",
        Parts(guard=f"{_GUARDS}:LengthConvicts"),
        caught_by=("corruption/rank_computes_wrongly", "corruption_named"),
    ),
    Bug(
        "spoilt-steps-kept",
        "a rank that computes wrongly is left out, and what it has spoilt before that is kept",
        Parts(guard=f"{_GUARDS}:SpoiltStepsKept"),
        caught_by=("corruption/rank_computes_wrongly", "corruption_named"),
    ),
    Bug(
        "checksum-of-the-loss",
        "the checksum that goes with a gradient is of its last number alone",
        Parts(guard=f"{_GUARDS}:ChecksumOfTheLoss"),
        caught_by=("corruption/link_flips", "same_parameters"),
    ),
    Bug(
        "changed-gradient-accepted",
        "checksums go with gradients, and nobody compares them with what has arrived",
        Parts(guard=f"{_GUARDS}:ChangedGradientAccepted"),
        caught_by=("corruption/link_flips", "same_parameters"),
    ),
    Bug(
        "states-compared-late",
        "ranks compare their states at each twentieth step alone",
        Parts(guard=f"{_GUARDS}:StatesComparedLate"),
        caught_by=("corruption/memory_flips", "same_parameters"),
    ),
    Bug(
        "saved-copy-trusted",
        "what was saved is taken for what the training held, as long as the files are as they were written",
        Parts(checkpoints=f"{_CHECKPOINTS}:CopyTrusted"),
        caught_by=("corruption/checkpoint_flips", "same_parameters"),
    ),
    Bug(
        "oldest-used",
        "training resumes from the oldest checkpoint that is kept",
        Parts(checkpoints=f"{_CHECKPOINTS}:OldestUsed"),
        caught_by=("training/all_killed", "checkpoints_valid"),
    ),
    Bug(
        "forgets-residual",
        "what a compressed gradient leaves out is dropped, not kept for the next step: there is no error feedback",
        Parts(exchange=f"{_EXCHANGES}:ForgetsResidual"),
        caught_by=("exchange/powersgd_killed", "loss_parity"),
    ),
    Bug(
        "own-uncompressed",
        "each rank takes its own gradient as it was before it was compressed, and the others' as they came",
        Parts(exchange=f"{_EXCHANGES}:OwnUncompressed"),
        caught_by=("exchange/one_bit_killed", "replicas_agree"),
    ),
    Bug(
        "signs-reversed",
        "the eight signs of a byte are read from its other end",
        Parts(exchange=f"{_EXCHANGES}:SignsReversed"),
        caught_by=("exchange/one_bit_killed", "loss_parity"),
    ),
    Bug(
        "residual-not-saved",
        "a checkpoint holds no rank's residual",
        Parts(trainer=f"{_TRAINERS}:ForgetsPrivate"),
        caught_by=("exchange/all_killed", "resumes_exactly"),
    ),
    Bug(
        "old-scale",
        "after a change of members the mean gradient is still divided by the number of ranks that there were at first",
        Parts(exchange=f"{_EXCHANGES}:OldScale"),
        caught_by=("exchange/allreduce_shrinks", "loss_parity"),
    ),
    Bug(
        "averages-early",
        "a rank averages what has arrived, and does not wait for the ranks after it",
        Parts(exchange=f"{_EXCHANGES}:AveragesEarly"),
        caught_by=("exchange/local_sgd_killed", "replicas_agree"),
    ),
    Bug(
        "outer-momentum-not-sent",
        "what is sent to a rank that comes back is the model without the momentum of the outer steps",
        Parts(trainer=f"{_TRAINERS}:ForgetsShared"),
        caught_by=("exchange/local_sgd_killed", "replicas_agree"),
    ),
    Bug(
        "slow-link-cut",
        "a link over which an exchange takes long is taken for one that is cut, again and again",
        Parts(worker=f"{_WORKERS}:CountsAllWaiting"),
        caught_by=("exchange/slow_link_exact", "stall < 5s"),
    ),
)
