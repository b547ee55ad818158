"""What each model makes of calls one after another."""

from __future__ import annotations

import pytest

from harness.model import objects
from harness.model.errors import UsageError
from harness.model.object_model import REFUSED, Call, Model, Refused, State

RIGHT = {
    "register": ["read null", "write 1", "read 1", "cas [1,2]", "cas [1,3,false]", "read 2", "delete null", "read null"],
    "register, told": ["cas [1,2,false,null]", "write 1", "cas [2,3,false,1]", "cas [1,2]", "cas [1,3,false,2]", "read 2"],
    "counter": ["read null", "increment null", "increment 4", "decrement 2", "read 3"],
    "set": ["read null", "add b", "add a", "add a", "contains [\"a\",true]", 'read ["a","b"]', "remove a", 'read ["b"]'],
    "queue": ["dequeue null", "enqueue 1", "enqueue 2", "dequeue 1", "dequeue 2", "dequeue null"],
    "lock": ["acquire null", "acquire false", "release null", "release false", "acquire null"],
    "log": ["read null", "append 1", "append 1", "read [1,1]"],
    "text": ["read null", "append a", "append b", "read ab", "write c", "read c"],
}  # fmt: skip
WRONG = {
    "register": ["write 1", "read 2"], "register, swapped": ["write 1", "cas [2,3]"],
    "register, not swapped": ["write 1", "cas [1,3,false]"], "register, held another": ["write 1", "cas [2,3,false,4]"],
    "register, held it": ["write 1", "cas [1,3,false,1]"], "register, held nothing": ["write 1", "cas [2,3,false,null]"],
    "register, held something": ["cas [2,3,false,1]"], "counter": ["increment 2", "read 1"],
    "set": ["add a", 'read ["a","b"]'], "set, missing": ["add a", "contains [\"a\",false]"],
    "queue, not the first": ["enqueue 1", "enqueue 2", "dequeue 2"], "queue, not empty": ["enqueue 1", "dequeue null"],
    "queue, empty": ["dequeue 1"], "lock, held": ["acquire null", "acquire null"], "lock, free": ["release null"],
    "log": ["append 1", "append 2", "read [2,1]"], "text": ["append a", "append b", "read ba"],
}  # fmt: skip


def call(line: str, *, client: int = 1, answered: bool = True) -> Call:
    kind, value = line.split(" ", 1)
    return Call(client=client, kind=kind, value=None if value == "null" else value, answered=answered)


def after(model: Model, lines: list[str]) -> State | Refused:
    state: State | Refused = model.initial
    for line in lines:
        assert state is not REFUSED, line
        state = model.step(state, call(line))
    return state


@pytest.mark.parametrize("case", RIGHT)
def test_takes_what_is_right(case: str) -> None:
    assert after(objects.named(case.split(",")[0]), RIGHT[case]) is not REFUSED


def test_every_model_has_calls_that_are_right() -> None:
    assert {case.split(",")[0] for case in RIGHT} == set(objects.names())


@pytest.mark.parametrize("case", WRONG)
def test_refuses_what_is_wrong(case: str) -> None:
    assert after(objects.named(case.split(",")[0]), WRONG[case]) is REFUSED


@pytest.mark.parametrize(
    ("name", "before", "unanswered", "left"),
    [
        ("register", ["write 1"], "cas [1,2]", "2"),
        ("register", ["write 1"], "cas [3,2]", "1"),
        ("queue", ["enqueue 1"], "dequeue null", ()),
        ("queue", [], "dequeue null", ()),
        ("lock", [], "acquire null", 1),
        ("lock", ["acquire null"], "acquire null", 1),
        ("counter", [], "read 7", 0),
    ],
)
def test_takes_any_answer_if_none_came(name: str, before: list[str], unanswered: str, left: State) -> None:
    model = objects.named(name)
    state = after(model, before)
    assert state is not REFUSED
    assert model.step(state, call(unanswered, answered=False)) == left


def test_only_the_holder_gives_a_lock_back() -> None:
    lock = objects.named("lock")
    held = lock.step(lock.initial, call("acquire null", client=1))
    assert held is not REFUSED
    assert lock.step(held, call("release null", client=2)) is REFUSED
    assert lock.step(held, call("release false", client=2)) == held


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("register", "cas 1"),
        ("register", "cas [1]"),
        ("register", "cas [1,2,true,3]"),
        ("counter", "increment x"),
        ("set", "contains a"),
        ("log", "read 1"),
        ("queue", "enqueue null"),
    ],
)
def test_a_value_of_another_form_is_an_error_that_names_it(name: str, line: str) -> None:
    model = objects.named(name)
    with pytest.raises(ValueError, match=line.split(" ", 1)[0]):
        model.step(model.initial, call(line))


def test_a_model_is_found_by_what_is_done_to_its_object() -> None:
    assert next(iter(objects.that_know(["append", "read"]))) == "log"
    assert list(objects.that_know(["append", "read", "write"])) == ["text"]
    assert list(objects.that_know(["read", "write"])) == ["register", "text"]
    assert objects.that_know(["read", "enqueue"]) == {}


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'stack'.*counter, lock, log, queue, register, set, text"):
        objects.named("stack")
