"""Known-bad variants of Serving. Each deviates from the correct code in one visible way, written beside its name."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final

from harness.http.batched_server import Message
from harness.http.deadlines import Deadline
from harness.model.errors import UsageError, hint
from harness.model.rollout import Rollout, Step
from systems.parts.breaker import Permit
from systems.parts.breaker_bugs import NeverCloses, NeverOpens, SeesNoFailures, SeesNoSlowness, UnboundedProbes
from systems.parts.retry_budget import RetryBudget
from systems.serving.admission import Admission
from systems.serving.artifacts import STALE_WEIGHTS, WEIGHTS
from systems.serving.dispatch import Dispatcher, Failure
from systems.serving.health import CHECK_TIMEOUT_S, HealthChecker
from systems.serving.policy import Pool, Replica


class _SameReplicaRetry(Pool):
    def choose(self, tried: Collection[str] = (), now_s: float = 0.0) -> str | None:
        return next(iter(tried)) if tried else super().choose((), now_s)


class _BlindChoice(Pool):
    def sent(self, name: str, now_s: float, requests: int = 1) -> Permit | None:
        return None


class _EjectsAll(Pool):
    def may_eject(self, name: str, now_s: float) -> bool:
        return True


class _NoBreaker(Pool):
    BREAKER = NeverOpens


class _BreakerNeverCloses(Pool):
    BREAKER = NeverCloses


class _BreakerUnboundedProbes(Pool):
    BREAKER = UnboundedProbes


class _BreakerSeesNoFailures(Pool):
    BREAKER = SeesNoFailures


class _BreakerSeesNoSlowness(Pool):
    BREAKER = SeesNoSlowness


class _BreakersLeaveNobody(Pool):
    def choose(self, tried: Collection[str] = (), now_s: float = 0.0) -> str | None:
        name = super().choose(tried, now_s)
        return None if name is None or self._breakers.state(name, now_s) == "open" else name


class _ShedsNothing(Admission):
    def admit(self, outstanding: int, requests: int = 1) -> int:
        return requests


class _NoRetryBudget(RetryBudget):
    def spend(self, retries: int, now_s: float) -> int:
        return retries


class _IgnoresHealth(Pool):
    def _take_down(self, replica: Replica) -> bool:
        return False


class _NeverRecovers(Pool):
    def check_passed(self, name: str, now_s: float) -> bool:
        return False


class _DeadChecker(HealthChecker):
    async def run(self) -> None:
        self._unwatched = asyncio.create_task(super().run())
        await asyncio.Event().wait()

    async def check(self, name: str) -> str | None:
        response = await self._clients[name].request("GET", "/healthz", timeout_s=CHECK_TIMEOUT_S)
        return None if response.status == 200 else f"answered {response.status}"


class _SwappedAnswers(Dispatcher):
    @cached_property
    def _asked(self) -> deque[asyncio.Future[bytes]]:
        return deque()

    async def predict(self, messages: Sequence[Message], deadline: Deadline | None = None) -> None:
        await asyncio.gather(*(self._predict_one(message, deadline) for message in messages))

    async def _predict_one(self, message: Message, deadline: Deadline | None) -> None:
        mine: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked.append(mine)
        await super().predict([message], deadline)
        self._asked.popleft().set_result(message.answer)  # whoever asked first, not who asked this
        message.answer = await mine


class _CollidingCache(Dispatcher):
    @cached_property
    def _cache(self) -> dict[bytes, bytes]:
        return {}

    async def predict(self, messages: Sequence[Message], deadline: Deadline | None = None) -> None:
        await super().predict([message for message in messages if _beginning(message) not in self._cache], deadline)
        for message in messages:
            message.answer = self._cache.setdefault(_beginning(message), message.answer)


def _beginning(message: Message) -> bytes:
    """The image's first pixels."""
    return message.body[:40]


class _NoTimeout(Dispatcher):
    TRY_TIMEOUT_S = 3600


class _NoRetry(Dispatcher):
    MAX_TRIES = 1


class _DropsOnRetry(Dispatcher):
    async def ask(self, messages: Sequence[Message], failures: Sequence[Failure], deadline: Deadline | None) -> None:
        for message in messages if failures else ():
            message.body = b""
        await super().ask(messages, failures, deadline)


class _HedgesAfter(Dispatcher):
    AFTER_S: ClassVar[float]

    async def _try_hedged(
        self, name: str, messages: Sequence[Message], try_s: float, deadline: Deadline | None, hedge_s: float
    ) -> tuple[Sequence[Message], Sequence[Failure]]:
        return await super()._try_hedged(name, messages, try_s, deadline, self.AFTER_S)


class _HedgesAtOnce(_HedgesAfter):
    AFTER_S = 0.0


class _HedgesNothing(_HedgesAfter):
    AFTER_S = 3600.0


class _DeadlineRestarts(Dispatcher):
    def told_ms(self, deadline: Deadline, try_s: float) -> int:
        return deadline.timeout_ms


class _NoVerify(Rollout):
    def steps(self, node: str, version: str) -> list[Step]:
        return [Step("replace", node, version)]


class _NoRollback(Rollout):
    def failed(self, why: str) -> None:
        self.result, self.why = "stuck", why


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The classes of balancer and deploy, and the weights of the last replica. The defaults are correct."""

    pool: type[Pool] = Pool
    admission: type[Admission] = Admission
    retry_budget: type[RetryBudget] = RetryBudget
    checker: type[HealthChecker] = HealthChecker
    dispatcher: type[Dispatcher] = Dispatcher
    replica: str = "systems.serving.replica"
    """The module, so that PyTorch stays out of this one …"""
    limited_replica: str = "systems.serving.limited_replica"
    """… and the one of `LimitedServing`."""
    last_weights: str = WEIGHTS
    rollout: type[Rollout] = Rollout


CORRECT: Final = Variant()

BUGS: Final[dict[str, tuple[str, Variant]]] = {
    "same-replica-retry": ("a failed request is retried on the same replica", Variant(pool=_SameReplicaRetry)),
    "ignores-health": ("requests go to replicas that are down, too", Variant(pool=_IgnoresHealth)),
    "never-recovers": ("a replica that went down never comes up again", Variant(pool=_NeverRecovers)),
    "blind-choice": ("the choice does not know how busy the replicas are", Variant(pool=_BlindChoice)),
    "ejects-all": ("failed requests take the last replicas down, too", Variant(pool=_EjectsAll)),
    "no-breaker": ("a replica that answers now and then, or late, is asked like the others", Variant(pool=_NoBreaker)),
    "breaker-never-closes": ("a replica whose breaker opened is left out for good", Variant(pool=_BreakerNeverCloses)),
    "breaker-unbounded-probes": ("a half-open breaker lets everything through", Variant(pool=_BreakerUnboundedProbes)),
    "breaker-sees-no-failures": ("to breakers, a quick failure is an answer", Variant(pool=_BreakerSeesNoFailures)),
    "breaker-sees-no-slowness": ("to breakers, no answer is late", Variant(pool=_BreakerSeesNoSlowness)),
    "breakers-leave-nobody": ("where all breakers are open, nobody is asked", Variant(pool=_BreakersLeaveNobody)),
    "sheds-nothing": ("every request is let in, however many are waiting", Variant(admission=_ShedsNothing)),
    "no-retry-budget": ("retries cost nothing", Variant(retry_budget=_NoRetryBudget)),
    "dead-checker": ("the health checker dies at its first error, and nobody notices", Variant(checker=_DeadChecker)),
    "swapped-answers": ("answers are handed out in the order of asking, not of arriving", Variant(dispatcher=_SwappedAnswers)),
    "colliding-cache": ("answers are cached by the first pixels of the image", Variant(dispatcher=_CollidingCache)),
    "no-timeout": ("a request waits for its replica for ever", Variant(dispatcher=_NoTimeout)),
    "no-retry": ("a failed request is not retried", Variant(dispatcher=_NoRetry)),
    "drops-on-retry": ("a retried request has lost its body", Variant(dispatcher=_DropsOnRetry)),
    "hedges-at-once": ("a second replica is asked at once, until the budget is spent", Variant(dispatcher=_HedgesAtOnce)),
    "hedges-nothing": ("no second replica is asked before the first has failed", Variant(dispatcher=_HedgesNothing)),
    "ignores-deadlines": (
        "a replica works on what nobody waits for any more",
        Variant(limited_replica="systems.serving.heedless_replica"),
    ),
    "deadline-restarts": (
        "each replica is told the whole time that the client has, not what is left of it",
        Variant(dispatcher=_DeadlineRestarts),
    ),
    "no-verify": ("a new version is not looked at after it was deployed", Variant(rollout=_NoVerify)),
    "no-rollback": ("a deploy that went wrong is left as it is", Variant(rollout=_NoRollback)),
    "batch-misaligned": (
        "a batch's answers are moved on by one",
        Variant(replica="systems.serving.misaligned_replica"),
    ),
    "shallow-check": (
        "a replica is well as long as its process answers",
        Variant(replica="systems.serving.shallow_replica"),
    ),
    "no-repair": (
        "a replica that found its weights damaged stays as it is",
        Variant(replica="systems.serving.unrepaired_replica"),
    ),
    "stale-cache": (
        "a replica remembers answers of the model that it had before",
        Variant(replica="systems.serving.stale_cache_replica"),
    ),
    "poisoned-cache": (
        "a replica empties its cache for the next model, and then keeps answers of the last one in it",
        Variant(replica="systems.serving.poisoned_cache_replica"),
    ),
    "stale-model": ("the last replica has an older model", Variant(last_weights=STALE_WEIGHTS)),
}
"""By name: what is wrong, in a line, and the parts that are different."""


def variant(bug: str | None) -> Variant:
    """The parts of a variant, the correct ones for None. Raises `UsageError` for a name that is not in the catalogue."""
    if bug is None:
        return CORRECT
    if bug not in BUGS:
        raise UsageError(f"No bug called {bug!r} in Serving. {hint(bug, BUGS)}")
    return BUGS[bug][1]
