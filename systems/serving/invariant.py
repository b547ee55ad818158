"""The invariants of a balancer: its counts agree with its connections, and it keeps the rules of its settings.

A history shows what clients got. It does not show a count that is off for a second, a retry that was not paid for, or a replica
that was left out too soon, for too long or without reason, as long as other replicas make up for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from systems.parts.retry_budget import RetryBudget
from systems.serving.admission import Admission
from systems.serving.admission_rules import AdmissionRules
from systems.serving.begun_rules import Begun, begun_too_late
from systems.serving.breaker_rules import BreakerRules
from systems.serving.check_rules import CheckRules
from systems.serving.choice_rules import ChoiceRules
from systems.serving.coalescing import Gatherer
from systems.serving.dispatch import Dispatcher
from systems.serving.ejection import FALL_REQUESTS
from systems.serving.group_rules import GroupRules
from systems.serving.health import INTERVAL_S, HealthChecker
from systems.serving.policy import FALL_CHECKS, LEAST_SHARE, RISE_CHECKS, Pool, Replica
from systems.serving.retry_budget_rules import LAG_S, ROUGHLY, RetryBudgetRules
from systems.serving.settings import Settings

_ROUNDING_S: Final = 1e-6


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a balancer shows of itself."""

    now_s: float
    settings: Settings
    pool: Pool
    dispatcher: Dispatcher
    gatherer: Gatherer
    admission: Admission
    retry_budget: RetryBudget
    checker: HealthChecker


class BalancersKeepTheirRules:
    """What each balancer (`Shown`) does:

    - It counts as outstanding at a replica exactly the requests that its connections wait for, and each of these as let in. A
      request that was given up is not held against a replica.
    - It sends a request once, and again only for retries that were paid for, from a budget that keeps its own rules
      (`RetryBudgetRules`).
    - A request that two replicas left unanswered is sent alone: it may be what broke them.
    - No try may last until after the client's deadline.
    - It ejects a replica after enough consecutive failures, and keeps it down for as long as the settings say. It never ejects
      too many at once, or the last one that is up.
    - It takes a replica down after enough consecutive failed checks, and up again after enough good ones, without delay. It
      pauses between two checks (`CheckRules`).
    - It chooses replicas that are up, and none twice for one request, as long as there are others, and passes over none of them
      for long. It does not send a request more often than it may (`ChoiceRules`).
    - The share of a replica that came up grows as fast as the settings say.
    - It always admits a few requests, and no more than its replicas have been seen to answer in time (`AdmissionRules`).
    - Its breakers keep their rules (`BreakerRules`).
    - Requests that no client waits for any more are given up (`GroupRules`).

    And a replica of known capacity begins nothing that it cannot end in time (`begun_too_late`).
    """

    def __init__(self) -> None:
        self._watches: dict[str, _Balancer] = {}

    def broken(self, states: Mapping[str, object]) -> str | None:
        for name, state in states.items():
            if isinstance(state, Begun) and (too_late := begun_too_late(state)) is not None:
                return f"{name}: {too_late}"
            if not isinstance(state, Shown):
                continue
            watch = self._watches.get(name)
            if watch is None or watch.pool is not state.pool:  # the balancer has restarted
                watch = self._watches[name] = _Balancer(state)
            if (why := next(watch.look(state), None)) is not None:
                return f"{name}: {why}"
        return None


class _Balancer:
    def __init__(self, first: Shown) -> None:
        self.pool = first.pool
        self._retry_budget = RetryBudgetRules(first.retry_budget, first.now_s)
        self._replicas = {one.name: _Seen(one, first) for one in first.pool.replicas}
        self._choices = ChoiceRules(Dispatcher.MAX_TRIES)
        self._looked_s = first.now_s
        self._up: set[str] = set()
        """The replicas that were up at the last look."""
        self._breakers = BreakerRules(list(self._replicas))
        self._admission = AdmissionRules()
        self._groups = GroupRules()
        self._checks = CheckRules()

    def look(self, shown: Shown) -> Iterator[str]:
        """What is wrong by now."""
        yield from self._counts(shown)
        if (together := shown.dispatcher.most_suspects) > 1:
            yield f"{together} requests were sent together after two replicas had left them unanswered"
        if (late_s := shown.dispatcher.past_deadline_s) > _ROUNDING_S:
            yield f"a try may last until {late_s:.3f} s after its deadline"
        yield from self._budget(shown)
        retries = shown.retry_budget.spent + shown.dispatcher.again
        yield from self._breakers.look(shown.now_s, shown.pool, shown.dispatcher, shown.settings, retries)
        ended = sum(shown.dispatcher.ended(name) for name in self._replicas)
        checks = shown.checker.passed.total() + shown.checker.failed.total()
        yield from self._groups.look(shown.gatherer.for_nobody, checks)
        for name in self._replicas:
            yield from self._checks.look(shown.now_s, name, shown.checker.passed[name] + shown.checker.failed[name])
        yield from self._admission.look(shown.now_s, shown.admission, ended, shown.dispatcher)
        up = {one.name for one in shown.pool.replicas if one.up}
        came_up = {one.name for one in shown.pool.replicas if one.returned_s >= self._looked_s}  # and may have gone down again
        surely_up, perhaps_up = (self._up & up) - came_up, self._up | up | came_up
        status = {one.name: one for one in shown.pool.status(shown.now_s)}
        full = all(status[name].share == 1 for name in up)
        idle = {name for name in up if full and not status[name].outstanding and status[name].breaker in (None, "closed")}
        yield from self._choices.look(shown.dispatcher.choices, surely_up, perhaps_up, idle)
        for one in shown.pool.replicas:
            others = self._replicas.keys() - {one.name}
            some, every = bool(others & perhaps_up), bool(others) and others <= surely_up
            yield from self._replicas[one.name].look(one, shown, some_up=some, all_up=every)
            if one.name in up:
                yield from self._replicas[one.name].share(one.name, status[one.name].share, shown)
        self._up, self._looked_s = up, shown.now_s
        ejected = [name for name, seen in self._replicas.items() if seen.until_s > shown.now_s]
        most = shown.settings.most_left_out(len(self._replicas))
        if len(ejected) > most:
            yield f"{', '.join(ejected)} are ejected at once, and {most} may be"

    @staticmethod
    def _counts(shown: Shown) -> Iterator[str]:
        awaited, outstanding = shown.pool.outstanding(), shown.dispatcher.outstanding
        if awaited > outstanding * (1 if shown.settings.hedge_ms is None else 2):  # a hedged request is at two replicas
            yield f"{outstanding} requests count as let in and not answered, and {awaited} are at replicas"
        for one in shown.pool.replicas:
            awaited = shown.dispatcher.awaited(one.name)
            if one.outstanding != awaited:
                yield f"{one.outstanding} requests count as outstanding at {one.name}, and it waits for {awaited}"
            if (told := one.answered + one.failed) > (ended := shown.dispatcher.ended(one.name)):
                yield f"{told} requests count as answered or failed at {one.name}, and {ended} were"

    def _budget(self, shown: Shown) -> Iterator[str]:
        dispatcher, budget = shown.dispatcher, shown.retry_budget
        paid = dispatcher.admitted + budget.spent
        if dispatcher.sent > paid:
            yield (
                f"{dispatcher.sent} requests were sent to replicas for {dispatcher.admitted} that were admitted, and"
                f" {budget.spent} retries were paid for"
            )
        if budget.spent + budget.refused != dispatcher.wanted:
            yield f"of {dispatcher.wanted} retries, {budget.spent} count as paid for and {budget.refused} as refused"
        yield from self._retry_budget.look(shown.now_s, budget, dispatcher.admitted, shown.settings)


class _Seen:
    """One replica, as it was at the last look.

    How many consecutive results there were is not seen, but bounded. The most counts from the look before the one that last saw
    the opposite result (`_from`), the least from that one itself (`_since`).
    """

    def __init__(self, one: Replica, shown: Shown) -> None:
        self.up = one.up
        self.until_s = -math.inf
        """When the last ejection ends."""
        self._ejected_for_s = 0.0
        self._up_after_s = self._up_by_s = -math.inf
        """It last came up between these two times."""
        self._looked_s = shown.now_s
        self._answered, self._failed, self._ejections = one.answered, one.failed, one.ejections
        self._good, self._bad = shown.checker.passed[one.name], shown.checker.failed[one.name]
        self._failed_from = self._bad_from = self._good_from = 0
        self._failed_since, self._bad_since, self._good_since = self._failed, self._bad, self._good

    def look(self, one: Replica, shown: Shown, *, some_up: bool, all_up: bool) -> Iterator[str]:
        """What is wrong by now. Of the other replicas, some or all are up, or were up at the last look."""
        good, bad = shown.checker.passed[one.name], shown.checker.failed[one.name]
        came_up, went_down = one.up and not self.up, self.up and not one.up
        if one.ejections > self._ejections:
            yield from self._ejected(one, shown, some_up=some_up)
        elif went_down and bad - self._bad_from < FALL_CHECKS:
            yield f"{one.name} went down after {bad - self._bad_from} failed checks in a row, and {FALL_CHECKS} are due"
        if came_up:
            if shown.now_s < self.until_s:
                yield f"{one.name} is up {self.until_s - shown.now_s:.3f} s before the end of its ejection"
            if good - self._good_from < RISE_CHECKS:
                yield f"{one.name} came up after {good - self._good_from} good checks in a row, and {RISE_CHECKS} are due"
        if came_up or (one.up and one.returned_s >= self._looked_s):  # or it went down and came up between two looks
            self._up_after_s, self._up_by_s = self._looked_s, shown.now_s
        yield from self._overdue(one, good, bad, all_up=all_up)
        if one.ejections - self._ejections > 1 and shown.now_s - self._looked_s < INTERVAL_S:
            yield f"{one.ejections - self._ejections} ejections of {one.name} are counted at once"
        # What ends a row may have come after what is judged above, so it counts from now on.
        if one.answered > self._answered or came_up:
            self._failed_from, self._failed_since = self._failed, one.failed
        if good > self._good:
            self._bad_from, self._bad_since = self._bad, bad
        if bad > self._bad or went_down or one.ejections > self._ejections:
            self._good_from, self._good_since = self._good, good
        self.up, self._looked_s = one.up, shown.now_s
        self._answered, self._failed, self._ejections, self._good, self._bad = (
            one.answered,
            one.failed,
            one.ejections,
            good,
            bad,
        )

    def share(self, name: str, share: float, shown: Shown) -> Iterator[str]:
        """What is wrong with the share of requests that it gets, now that it is up."""
        grows_s = shown.settings.slow_start_ms / 1e3
        least, most = (
            1.0 if up_for_s >= grows_s else max(LEAST_SHARE, up_for_s / grows_s)
            for up_for_s in (shown.now_s - self._up_by_s, shown.now_s - self._up_after_s)
        )
        if not least <= share * ROUGHLY or not share <= most * ROUGHLY:
            since_s = shown.now_s - self._up_by_s
            yield f"the share of {name} is {share:.3f} {since_s:.3f} s after it came up, and {least:.3f} is due"

    def _overdue(self, one: Replica, good: int, bad: int, *, all_up: bool) -> Iterator[str]:
        """Whether it is still up, or still down, and should not be. `all_up`: nothing forbids to eject it."""
        if one.answered > self._answered or one.ejections > self._ejections or one.up != self.up:
            return
        if one.up and good == self._good and bad - self._bad_since >= FALL_CHECKS:
            yield f"{one.name} is up after {bad - self._bad_since} failed checks in a row"
        if one.up and all_up and one.failed > self._failed and one.failed - self._failed_since >= FALL_REQUESTS:
            yield f"{one.name} is not ejected after {one.failed - self._failed_since} failures in a row"
        over = one.ejection.until_s is None or one.ejection.until_s < self._looked_s - LAG_S
        if not one.up and over and good > self._good and bad == self._bad and good - self._good_since >= RISE_CHECKS:
            yield f"{one.name} is down after {good - self._good_since} good checks in a row"

    def _ejected(self, one: Replica, shown: Shown, *, some_up: bool) -> Iterator[str]:
        settings, until_s = shown.settings, one.ejection.until_s
        if one.failed - self._failed_from < FALL_REQUESTS:
            in_row = one.failed - self._failed_from
            yield f"{one.name} was ejected after {in_row} failures in a row, and {FALL_REQUESTS} are due"
        if not some_up:
            yield f"{one.name} was ejected, and it was the last one that was up"
        if until_s is None or not self.up:
            return  # it came up between two looks
        longest_s, first_s = settings.longest_ejection_ms / 1e3, settings.ejection_ms / 1e3
        least_s, most_s = until_s - shown.now_s, until_s - self._looked_s
        if least_s > longest_s:
            yield f"{one.name} is ejected for another {least_s:.3f} s, and {longest_s:g} s is the longest"
        if self._looked_s - self._up_by_s > longest_s and least_s > first_s:
            yield f"{one.name} is ejected for {least_s:.3f} s, and had been well for so long that {first_s:g} s are due"
        doubled_s = min(longest_s, 2 * self._ejected_for_s)
        if shown.now_s - self._up_after_s < longest_s and most_s * ROUGHLY < doubled_s:
            yield f"{one.name} is ejected again for {most_s:.3f} s, and twice the last time, {doubled_s:.3f} s, is due"
        self._ejected_for_s, self.until_s = min(longest_s, max(least_s, 0.0)), until_s
