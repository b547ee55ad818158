"""Values that are JSON arrays or objects: how a program writes their texts makes no difference."""

from __future__ import annotations

import pytest

from harness.checkers.at_least_once import at_least_once
from harness.checkers.converges import converges
from harness.checkers.linearizable import linearizable, linearizable_as
from harness.checkers.no_duplicates import no_duplicates
from harness.checkers.no_lost_messages import no_lost_messages
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.read_your_writes import read_your_writes
from harness.checkers.sequential import sequential
from harness.checkers.set_full import set_full
from harness.model.history import History
from harness.model.objects.set import Set
from harness.model.verdict import Checker
from tests.helpers.transcript import history

SPELLINGS = ('{"id": 1, "to": ["a"]}', '{"to":["a"],"id":1.0}', '{ "id":1, "to":["a"] }')

CALLS: dict[str, tuple[Checker, list[tuple[str, str | None]]]] = {
    "messages, not twice": (no_duplicates, [("send", "{0}"), ("poll", "[{1}]")]),
    "messages, all": (no_lost_messages, [("send", "{0}"), ("receive", "{1}"), ("receive", None)]),
    "messages that are acked": (at_least_once, [("send", "{0}"), ("poll", '["b",{1}]'), ("ack", "{2}"), ("send", "b")]),
    "a set": (set_full, [("add", "{0}"), ("read", "[{1}]"), ("remove", "{2}"), ("read", "[]")]),
    "a set, in order": (linearizable_as(Set()), [("add", "{0}"), ("read", "[{1}]"), ("remove", "{2}"), ("read", "[]")]),
    "a queue": (linearizable, [("enqueue", "{0}"), ("dequeue", "{1}")]),
    "a log": (linearizable, [("append", "{0}"), ("append", "b"), ("read", '[{1},"b"]')]),
    "a register that is only read and written": (linearizable, [("write", "{0}"), ("read", "{1}")]),
    "a register for each client": (sequential, [("write", "{0}"), ("read", "{1}"), ("read", "{2}")]),
    "a register": (linearizable, [("write", "{0}"), ("cas", "[{1},2]"), ("write", "{1}"), ("read", "{2}"), ("cas", "[{0},3]")]),
}


def told(calls: list[tuple[str, str | None]], spellings: tuple[str, ...]) -> History:
    values = [value if value is None else _filled(value, spellings) for _, value in calls]
    return History.of(
        [
            {
                "client": 1, "kind": kind, "key": "x", "value": value, "outcome": "ok",
                "sent_ns": 0 if value == "b" else 2 * at, "done_ns": 1 if value == "b" else 2 * at + 1,
            }
            for at, ((kind, _), value) in enumerate(zip(calls, values, strict=True))
        ]
    )  # fmt: skip


def _filled(value: str, spellings: tuple[str, ...]) -> str:
    for number, spelling in enumerate(spellings):
        value = value.replace(f"{{{number}}}", spelling)
    return value


@pytest.mark.parametrize(("checker", "calls"), CALLS.values(), ids=CALLS.keys())
def test_equal_values_are_equal_however_they_are_spelled(checker: Checker, calls: list[tuple[str, str | None]]) -> None:
    verdict = checker(told(calls, SPELLINGS))
    assert verdict.valid is True, verdict
    different = (SPELLINGS[0], *(spelling.replace("1", "7") for spelling in SPELLINGS[1:]))
    assert checker(told(calls, different)).valid is False


def test_a_message_that_is_a_string_may_be_json_as_well() -> None:
    assert no_duplicates(told([("send", '{"id": 1}'), ("poll", '["{\\"id\\": 1}"]')], ())).valid is True
    assert no_duplicates(told([("send", '{"id": 1'), ("poll", '["{\\"id\\": 1"]')], ())).valid is True
    assert no_duplicates(told([("send", '{"id": 1'), ("poll", '["{\\"id\\":1"]')], ())).valid is False


@pytest.mark.parametrize("checker", [nothing_lost, converges, read_your_writes])
def test_values_that_are_read_in_the_end_are_equal_however_they_are_spelled(checker: Checker) -> None:
    calls = "c1 write x {} 0..9 ok\nc1 read x {} 20..29 ok final node=n1\nc1 read x {} 30..39 ok final node=n2"
    spelled, different = history(calls), history(calls)
    spelled.ops["value"] = SPELLINGS
    different.ops["value"] = [SPELLINGS[0], SPELLINGS[1], SPELLINGS[2].replace("1", "7")]
    assert checker(spelled).valid is True
    assert checker(different).valid is False
