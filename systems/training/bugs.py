"""The known bugs of training. Each replaces one part of a correct rank, or of a coordinator, by a broken one.

Parts are named, not imported: listing bugs needs no PyTorch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar, cast

from harness.model.bug import Bug, BugCatalog
from harness.node.context import NodeContext
from systems.training.exchange import Method
from systems.training.membership import Limits

T = TypeVar("T")

_TRAINERS: Final = "systems.training.known_bad.trainers"
_GUARDS: Final = "systems.training.known_bad.guards"
_CHECKPOINTS: Final = "systems.training.known_bad.checkpoints"
_EXCHANGES: Final = "systems.training.known_bad.exchanges"
_WORKERS: Final = "systems.training.known_bad.workers"
_COUNCILS: Final = "systems.training.known_bad.councils"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of a training; classes as "module:name". The defaults are correct."""

    trainer: str = ""
    """"" for the trainer of the method of exchange."""
    worker: str = "systems.training.worker:Worker"
    guard: str = "systems.training.guard:Guard"
    checkpoints: str = "systems.parts.checkpoint.store:Checkpoints"
    exchange: str = ""
    """A function that takes the method of exchange and returns a broken one."""
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    clock: Callable[[NodeContext], float] = NodeContext.clock
    """The clock with which a coordinator measures silence."""
    council: str = "systems.training.council:Council"

    def changed(self, method: Method) -> Method:
        """The method of exchange that a rank uses in place of the correct one."""
        if not self.exchange:
            return method
        module, _, name = self.exchange.partition(":")
        return cast(Method, getattr(importlib.import_module(module), name)(method))


def load(named: str, kind: type[T]) -> type[T]:
    """The class that "module:name" names, which is `kind` or a subclass."""
    module, _, name = named.partition(":")
    found = getattr(importlib.import_module(module), name)
    assert issubclass(found, kind)  # noqa: S101 - named in this file
    return cast("type[T]", found)


BUGS: Final = BugCatalog(
    Parts(),
    Bug(
        "old-divisor",
        "ranks divide gradients by the initial number of ranks, like a DistributedDataParallel that is not built anew",
        Parts(exchange=f"{_EXCHANGES}:OldDivisor"),
        caught_by=("training/worker_killed", "same_parameters"),
    ),
    Bug(
        "lost-shards",
        "ranks drop the samples of a rank that is gone",
        Parts(worker=f"{_WORKERS}:LostShards"),
        caught_by=("training/worker_killed", "every_sample_once"),
    ),
    Bug(
        "order-restarts",
        "a new group starts again from the beginning of the data",
        Parts(worker=f"{_WORKERS}:OrderRestarts"),
        caught_by=("training/worker_killed", "every_sample_once"),
    ),
    Bug(
        "next-permutation",
        "a new group switches to the next epoch's order in the middle of an epoch",
        Parts(worker=f"{_WORKERS}:NextPermutation"),
        caught_by=("training/worker_killed", "every_sample_once"),
    ),
    Bug(
        "skips-unfinished",
        "ranks skip a batch whose step failed, instead of repeating it",
        Parts(worker=f"{_WORKERS}:SkipsUnfinished"),
        caught_by=("training/worker_killed", "every_sample_once"),
    ),
    Bug(
        "applies-alone",
        "a rank whose exchange failed applies its own gradients alone",
        Parts(worker=f"{_WORKERS}:AppliesAlone"),
        caught_by=("training/worker_killed", "same_parameters"),
    ),
    Bug(
        "rescaled-rate",
        "ranks scale the learning rate each time the number of ranks changes",
        Parts(worker=f"{_WORKERS}:RescaledRate"),
        caught_by=("training/worker_killed", "same_parameters"),
    ),
    Bug(
        "rank-order-sums",
        "ranks add gradients in the order of ranks, so the bits of the sum depend on their number",
        Parts(exchange=f"{_EXCHANGES}:RankOrderSums"),
        caught_by=("training/worker_killed", "same_parameters"),
    ),
    Bug(
        "random-by-place",
        "ranks draw dropout by a shard's place on its rank, not by the shard",
        Parts(trainer=f"{_TRAINERS}:RandomByPlace"),
        caught_by=("training/worker_killed", "same_parameters"),
    ),
    Bug(
        "no-optimizer-state",
        "ranks save the parameters, and send them to a rank that comes back, without the optimizer's momentum",
        Parts(trainer=f"{_TRAINERS}:ForgetsMomentum"),
        caught_by=("training/worker_killed", "replicas_agree"),
    ),
    Bug(
        "states-not-compared",
        "ranks trust the parameters of a rank that comes back, without comparing them",
        Parts(worker=f"{_WORKERS}:StatesNotCompared"),
        caught_by=("training/rank_frozen", "same_parameters"),
    ),
    Bug(
        "no-timeout",
        "ranks wait for a silent rank without a timeout",
        Parts(limits=Limits(silent_s=3600, waiting_s=3600)),
        caught_by=("training/rank_frozen", "max < 1.5s"),
    ),
    Bug(
        "forgets-step",
        "training resumes a checkpoint at the first step",
        Parts(trainer=f"{_TRAINERS}:ForgetsStep"),
        caught_by=("training/all_killed", "same_parameters"),
    ),
    Bug(
        "auditor-blamed",
        "an audit that contradicts a rank blames the auditor",
        Parts(guard=f"{_GUARDS}:AuditorBlamed"),
        caught_by=("corruption/rank_computes_wrongly", "corruption_named"),
    ),
    Bug(
        "wrong-gradient-accepted",
        "ranks record an audit that contradicts a rank, but still use its gradient",
        Parts(guard=f"{_GUARDS}:GradientAccepted"),
        caught_by=("corruption/rank_computes_wrongly", "corruption_named"),
    ),
    Bug(
        "length-convicts",
        "ranks blame a rank for a gradient three times as long as most, without checking whether it is wrong",
        Parts(guard=f"{_GUARDS}:LengthConvicts"),
        caught_by=("corruption/rank_computes_wrongly", "corruption_named"),
    ),
    Bug(
        "spoilt-steps-kept",
        "ranks exclude one that computes wrongly, but keep the steps that it has already spoilt",
        Parts(guard=f"{_GUARDS}:SpoiltStepsKept"),
        caught_by=("corruption/rank_computes_wrongly", "corruption_named"),
    ),
    Bug(
        "old-audits-count",
        "ranks trust one for audits of steps that were taken back since, and keep what it spoils when they are repeated",
        Parts(guard=f"{_GUARDS}:OldAuditsCount"),
        caught_by=("corruption/second_computes_wrongly", "corruption_named"),
    ),
    Bug(
        "checksum-of-the-loss",
        "the checksum of a gradient covers only its last number",
        Parts(guard=f"{_GUARDS}:ChecksumOfTheLoss"),
        caught_by=("corruption/link_flips", "same_parameters"),
    ),
    Bug(
        "changed-gradient-accepted",
        "ranks send checksums with gradients, but do not verify them on arrival",
        Parts(guard=f"{_GUARDS}:ChangedGradientAccepted"),
        caught_by=("corruption/link_flips", "same_parameters"),
    ),
    Bug(
        "states-compared-late",
        "ranks compare their states only every twenty steps",
        Parts(guard=f"{_GUARDS}:StatesComparedLate"),
        caught_by=("corruption/memory_flips", "same_parameters"),
    ),
    Bug(
        "saved-copy-trusted",
        "ranks trust a checkpoint whose files are as written, even if the state was corrupt before it was saved",
        Parts(checkpoints=f"{_CHECKPOINTS}:CopyTrusted"),
        caught_by=("corruption/checkpoint_flips", "same_parameters"),
    ),
    Bug(
        "oldest-used",
        "training resumes from the oldest checkpoint instead of the newest",
        Parts(checkpoints=f"{_CHECKPOINTS}:OldestUsed"),
        caught_by=("training/all_killed", "checkpoints_valid"),
    ),
    Bug(
        "forgets-residual",
        "ranks drop what compression leaves out of a gradient, instead of adding it to the next: there is no error feedback",
        Parts(exchange=f"{_EXCHANGES}:ForgetsResidual"),
        caught_by=("exchange/powersgd_killed", "loss_parity"),
    ),
    Bug(
        "healed-early",
        "a rank counts as healed as soon as it knows the step, before it has the parameters",
        Parts(worker=f"{_WORKERS}:HealedEarly"),
        caught_by=("training/healer_killed", "same_parameters"),
    ),
    Bug(
        "wall-clock",
        "the coordinator measures a rank's silence with the wall clock, which may jump back",
        Parts(clock=NodeContext.time),
        caught_by=("training/clock_jumps", "max < 1.5s"),
    ),
    Bug(
        "own-uncompressed",
        "each rank averages its own uncompressed gradient with the compressed gradients of the others",
        Parts(exchange=f"{_EXCHANGES}:OwnUncompressed"),
        caught_by=("exchange/one_bit_killed", "replicas_agree"),
    ),
    Bug(
        "signs-reversed",
        "ranks read the eight signs of a byte in the reverse order",
        Parts(exchange=f"{_EXCHANGES}:SignsReversed"),
        caught_by=("exchange/one_bit_killed", "loss_parity"),
    ),
    Bug(
        "residual-not-saved",
        "checkpoints do not contain the ranks' residuals",
        Parts(trainer=f"{_TRAINERS}:ForgetsPrivate"),
        caught_by=("exchange/all_killed", "resumes_exactly"),
    ),
    Bug(
        "old-scale",
        "after a change of members, ranks still divide the mean gradient by the initial number of ranks",
        Parts(exchange=f"{_EXCHANGES}:OldScale"),
        caught_by=("exchange/allreduce_shrinks", "loss_parity"),
    ),
    Bug(
        "averages-early",
        "a rank averages what has arrived, without waiting for the ranks after it",
        Parts(exchange=f"{_EXCHANGES}:AveragesEarly"),
        caught_by=("exchange/local_sgd_killed", "replicas_agree"),
    ),
    Bug(
        "outer-momentum-not-sent",
        "ranks send a rank that comes back the model without the momentum of the outer steps",
        Parts(trainer=f"{_TRAINERS}:ForgetsShared"),
        caught_by=("exchange/local_sgd_killed", "replicas_agree"),
    ),
    Bug(
        "slow-link-cut",
        "ranks take a slow link for a cut one, again and again",
        Parts(worker=f"{_WORKERS}:CountsAllWaiting"),
        caught_by=("exchange/slow_link_exact", "stall < 5s"),
    ),
    Bug(
        "decides-without-quorum",
        "a leading coordinator uses a generation before a majority of the coordinators has it on disk",
        Parts(council=f"{_COUNCILS}:DecidesWithoutQuorum"),
        caught_by=("training/majorities_apart", "one_group"),
    ),
    Bug(
        "forgets-generation",
        "a coordinator that takes over counts generations from its own beginning",
        Parts(council=f"{_COUNCILS}:ForgetsGeneration"),
        caught_by=("training/leader_paused", "max < 2s"),
    ),
    Bug(
        "forgets-group",
        "a coordinator that takes over does not know which group trains, and forms one without any member of it",
        Parts(council=f"{_COUNCILS}:ForgetsGroup"),
        caught_by=("training/last_group_cut_off", "one_group"),
    ),
    Bug(
        "deposed-decides",
        "a coordinator that has lost the leadership goes on deciding",
        Parts(council=f"{_COUNCILS}:DeposedDecides"),
        caught_by=("training/majorities_apart", "one_group"),
    ),
)
