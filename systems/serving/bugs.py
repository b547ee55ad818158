"""Serving's known bugs. Each replaces one correct part by one from `known_bad` that deviates from it in one visible way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from harness.model.bug import Bug, BugCatalog
from harness.model.rollout import Rollout
from systems.parts.retry_budget import RetryBudget
from systems.serving.admission import Admission
from systems.serving.artifacts import STALE_WEIGHTS, WEIGHTS
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
        "answers go to requests in the order of asking, not to the request they belong to",
        Variant(dispatcher=balancer_parts.SwappedAnswers),
        caught_by=("serving/healthy", "predictions_correct"),
    ),
    Bug(
        "never-recovers",
        "a replica that went down never comes up again",
        Variant(pool=balancer_parts.NeverRecovers),
        caught_by=("serving/replica_crash", "replicas_return"),
    ),
    Bug(
        "same-replica-retry",
        "a failed request is retried on the same replica",
        Variant(pool=balancer_parts.SameReplicaRetry),
        caught_by=("serving/replica_partitioned", "availability >= 99.5%"),
    ),
    Bug(
        "ignores-health",
        "requests go to replicas that are down, too",
        Variant(pool=balancer_parts.IgnoresHealth),
        caught_by=("serving/replica_partitioned", "p95 < 240ms"),
    ),
    Bug(
        "blind-choice",
        "replicas are chosen without regard to how busy they are",
        Variant(pool=balancer_parts.BlindChoice),
        caught_by=("serving/slow_replica", "p95 < 45ms"),
    ),
    Bug(
        "ejects-all",
        "failed requests take the last replicas down, too",
        Variant(pool=balancer_parts.EjectsAll),
        caught_by=("serving/brownouts", "availability >= 62%"),
    ),
    Bug(
        "no-breaker",
        "a replica that often fails, or answers late, is asked as often as the others",
        Variant(pool=balancer_parts.NoBreaker),
        caught_by=("serving/flaky_replica", "availability >= 97%"),
    ),
    Bug(
        "breaker-never-closes",
        "a replica whose breaker opened is left out for good",
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
        "breakers take a quick failure for an answer",
        Variant(pool=balancer_parts.BreakerSeesNoFailures),
        caught_by=("serving/flaky_replica", "availability >= 97%"),
    ),
    Bug(
        "breaker-sees-no-slowness",
        "breakers take no answer for late",
        Variant(pool=balancer_parts.BreakerSeesNoSlowness),
        caught_by=("serving/slow_in_turn", "p90 < 120ms"),
    ),
    Bug(
        "breakers-leave-nobody",
        "no replica is asked while all breakers are open",
        Variant(pool=balancer_parts.BreakersLeaveNobody),
        caught_by=("serving/brownouts", "availability >= 62%"),
    ),
    Bug(
        "loses-abandoned",
        "a request that was given up is outstanding at its replica for good",
        Variant(pool=balancer_parts.LosesAbandoned),
        caught_by=("serving/hedged", "all_settled"),
    ),
    Bug(
        "passes-errors-on",
        "an error that a replica answers is passed on, and not asked of another one",
        Variant(dispatcher=balancer_parts.PassesErrorsOn),
        caught_by=("serving/answers_errors", "availability >= 99.9%"),
    ),
    Bug(
        "sheds-nothing",
        "every request is admitted, however many are waiting",
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
        "answers are cached by the first pixels of the image",
        Variant(dispatcher=balancer_parts.CollidingCache),
        caught_by=("serving/healthy", "predictions_correct"),
    ),
    Bug(
        "no-timeout",
        "a request waits for its replica forever",
        Variant(dispatcher=balancer_parts.NoTimeout),
        caught_by=("serving/replica_partitioned", "p99 < 500ms"),
    ),
    Bug(
        "no-retry",
        "a failed request is not retried",
        Variant(dispatcher=balancer_parts.NoRetry),
        caught_by=("serving/replica_partitioned", "availability >= 99.5%"),
    ),
    Bug(
        "drops-on-retry",
        "a retried request has lost its body",
        Variant(dispatcher=balancer_parts.DropsOnRetry),
        caught_by=("serving/replica_partitioned", "availability >= 99.5%"),
    ),
    Bug(
        "hedges-at-once",
        "a second replica is asked at once, until the retry budget is spent",
        Variant(dispatcher=balancer_parts.HedgesAtOnce),
        caught_by=("serving/hedged", "p99 < 80ms"),
    ),
    Bug(
        "hedges-nothing",
        "no second replica is asked before the first has failed",
        Variant(dispatcher=balancer_parts.HedgesNothing),
        caught_by=("serving/hedged", "p99 < 80ms"),
    ),
    Bug(
        "loses-tied-connections",
        "the connection of a hedge that is cancelled just as its answer comes is neither kept nor closed",
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
        "deadline-restarts",
        "each replica is told the client's whole timeout, not what is left of it",
        Variant(dispatcher=balancer_parts.DeadlineRestarts),
        caught_by=("serving/deadlines", "availability >= 55%"),
    ),
    Bug(
        "no-verify",
        "a new version is not verified after it was deployed",
        Variant(rollout=rollouts.NoVerify),
        caught_by=("serving/bad_deploy_rolled_back", "replicas_return"),
    ),
    Bug(
        "no-rollback",
        "a deploy that went wrong is left as it is",
        Variant(rollout=rollouts.NoRollback),
        caught_by=("serving/bad_deploy_rolled_back", "replicas_return"),
    ),
    Bug(
        "batch-misaligned",
        "each answer of a batch goes to the next request of the batch",
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
        "a replica that found its weights damaged stays as it is",
        Variant(replica="systems.serving.known_bad.unrepaired_replica"),
        caught_by=("serving/weights_corrupted", "replicas_return"),
    ),
    Bug(
        "stale-cache",
        "a replica's cache keeps answers of the model that it had before",
        Variant(replica="systems.serving.known_bad.stale_cache_replica"),
        caught_by=("serving/model_reloaded", "one_version_each"),
    ),
    Bug(
        "poisoned-cache",
        "a replica empties its cache for the next model, and then puts answers of the last one in it",
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
