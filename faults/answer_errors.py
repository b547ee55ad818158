"""AnswerErrors: a service that is up, but whose answers are errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from faults import _steered
from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.steering import Counter, Setting
from harness.model.system import System


@dataclass(frozen=True)
class AnswerErrors(Fault):
    """A `share` of the requests, health checks included, gets an error at once and never reaches the node's own code.

    Models a dependency whose database is gone, or a bad configuration. Such answers are fast, so timeouts and latency show
    nothing, and a balancer that prefers fast replicas sends them more than their share (a "black hole" for requests; Beyer et
    al., "Site Reliability Engineering", 2016, chapter 20). At a share of 0.5, every other request fails.
    Which `status` it is matters: callers often treat 404, 429, 500 and 503 in different ways. While windows of different
    statuses overlap, the highest one is answered.
    """

    share: float = 1.0
    status: int = 500

    aims_at: ClassVar[Aim] = "nodes"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.share) and 0.001 <= self.share <= 1):
            raise UsageError(f"AnswerErrors(share={self.share:g}): must be a share of the requests, from 0.001 to 1.")
        if not 400 <= self.status <= 599:
            raise UsageError(f"AnswerErrors(status={self.status!r}): must be the status of an error, from 400 to 599.")

    def check(self, system: System) -> None:
        _steered.check(self, system)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        permille = round(self.share * 1000)
        for name in targets.nodes:
            environment.disks.hold(name, Setting.ERROR_STATUS, targets.label, self.status)
        return _steered.begin(environment, targets, Setting.ERRORS_PERMILLE, permille, Counter.ERROR_ANSWERS)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        for name in targets.nodes:
            environment.disks.release(name, Setting.ERROR_STATUS, targets.label)
        what = f"requests answered {self.status}"
        return _steered.end(environment, targets, Setting.ERRORS_PERMILLE, Counter.ERROR_ANSWERS, injected, what)
