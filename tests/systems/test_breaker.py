"""The circuit breaker: its states, its window, late results, lost probes, clocks that step, threads and tasks."""

from __future__ import annotations

import asyncio
import itertools
import threading
from random import Random

import msgspec
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from harness.model.errors import UsageError
from systems.parts.breaker import Breaker, BreakerOpen, Permit, Settings
from systems.parts.breaker_bugs import (
    CountsLateResults,
    NeverCloses,
    NeverOpens,
    OpensAtOnce,
    SeesNoFailures,
    SeesNoSlowness,
    UnboundedProbes,
)
from systems.parts.breaker_window import Window
from tests.helpers.effort import cases

SETTINGS = Settings(
    failure_rate=0.5, slow_rate=0.8, slow_s=1, window_s=10, buckets=10, least_calls=4, open_s=5, probes=2, probe_expires_s=3
)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def allowed(breaker: Breaker) -> Permit:
    permit = breaker.allow()
    assert permit is not None
    return permit


def opened(kind: type[Breaker] = Breaker) -> tuple[Breaker, Clock]:
    clock = Clock()
    breaker = kind(SETTINGS, clock)
    for _ in range(4):
        allowed(breaker).failed(0.1)
    assert breaker.state == "open"
    return breaker, clock


def half_opened(kind: type[Breaker] = Breaker) -> tuple[Breaker, Clock]:
    breaker, clock = opened(kind)
    clock.now_s += 5
    assert breaker.state == "half-open"
    return breaker, clock


def test_opens_at_the_failure_rate_and_not_before_there_are_enough_calls() -> None:
    breaker = Breaker(SETTINGS, Clock())
    for _ in range(3):
        allowed(breaker).failed(0.1)
    assert breaker.state == "closed"
    allowed(breaker).ok(0.1)
    assert breaker.state == "open"


@pytest.mark.parametrize(("rate", "bad", "calls"), [(0.28, 7, 25), (0.55, 55, 100), (0.14, 7, 50)])
def test_opens_at_exactly_a_rate_that_no_float_is(rate: float, bad: int, calls: int) -> None:
    for settings, took_s in ((Settings(failure_rate=rate), 0.1), (Settings(slow_rate=rate), 1.0)):
        breaker = Breaker(msgspec.structs.replace(settings, least_calls=calls), Clock())
        for number in range(calls):
            assert breaker.state == "closed"
            if number >= bad:
                allowed(breaker).ok(0.1)
            elif took_s < settings.slow_s:
                allowed(breaker).failed(took_s)
            else:
                allowed(breaker).ok(took_s)
        assert breaker.state == "open"


def test_opens_when_calls_are_slow_though_they_go_well() -> None:
    clock = Clock()
    breaker = Breaker(SETTINGS, clock)
    for _ in range(4):
        with breaker.call():
            clock.now_s += 1
    assert breaker.state == "open"
    assert breaker.status().transitions[-1].why == "4 of 4 calls took 1 s or longer"


def test_below_what_the_caller_calls_slow_a_call_is_not_slow() -> None:
    breaker = Breaker(SETTINGS, Clock())
    for _ in range(9):
        allowed(breaker).ok(2, slow_s=3)
    assert breaker.status().slow == 0
    for _ in range(40):
        breaker.call().ok(2, slow_s=0.1) if breaker.ready else None
    assert breaker.state == "open"


def test_forgets_failures_that_left_the_window() -> None:
    clock = Clock()
    breaker = Breaker(SETTINGS, clock)
    for _ in range(3):
        allowed(breaker).failed(0.1)
    clock.now_s += 10
    allowed(breaker).failed(0.1)
    assert breaker.state == "closed"
    assert breaker.status().calls == 1


def test_a_status_is_of_now_and_its_window_forgets_by_itself() -> None:
    clock = Clock()
    breaker = Breaker(SETTINGS, clock)
    allowed(breaker).failed(0.1)
    clock.now_s += 10
    assert (breaker.status().calls, breaker.status().failed) == (0, 0)
    window = Window(10, 10)
    window.add(100.0, failed=True, slow=False)
    other = window.copy()
    other.add(115.0, failed=False, slow=True)
    assert (window.calls, window.failed, window.slow) == (1, 1, 0)
    assert (other.calls, other.failed, other.slow) == (1, 0, 1)
    window.slide(115.0)
    assert window.calls == 0


@pytest.mark.parametrize("seed", range(20))
def test_varied_settings_are_settings(seed: int) -> None:
    varied = SETTINGS.varied(Random(seed))
    varied.__post_init__()
    assert varied != SETTINGS
    assert varied == SETTINGS.varied(Random(seed))
    assert varied.failure_rate == SETTINGS.failure_rate


def test_open_refuses_until_its_time_is_over() -> None:
    breaker, clock = opened()
    clock.now_s += 4.9
    assert breaker.allow() is None
    with pytest.raises(BreakerOpen):
        breaker.call()
    clock.now_s += 0.1
    assert breaker.allow() is not None
    assert breaker.status().refused == 2


def test_good_probes_close_it_and_bad_ones_open_it() -> None:
    breaker, _ = half_opened()
    for permit in [allowed(breaker), allowed(breaker)]:
        permit.ok(0.1)
    assert breaker.state == "closed"
    breaker, _ = half_opened()
    for permit in [allowed(breaker), allowed(breaker)]:
        permit.failed(0.1)
    assert breaker.state == "open"
    assert [transition.state for transition in breaker.status().transitions] == ["open", "half-open", "open"]


def test_half_open_lets_no_more_than_its_probes_through() -> None:
    breaker, _ = half_opened()
    assert [(breaker.ready, breaker.allow() is None) for _ in range(4)] == [(True, False)] * 2 + [(False, True)] * 2


def test_a_probe_that_never_returns_has_failed_and_its_late_result_does_not_count() -> None:
    breaker, clock = half_opened()
    lost = [allowed(breaker), allowed(breaker)]
    clock.now_s += 3
    assert breaker.state == "open"
    clock.now_s += 5
    assert breaker.state == "half-open"
    for permit in lost:
        permit.ok(0.1)
    assert breaker.state == "half-open"
    assert breaker.status().late == 2


def test_results_of_calls_begun_before_a_change_of_state_do_not_count() -> None:
    clock = Clock()
    breaker = Breaker(SETTINGS, clock)
    slow = [allowed(breaker) for _ in range(10)]
    for permit in slow[:4]:
        permit.failed(0.1)
    clock.now_s += 5
    for permit in slow[4:]:
        permit.ok(0.1)
    assert breaker.state == "half-open"
    assert breaker.status().late == 6


def test_a_result_counts_once() -> None:
    breaker = Breaker(SETTINGS, Clock())
    permit = allowed(breaker)
    for _ in range(9):
        permit.failed(0.1)
    assert breaker.status().calls == 1


def test_a_cancelled_probe_frees_its_place_and_does_not_count() -> None:
    breaker, _ = half_opened()
    with pytest.raises(asyncio.CancelledError), breaker.call():
        raise asyncio.CancelledError
    assert breaker.status().calls == 0
    assert [breaker.allow() is None for _ in range(3)] == [False, False, True]


def test_a_clock_that_steps_back_neither_reopens_nor_holds_it_for_longer_than_the_step() -> None:
    breaker, clock = opened()
    clock.now_s -= 50
    assert breaker.state == "open"
    clock.now_s += 55
    assert breaker.state == "half-open"
    closed = Breaker(SETTINGS, clock)
    for now_s in (1e6, 5.0, 1e6 + 1):
        clock.now_s = now_s
        allowed(closed).ok(0.1)
    assert closed.status().calls == 3


def test_tasks_share_it() -> None:
    breaker, _ = half_opened()

    async def scenario() -> list[bool]:
        answer = asyncio.Event()

        async def call() -> bool:
            try:
                with breaker.call():
                    await answer.wait()
            except BreakerOpen:
                return False
            return True

        tasks = [asyncio.ensure_future(call()) for _ in range(20)]
        await asyncio.sleep(0)
        answer.set()
        return await asyncio.gather(*tasks)

    assert sum(asyncio.run(scenario())) == 2
    assert breaker.state == "closed"


def test_threads_lose_no_result_and_get_no_more_probes() -> None:
    breaker = Breaker(Settings(least_calls=10**9), lambda: 1.0)
    probing, _ = half_opened()
    begin, probes = threading.Barrier(4), []

    def work() -> None:
        begin.wait()
        probes.extend([permit for permit in (probing.allow() for _ in range(100)) if permit])
        for turn in range(2000):
            permit = allowed(breaker)
            (permit.failed if turn % 2 else permit.ok)(0.1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (breaker.status().calls, breaker.status().failed) == (8000, 4000)
    assert len(probes) == 2


@pytest.mark.parametrize("field", ["failure_rate", "slow_rate", "slow_s", "window_s", "open_s", "probes", "least_calls"])
def test_settings_that_make_no_sense_are_refused(field: str) -> None:
    with pytest.raises(UsageError, match=field):
        Settings(**{field: 0})


def test_the_known_bad_ones_are_bad() -> None:
    never, _ = half_opened(NeverCloses)
    for permit in [allowed(never), allowed(never)]:
        permit.ok(0.1)
    assert never.state != "closed"
    open_never, blind, all_quick = (kind(SETTINGS, Clock()) for kind in (NeverOpens, SeesNoFailures, SeesNoSlowness))
    for _ in range(50):
        allowed(open_never).failed(2)
        allowed(blind).failed(0.1)
        allowed(all_quick).ok(2)
    once = OpensAtOnce(SETTINGS, Clock())
    allowed(once).failed(0.1)
    assert once.state == "open"
    unbounded, _ = half_opened(UnboundedProbes)
    assert all(unbounded.allow() for _ in range(50))
    clock = Clock()
    late = CountsLateResults(SETTINGS, clock)
    permits = [allowed(late) for _ in range(8)]
    for permit in permits[:4]:
        permit.failed(0.1)
    clock.now_s += 5
    for permit in permits[4:]:
        permit.ok(0.1)
    assert late.state == "closed"


class Machine(RuleBasedStateMachine):
    """Whatever is called in whatever order, what the breaker promises holds."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = Breaker(SETTINGS, self.clock)
        self.out: list[Permit] = []

    @rule()
    def allow(self) -> None:
        state = self.breaker.state
        permit = self.breaker.allow()
        assert permit is not None or state != "closed"
        assert permit is None or state != "open"
        if permit is not None:
            self.out.append(permit)

    @precondition(lambda self: self.out)
    @rule(which=st.integers(0, 1000), how=st.sampled_from(["ok", "slow", "failed", "dropped"]))
    def tell(self, which: int, how: str) -> None:
        permit = self.out.pop(which % len(self.out))
        before = self.breaker.status()
        if how == "dropped":
            permit.dropped()
            assert self.breaker.status().calls == before.calls
        else:
            (permit.failed if how == "failed" else permit.ok)(2.0 if how == "slow" else 0.1)
            after = self.breaker.status()
            if after.state == "closed" and after.calls >= SETTINGS.least_calls and after.late == before.late:
                assert after.failed < SETTINGS.failure_rate * after.calls
                assert after.slow < SETTINGS.slow_rate * after.calls
            if permit.epoch != len(before.transitions) and len(before.transitions) < 32:
                assert after == msgspec.structs.replace(before, late=before.late + 1)

    @rule(step_s=st.floats(-20, 20))
    def time_passes(self, step_s: float) -> None:
        self.clock.now_s += step_s

    @invariant()
    def counts_make_sense(self) -> None:
        status = self.breaker.status()
        assert 0 <= status.failed <= status.calls
        assert 0 <= status.slow <= status.calls
        if status.state == "half-open":
            assert status.calls < SETTINGS.probes

    @invariant()
    def changes_follow_the_states(self) -> None:
        states = [transition.state for transition in self.breaker.status().transitions]
        follows = {"closed": {"open"}, "open": {"half-open"}, "half-open": {"open", "closed"}}
        assert all(after in follows[before] for before, after in itertools.pairwise(states))


TestMachine = Machine.TestCase
TestMachine.settings = hypothesis_settings(max_examples=cases(60), stateful_step_count=40, deadline=None)
