"""The replicas' circuit breakers in the pool: which replicas it excludes and tries again, and that it always asks one."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import UsageError
from systems.parts.breaker import Permit
from systems.parts.breaker import Settings as BreakerSettings
from systems.serving.flaky import FlakyServing
from systems.serving.policy import FALL_CHECKS, Pool
from systems.serving.settings import Settings

NAMES = ["r1", "r2", "r3"]
PROBES = 2
SETTINGS = Settings(
    strategy="round-robin",
    slow_start_ms=0,
    breaker=BreakerSettings(
        failure_rate=0.4, slow_rate=0.5, slow_s=0.05, window_s=1, least_calls=4, open_s=1, probes=PROBES, probe_expires_s=1
    ),
    slow_times=5,
)
QUICK_S, LATE_S = 0.002, 0.1


class Serving:
    """A pool and its clock, for calls with given durations and outcomes."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.pool = Pool(NAMES, settings)
        self.now_s = 100.0

    def call(self, name: str, took_s: float = QUICK_S, *, failed: bool = False) -> None:
        permit = self.pool.sent(name, self.now_s)
        self.now_s += took_s
        if failed:
            self.pool.failed(name, "broken", self.now_s, permit=permit)
        else:
            self.pool.answered(name, self.now_s, permit=permit)

    def chosen(self, times: int = 30) -> set[str | None]:
        return {self.pool.choose((), self.now_s) for _ in range(times)}

    def states(self) -> dict[str, str | None]:
        return {replica.name: replica.breaker for replica in self.pool.status(self.now_s)}

    def fail_every_other(self, name: str) -> None:
        for turn in range(8):
            self.call(name, failed=turn % 2 == 1)


def test_a_replica_that_fails_every_other_request_is_left_out_though_it_is_up() -> None:
    serving = Serving()
    serving.fail_every_other("r1")
    assert serving.states() == {"r1": "open", "r2": "closed", "r3": "closed"}
    assert serving.chosen() == {"r2", "r3"}
    assert serving.pool.is_up("r1")


def test_a_replica_that_is_far_slower_than_the_others_is_left_out() -> None:
    serving = Serving()
    for _ in range(6):
        serving.call("r2")
        serving.call("r3")
        serving.call("r1", LATE_S)
    assert serving.chosen() == {"r2", "r3"}


def test_two_slow_ones_do_not_excuse_each_other() -> None:
    serving = Serving()
    for _ in range(6):
        serving.call("r3")
        serving.call("r1", LATE_S)
        serving.call("r2", LATE_S)
    states = serving.states()
    assert states.pop("r3") == "closed"
    assert "closed" not in states.values()


def test_one_that_cannot_be_compared_is_not_slow() -> None:
    serving = Serving()
    for _ in range(20):
        serving.call("r1", LATE_S)
    assert serving.states()["r1"] == "closed"


def test_where_all_are_slow_none_is_left_out() -> None:
    serving = Serving()
    for _ in range(20):
        for name in NAMES:
            serving.call(name, LATE_S)
    assert set(serving.states().values()) == {"closed"}


def test_where_all_that_are_up_are_slow_none_is_left_out() -> None:
    """A replica that went down in quiet times, when it was quick, says nothing about how long a call takes now."""
    serving = Serving()
    for name in NAMES:
        serving.call(name)
    for _ in range(FALL_CHECKS):
        serving.pool.check_failed("r3", "no answer", serving.now_s)
    for _ in range(20):
        serving.call("r1", LATE_S)
        serving.call("r2", LATE_S)
    assert set(serving.states().values()) == {"closed"}


def test_many_times_as_slow_is_quick_enough_where_it_is_quick() -> None:
    serving = Serving()
    for _ in range(20):
        serving.call("r1", 0.04)
        serving.call("r2", 0.0001)
        serving.call("r3", 0.0001)
    assert set(serving.states().values()) == {"closed"}


def test_half_open_it_gets_its_probes_and_returns_when_they_go_well() -> None:
    serving = Serving()
    serving.fail_every_other("r1")
    serving.now_s += 1
    probes = []
    for _ in range(PROBES):
        assert "r1" in serving.chosen()
        probes.append(serving.pool.sent("r1", serving.now_s))
    assert serving.states()["r1"] == "half-open"
    assert serving.chosen() == {"r2", "r3"}
    for probe in probes:
        serving.pool.answered("r1", serving.now_s, permit=probe)
    assert serving.states()["r1"] == "closed"
    assert serving.chosen() == set(NAMES)


def test_an_abandoned_probe_frees_its_place() -> None:
    serving = Serving()
    serving.fail_every_other("r1")
    serving.now_s += 1
    probes = [serving.pool.sent("r1", serving.now_s) for _ in range(PROBES)]
    serving.pool.abandoned("r1", permit=probes[0])
    assert "r1" in serving.chosen()


def test_answers_to_what_was_sent_before_it_opened_do_not_close_it() -> None:
    serving = Serving()
    before = [serving.pool.sent("r1", serving.now_s) for _ in range(10)]
    serving.fail_every_other("r1")
    serving.now_s += 1
    for permit in before:
        serving.pool.answered("r1", serving.now_s, permit=permit)
    assert serving.states()["r1"] == "half-open"


def test_where_all_breakers_are_open_all_are_asked() -> None:
    serving = Serving()
    for name in NAMES:
        serving.fail_every_other(name)
    assert set(serving.states().values()) == {"open"}
    assert serving.chosen() == set(NAMES)
    assert serving.pool.choose(["r1"], serving.now_s) in {"r2", "r3"}


def test_where_most_breakers_are_open_the_rest_need_not_answer_for_them() -> None:
    serving = Serving()
    serving.fail_every_other("r1")
    serving.fail_every_other("r2")
    assert serving.states() == {"r1": "open", "r2": "open", "r3": "closed"}
    assert serving.chosen() == set(NAMES)


def test_how_many_may_be_left_out_is_a_setting() -> None:
    serving = Serving(msgspec.structs.replace(SETTINGS, max_ejected=0.7))
    serving.fail_every_other("r1")
    serving.fail_every_other("r2")
    assert serving.chosen() == {"r3"}


def test_a_retry_goes_to_one_whose_breaker_is_closed() -> None:
    serving = Serving()
    serving.fail_every_other("r1")
    assert {serving.pool.choose(["r2"], serving.now_s) for _ in range(20)} == {"r3"}
    assert serving.pool.choose(["r2", "r3"], serving.now_s) == "r1"


def test_switched_off_breakers_exclude_no_replica() -> None:
    serving = Serving(msgspec.structs.replace(SETTINGS, breaker=None))
    serving.fail_every_other("r1")
    assert serving.chosen() == set(NAMES)
    assert set(serving.states().values()) == {None}


@pytest.mark.parametrize("slow_times", [-1, float("nan")])
def test_settings_that_make_no_sense_are_refused(slow_times: float) -> None:
    with pytest.raises(UsageError, match="slow_times"):
        Settings(slow_times=slow_times)


def test_only_the_last_replica_is_flaky() -> None:
    codes = Counter(node.code for node in FlakyServing(replicas=3).nodes())
    assert codes == {"systems.serving.replica": 2, "systems.serving.known_bad.flaky_replica": 1, "systems.serving.balancer": 1}


KINDS = ["ok", "late", "failed", "abandoned", "check_failed", "check_passed"]
STEPS = st.lists(
    st.tuples(st.sampled_from([*KINDS, *["choose"] * 8]), st.integers(0, 50), st.sampled_from([0.0, 0.01, 0.3, 1.1]))
)


@given(STEPS, st.sampled_from(["round-robin", "least-outstanding", "two-choices"]))
def test_whatever_happens(steps: list[tuple[str, int, float]], strategy: str) -> None:
    """The pool chooses no open breaker while another is closed; it chooses some replica if one is up; probes are bounded."""
    pool = Pool(NAMES, msgspec.structs.replace(SETTINGS, strategy=strategy))
    now_s = 100.0
    out: list[tuple[str, Permit | None, str | None]] = []
    for kind, which, gap_s in steps:
        now_s += gap_s
        name = NAMES[which % len(NAMES)]
        if kind == "choose":
            status = {replica.name: replica for replica in pool.status(now_s)}
            usable = {replica.name for replica in status.values() if replica.up}
            choice = pool.choose((), now_s)
            assert choice in usable if usable else choice is None
            if choice is None:
                continue
            state, permit = status[choice].breaker, pool.sent(choice, now_s)
            if len(usable) > 1 and sum(status[name].breaker != "closed" for name in usable) <= 1:
                assert state != "open"
                assert permit is not None
            out.append((choice, permit, state))
            probing = [permit for sent_to, permit, sent_in in out if sent_to == choice and sent_in == "half-open" and permit]
            newest = max((permit.epoch for permit in probing), default=0)
            assert sum(permit.epoch == newest for permit in probing) <= PROBES
        elif kind == "check_failed":
            for _ in range(FALL_CHECKS):
                pool.check_failed(name, "no answer", now_s)
        elif kind == "check_passed":
            pool.check_passed(name, now_s)
        elif out:
            sent_to, permit, _ = out.pop(which % len(out))
            match kind:
                case "failed":
                    pool.failed(sent_to, "broken", now_s, permit=permit)
                case "abandoned":
                    pool.abandoned(sent_to, permit=permit)
                case _:
                    now_s += LATE_S * (kind == "late")
                    pool.answered(sent_to, now_s, permit=permit)
