"""On a machine that starves processes, lateness is unknown, but what lateness does not excuse is still wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.checkers._starvation import disturbed, starvation, starved
from harness.checkers.corruption_contained import corruption_contained
from harness.checkers.one_of_the_right import one_of_the_right
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.history import USAGE, History, frame

S = 1_000_000_000
Row = dict[str, object]


def looks(node: str, waited_s: dict[float, float], pid: int = 7) -> list[Row]:
    """Looks at a process: the seconds that it had waited for a CPU by then."""
    return [
        {"at_ns": round(at * S), "node": node, "pid": pid, "moment": "load", "ran_ns": 0, "waited_ns": round(waited * S)}
        for at, waited in waited_s.items()
    ]


def window(fault: str, targets: str, from_s: float, to_s: float | None) -> Row:
    healed = None if to_s is None else round(to_s * S)
    return {
        "label": "w0", "fault": fault, "selector": targets, "targets": targets, "from_s": from_s, "to_s": to_s or 9.0,
        "injected_ns": round(from_s * S), "healed_ns": healed, "acted": True, "evidence": "",
    }  # fmt: skip


def recorded(usage: list[Row], windows: list[Row] | None = None, ops: list[Row] | None = None) -> History:
    return History.of(ops or [], windows, usage=usage)


def test_the_process_that_waited_longest_counts() -> None:
    history = recorded([*looks("r1", {0: 0, 4: 1}), *looks("r2", {0: 5, 2: 5, 4: 7}), *looks("", {0: 0, 4: 0.5}, 0)])
    assert starvation(history, 0, 4 * S) == ("r2", 2 * S)
    assert starvation(history, 0, 2 * S) == ("r1", S // 2)  # spread evenly between two looks
    assert starved(history, 2 * S, 4 * S) == "the machine was too busy: r2 waited 2.00 s for a CPU in 2.00 s"
    assert starved(history, 0, 4 * S) is None


def test_each_process_is_counted_from_its_own_start() -> None:
    history = recorded([*looks("r1", {0: 0, 1: 3}, pid=7), *looks("r1", {2: 0, 4: 0.5}, pid=8)])
    assert starvation(history, S, 4 * S) == ("r1", S // 2)


def test_what_a_fault_withheld_is_not_the_machine_s() -> None:
    usage = looks("balancer", {0: 0, 1: 0, 3: 2, 4: 2.25})
    for window_ in (window("SlowCpu", "balancer", 1, 3), window("SlowCpu", "balancer", 1, None)):
        history = recorded(usage, [window_])
        assert starvation(history, 0, 3 * S).waited_ns == 0
    assert starvation(recorded(usage, [window("SlowCpu", "r1", 1, 3)]), 0, 3 * S) == ("balancer", 2 * S)
    assert starvation(recorded(usage, [window("SlowCpu", "balancer", 1, 3)]), 0, 4 * S) == ("balancer", S // 4)


def test_what_two_faults_withheld_at_once_counts_once() -> None:
    usage = looks("balancer", {0: 0, 1: 0, 3: 2, 6: 4.5})
    windows = [window("SlowCpu", "balancer", 1, 3), window("SlowCpu", "balancer", 1, 2.5), window("SlowCpu", "balancer", 2, 3)]
    assert starvation(recorded(usage, windows), 0, 6 * S) == ("balancer", 2.5 * S)


def test_nothing_recorded_is_no_starvation() -> None:
    assert starved(recorded([]), 0, S) is None


def ran(node: str, ran_s: float, pid: int) -> list[Row]:
    """A process that ran for this long in four seconds and waited for two."""
    waited = looks(node, {0: 0, 4: 0 if node == "" else 2}, pid)
    return [row | {"ran_ns": round(at * S)} for row, at in zip(waited, (1, 1 + ran_s), strict=True)]


def test_others_on_the_machine_disturb_a_run_and_its_own_processes_do_not() -> None:
    own = ran("r1", 3.5, 7)
    why = "the machine was busy: others used its CPUs for 4.0 s, and r1 waited 2.00 s for a CPU in 4.0 s"
    assert disturbed(recorded([*own, *ran("", 7.5, 0)]), 0, 4 * S) == why
    assert disturbed(recorded([*own, *ran("", 4.0, 0)]), 0, 4 * S) is None
    assert disturbed(recorded([*looks("r1", {0: 0, 4: 0.9}), *ran("", 7.5, 0)]), 0, 4 * S) is None
    assert disturbed(recorded([]), 0, 4 * S) is None


def test_the_threads_of_its_own_processes_do_not_disturb_a_run() -> None:
    own = [row | {"cpu_ns": round(at * S)} for row, at in zip(ran("r1", 0.5, 7), (2, 2 + 7.5), strict=True)]
    assert disturbed(recorded([*own, *ran("", 8.0, 0)]), 0, 4 * S) is None
    assert disturbed(recorded([*own, *ran("", 9.0, 0)]), 0, 4 * S) is not None


# ---------------------------------------------------------------------------------------------------------- the checkers


def predicted(at_s: float, node: str, *, right: bool) -> Row:
    at = round(at_s * S)
    return {
        "client": 0, "kind": "predict", "key": "k", "outcome": "ok", "node": node, "sent_ns": at, "done_ns": at + 1000,
        "value": f'{{"label":{7 if right else 3},"score":0.5}}', "expected": '{"label":7,"score":0.5}',
    }  # fmt: skip


FLIP = window("FlipBits", "r1", 1, 2)
LATE = [
    predicted(1.5, "r1", right=False),
    predicted(2.8, "r1", right=False),
    *(predicted(3 + n / 10, "r1", right=True) for n in range(30)),
]
STARVED = looks("balancer", {0: 0, 1: 0, 3: 1.8, 6: 1.8})
FED = looks("balancer", {0: 0, 6: 0.1})


def test_damage_is_contained_in_the_time_that_the_processes_had() -> None:
    assert corruption_contained(recorded(FED, [FLIP], LATE)).valid is False
    verdict = corruption_contained(recorded(STARVED, [FLIP], LATE))
    assert verdict.valid is None
    assert verdict.why == "1 wrong prediction more than a second after the flip, but balancer waited 1.62 s for a CPU"


@pytest.mark.parametrize(
    "wrong", [predicted(5, "r1", right=False), predicted(0.5, "r1", right=False), predicted(2, "r2", right=False)]
)
def test_starvation_hides_no_wrong_answer_that_it_does_not_explain(wrong: Row) -> None:
    """One answer long after the machine recovered, one before the flip, one of a node that was not hit."""
    assert corruption_contained(recorded(STARVED, [FLIP], [wrong, *LATE])).valid is False


def test_content_is_judged_as_ever_on_a_starved_machine() -> None:
    assert predictions_correct(recorded(STARVED, [], LATE)).valid is False


def test_a_replica_that_is_missing_on_a_starved_machine_is_unknown() -> None:
    ops = [predicted(n / 20, f"r{1 + n % 2}", right=True) for n in range(20)]
    ops += [predicted(3 + n / 50, "r1", right=True) for n in range(150)]
    kill = window("Kill", "r2", 1, 2)
    assert replicas_return(recorded(looks("r2", {0: 0, 6: 1}), [kill], ops)).valid is False
    verdict = replicas_return(recorded(looks("r2", {0: 0, 2: 0, 6: 3.5}), [kill], ops))
    assert verdict.valid is None
    assert "the machine was too busy: r2 waited 3.48 s for a CPU in 3.98 s" in verdict.why


def test_final_calls_that_a_starved_machine_left_open_are_unknown() -> None:
    right = '["a"]'
    final: Row = {
        "phase": "final", "client": 0, "kind": "score", "key": "u", "value": None, "expected": right, "outcome": "unknown",
        "error": "no answer", "sent_ns": 6 * S, "done_ns": 16 * S,
    }  # fmt: skip
    answered: Row = final | {"phase": "load", "value": '"a"', "outcome": "ok", "sent_ns": 0, "done_ns": 1}
    history = recorded(looks("r1", {0: 0, 16: 1}), [], [answered, final])
    assert one_of_the_right(history).valid is False
    hungry = replace(history, usage=frame(USAGE, looks("r1", {0: 0, 6: 0, 16: 8})))
    assert one_of_the_right(hungry).valid is None
