"""Serving's known bugs. Each replaces one correct part by one from `known_bad` that deviates from it in one visible way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from harness.model.bug import Bug, BugCatalog
from harness.model.rollout import Rollout
from systems.parts.retry_budget import RetryBudget
from systems.serving.admission import Admission
from systems.serving.artifacts import STALE_WEIGHTS, WEIGHTS
from systems.serving.coalescing import Gatherer
from systems.serving.dispatch import Dispatcher
from systems.serving.health import HealthChecker
from systems.serving.known_bad import balancer_parts, rollouts
from systems.serving.policy import Pool


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The classes of the balancer and of deploys, and the last replica's weights. The defaults are correct."""

    pool: type[Pool] = Pool
    admission: type[Admission] = Admission
    retry_budget: type[RetryBudget] = RetryBudget
    checker: type[HealthChecker] = HealthChecker
    dispatcher: type[Dispatcher] = Dispatcher
    gatherer: type[Gatherer] = Gatherer
    replica: str = "systems.serving.replica"
    """The replica's module by name, so that importing this one does not import PyTorch …"""
    limited_replica: str = "systems.serving.limited_replica"
    """… and that of `LimitedServing`'s replica."""
    last_weights: str = WEIGHTS
    rollout: type[Rollout] = Rollout


CORRECT: Final = Variant()

BUGS: Final = BugCatalog(
    CORRECT,
    Bug(
        "swapped-answers",
        "the balancer gives each answer to the request that has waited longest, not to the one it answers",
        Variant(dispatcher=balancer_parts.SwappedAnswers),
        caught_by=("serving/healthy", "predictions_correct"),
    ),
    Bug(
        "never-recovers",
        "the balancer never uses a replica again after it went down",
        Variant(pool=balancer_parts.NeverRecovers),
        caught_by=("serving/replica_crash", "replicas_return"),
    ),
    Bug(
        "same-replica-retry",
        "the balancer retries a failed request on the same replica",
        Variant(pool=balancer_parts.SameReplicaRetry),
        caught_by=("serving/replica_partitioned", "availability >= 99.5%"),
    ),
    Bug(
        "ignores-health",
        "the balancer also sends requests to replicas that are down",
        Variant(pool=balancer_parts.IgnoresHealth),
        caught_by=("serving/replica_partitioned", "p95 < 240ms"),
    ),
    Bug(
        "blind-choice",
        "the balancer chooses replicas without regard to how busy they are",
        Variant(pool=balancer_parts.BlindChoice),
        caught_by=("serving/slow_replica", "p95 < 45ms"),
    ),
    Bug(
        "ejects-all",
        "the balancer ejects even the last replicas after failed requests",
        Variant(pool=balancer_parts.EjectsAll),
        caught_by=("serving/brownouts", "availability >= 62%"),
    ),
    Bug(
        "no-breaker",
        "the balancer asks a replica that often fails or answers late as often as the others",
        Variant(pool=balancer_parts.NoBreaker),
        caught_by=("serving/flaky_replica", "availability >= 97%"),
    ),
    Bug(
        "breaker-never-closes",
        "a breaker that opened never closes again, so its replica gets no more requests",
        Variant(pool=balancer_parts.BreakerNeverCloses),
        caught_by=("serving/slow_in_turn", "replicas_return"),
    ),
    Bug(
        "breaker-unbounded-probes",
        "a half-open breaker lets everything through",
        Variant(pool=balancer_parts.BreakerUnboundedProbes),
        caught_by=("serving/slow_in_turn", "p90 < 120ms"),
    ),
    Bug(
        "breaker-sees-no-failures",
        "breakers count a quick failure as an answer",
        Variant(pool=balancer_parts.BreakerSeesNoFailures),
        caught_by=("serving/flaky_replica", "availability >= 97%"),
    ),
    Bug(
        "breaker-sees-no-slowness",
        "breakers never count an answer as late",
        Variant(pool=balancer_parts.BreakerSeesNoSlowness),
        caught_by=("serving/slow_in_turn", "p90 < 120ms"),
    ),
    Bug(
        "breakers-leave-nobody",
        "the balancer asks no replica while all breakers are open",
        Variant(pool=balancer_parts.BreakersLeaveNobody),
        caught_by=("serving/brownouts", "availability >= 62%"),
    ),
    Bug(
        "breakers-leave-one",
        "the balancer asks only the replicas whose breakers are closed, however few are left",
        Variant(pool=balancer_parts.BreakersLeaveOne),
        caught_by=("serving/most_slow", "availability >= 97%"),
    ),
    Bug(
        "loses-abandoned",
        "the balancer counts an abandoned request as outstanding for ever",
        Variant(pool=balancer_parts.LosesAbandoned),
        caught_by=("serving/hedged", "all_settled"),
    ),
    Bug(
        "passes-errors-on",
        "the balancer passes a replica's error on, instead of asking another replica",
        Variant(dispatcher=balancer_parts.PassesErrorsOn),
        caught_by=("serving/answers_errors", "availability >= 99.9%"),
    ),
    Bug(
        "sheds-nothing",
        "the balancer admits every request, however many are waiting",
        Variant(admission=balancer_parts.ShedsNothing),
        caught_by=("serving/overload", "availability >= 20%"),
    ),
    Bug(
        "no-retry-budget",
        "retries cost nothing",
        Variant(retry_budget=balancer_parts.NoRetryBudget),
        caught_by=("serving/retry_storm", "recovery < 5s"),
    ),
    Bug(
        "dead-checker",
        "the health checker dies at its first error, unnoticed",
        Variant(checker=balancer_parts.DeadChecker),
        caught_by=("serving/replica_crash", "replicas_return"),
    ),
    Bug(
        "colliding-cache",
        "the balancer caches answers by the first pixels of the image",
        Variant(dispatcher=balancer_parts.CollidingCache),
        caught_by=("serving/healthy", "predictions_correct"),
    ),
    Bug(
        "checks-in-turn",
        "replicas are checked one after another, so that those that hang delay the news of the others",
        Variant(checker=balancer_parts.ChecksInTurn),
        caught_by=("serving/back_beside_the_frozen", "availability >= 98.5%"),
    ),
    Bug(
        "limit-stays-cut",
        "how many requests are let in falls when all are late, and never rises again",
        Variant(admission=balancer_parts.LimitStaysCut),
        caught_by=("serving/slow_after_a_freeze", "availability >= 70%"),
    ),
    Bug(
        "one-cancels-all",
        "a client that gives up ends the requests of all others that came in the same moment",
        Variant(gatherer=balancer_parts.OneCancelsAll),
        caught_by=("serving/clients_hang_up", "availability >= 86%"),
    ),
    Bug(
        "no-timeout",
        "a request waits for its replica for ever",
        Variant(dispatcher=balancer_parts.NoTimeout),
        caught_by=("serving/replica_partitioned", "p99 < 500ms"),
    ),
    Bug(
        "no-retry",
        "the balancer does not retry failed requests",
        Variant(dispatcher=balancer_parts.NoRetry),
        caught_by=("serving/replica_partitioned", "availability >= 99.5%"),
    ),
    Bug(
        "drops-on-retry",
        "the balancer retries a request without its body",
        Variant(dispatcher=balancer_parts.DropsOnRetry),
        caught_by=("serving/replica_partitioned", "availability >= 99.5%"),
    ),
    Bug(
        "hedges-at-once",
        "the balancer asks a second replica at once, until the retry budget is spent",
        Variant(dispatcher=balancer_parts.HedgesAtOnce),
        caught_by=("serving/hedged", "p99 < 80ms"),
    ),
    Bug(
        "hedges-nothing",
        "the balancer asks no second replica before the first one has failed",
        Variant(dispatcher=balancer_parts.HedgesNothing),
        caught_by=("serving/hedged", "p99 < 80ms"),
    ),
    Bug(
        "loses-tied-connections",
        "the balancer neither keeps nor closes the connection of a hedge cancelled just as its answer comes",
        Variant(dispatcher=balancer_parts.LosesTiedConnections),
        caught_by=("serving/hedges_tied", "nothing_leaked"),
    ),
    Bug(
        "ignores-deadlines",
        "a replica works on requests whose deadline has passed",
        Variant(limited_replica="systems.serving.known_bad.heedless_replica"),
        caught_by=("serving/deadlines", "availability >= 55%"),
    ),
    Bug(
        "deadline-blamed",
        "a replica that could not answer within the little time that a client gives counts as failed",
        Variant(dispatcher=balancer_parts.DeadlineBlamed),
        caught_by=("serving/hasty_clients", "availability >= 65%"),
    ),
    Bug(
        "deadline-restarts",
        "the balancer gives each replica the client's whole timeout, not what is left of it",
        Variant(dispatcher=balancer_parts.DeadlineRestarts),
        caught_by=("serving/deadlines", "availability >= 55%"),
    ),
    Bug(
        "no-verify",
        "a deploy does not verify the new version",
        Variant(rollout=rollouts.NoVerify),
        caught_by=("serving/bad_deploy_rolled_back", "replicas_return"),
    ),
    Bug(
        "no-rollback",
        "a failed deploy is not rolled back",
        Variant(rollout=rollouts.NoRollback),
        caught_by=("serving/bad_deploy_rolled_back", "replicas_return"),
    ),
    Bug(
        "batch-misaligned",
        "a replica gives each request of a batch the answer of the one before it",
        Variant(replica="systems.serving.known_bad.misaligned_replica"),
        caught_by=("serving/healthy", "predictions_correct"),
    ),
    Bug(
        "shallow-check",
        "a replica counts as healthy as long as its process answers",
        Variant(replica="systems.serving.known_bad.shallow_replica"),
        caught_by=("serving/weights_corrupted", "corruption_contained"),
    ),
    Bug(
        "no-repair",
        "a replica that finds its weights damaged does not reload them",
        Variant(replica="systems.serving.known_bad.unrepaired_replica"),
        caught_by=("serving/weights_corrupted", "replicas_return"),
    ),
    Bug(
        "reverts-on-repair",
        "a replica that repairs its weights goes back to the version that it started with",
        Variant(replica="systems.serving.known_bad.reverting_replica"),
        caught_by=("serving/reloaded_then_corrupted", "version_kept"),
    ),
    Bug(
        "stale-cache",
        "a replica's cache keeps answers of its previous model",
        Variant(replica="systems.serving.known_bad.stale_cache_replica"),
        caught_by=("serving/model_reloaded", "one_version_each"),
    ),
    Bug(
        "poisoned-cache",
        "a replica empties its cache for a new model, then adds answers of the old one",
        Variant(replica="systems.serving.known_bad.poisoned_cache_replica"),
        caught_by=("serving/cached_weights_corrupted", "corruption_contained"),
    ),
    Bug(
        "stale-model",
        "the last replica has an older model",
        Variant(last_weights=STALE_WEIGHTS),
        caught_by=("serving/healthy", "predictions_correct"),
    ),
)
