"""Histories of partitioned stores that keep, or break, the promises about owners, moves, balance and several keys."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import pandas as pd
import pytest

from harness.checkers.balanced import balanced, balanced_within
from harness.checkers.each_key_linearizable import each_key_linearizable
from harness.checkers.moved_share import moved_share
from harness.checkers.one_owner import one_owner
from harness.model.errors import UsageError
from harness.model.history import EVENTS, History, frame
from harness.model.partition_events import KINDS
from tests.helpers.transcript import history

Event = tuple[str, str, dict[str, object]]


def told(*events: Event, calls: str = "") -> History:
    """Events of nodes, a millisecond apart."""
    for _, kind, detail in events:
        msgspec.convert(detail, KINDS[kind])
    rows = [
        (at * 1_000_000, node, kind, msgspec.json.encode(detail).decode()) for at, (node, kind, detail) in enumerate(events)
    ]
    return replace(history(calls), events=frame(EVENTS, pd.DataFrame(rows, columns=list(EVENTS))))


def served(node: str, key: str, epoch: int) -> Event:
    return node, "served", {"key": key, "epoch": epoch}


def mapped(epoch: int, *partitions: tuple[str, int, list[str], list[str]], whole: bool = True) -> Event:
    return "coordinator", "map", {"epoch": epoch, "method": "slots", "whole": whole, "partitions": list(map(list, partitions))}


def planned(epoch: int, moves: int, ideal: float | None, copies: int = 64, why: str = "members") -> Event:
    members = {"n1": 1.0, "n2": 1.0}
    return "coordinator", "planned", {
        "epoch": epoch, "why": why, "members": members, "copies": copies, "moves": moves, "ideal": ideal,
    }  # fmt: skip


def copied(taken_bytes: int, of_bytes: int) -> Event:
    return "n4", "copied", {"low": "", "move": 3, "taken_bytes": taken_bytes, "of_bytes": of_bytes}


SETTLED: Event = ("coordinator", "settled", {"epoch": 9})

# -------------------------------------------------------------------------------------------------------------- one_owner


def test_a_key_may_have_another_owner_in_another_epoch() -> None:
    verdict = one_owner(told(served("n1", "a", 3), served("n2", "a", 4), served("n2", "b", 3), served("n1", "a", 3)))
    assert verdict.valid is True


def test_two_nodes_that_answer_for_a_key_in_one_epoch_are_found() -> None:
    verdict = one_owner(told(served("n1", "a", 3), served("n1", "b", 3), served("n2", "b", 3)))
    assert verdict.valid is False
    assert verdict.why == "two nodes answered for b in epoch 3: n1 at 0.001 s, and n2 at 0.002 s"


def test_an_epoch_that_stands_for_two_maps_is_found() -> None:
    first = mapped(4, ("", 4, ["n1"], ["n2"]))
    assert one_owner(told(first, first, served("n1", "a", 4))).valid is True
    other = one_owner(told(first, mapped(4, ("", 4, ["n2"], [])), served("n1", "a", 4)))
    assert other.valid is False
    assert "two lists of owners in epoch 4: n1 by coordinator at 0.000 s, n2 by coordinator at 0.001 s" in other.why


def test_an_epoch_in_which_different_partitions_changed_is_found() -> None:
    first, other = (mapped(4, (low, 4, ["n1"], []), whole=False) for low in ("", "8"))
    nothing = mapped(4, whole=False)
    assert one_owner(told(first, nothing, served("n1", "a", 4))).valid is True
    verdict = one_owner(told(first, other, served("n1", "a", 4)))
    assert verdict.valid is False
    assert "epoch 4 has two maps: by coordinator at 0.001 s, the partition from '8' is of it" in verdict.why


def test_a_keeper_that_goes_back_is_found() -> None:
    verdict = one_owner(told(mapped(5, ("", 5, ["n1"], [])), mapped(1, ("", 1, ["n1"], [])), served("n1", "a", 1)))
    assert verdict.valid is False
    assert "went back to epoch 1" in verdict.why


def test_without_an_answer_it_is_unknown() -> None:
    assert one_owner(told(mapped(1, ("", 1, ["n1"], [])))).valid is None


# ------------------------------------------------------------------------------------------------------------ moved_share


def test_about_the_ideal_share_is_right() -> None:
    verdict = moved_share(told(planned(2, 16, 0.25), copied(10_000, 10_500), SETTLED))
    assert verdict.valid is True
    assert "25.0% (ideal 25.0%)" in verdict.why


def test_a_plan_that_moves_nearly_all_is_found() -> None:
    verdict = moved_share(told(planned(2, 48, 0.25), SETTLED))
    assert verdict.valid is False
    assert verdict.why == ("the plan of epoch 2 moves 75% of all copies; 25% has to move, and chance explains up to 43%")


@pytest.mark.parametrize(
    ("taken_bytes", "of_bytes", "valid"), [(100_000, 110_000, True), (50_000, 110_000, False), (2, 3_000, True)]
)
def test_a_copy_is_as_large_as_what_it_copies(taken_bytes: int, of_bytes: int, valid: bool) -> None:
    assert moved_share(told(planned(2, 16, 0.25), copied(taken_bytes, of_bytes), SETTLED)).valid is valid


def test_a_method_that_promises_no_share_is_not_held_to_one() -> None:
    assert moved_share(told(planned(2, 48, None), SETTLED)).valid is True


def test_what_was_not_carried_out_or_is_because_of_load_says_nothing() -> None:
    assert moved_share(told(SETTLED, planned(2, 16, 0.25))).valid is None
    assert moved_share(told(planned(2, 60, 0.1, why="load"), SETTLED)).valid is None
    assert moved_share(told()).valid is None


# --------------------------------------------------------------------------------------------------------------- balanced


def answered(**calls: int) -> str:
    """This many calls to each node in the last third of the load, which is a second long; before that n1 answered all."""
    before = [f"c1 read x null {10 + at}..{11 + at} ok node=n1" for at in range(0, 600, 10)]
    nodes = [node for node, n in calls.items() for _ in range(n)]
    after = [f"c1 read x null {700 + 300 * at / len(nodes)}..1001 ok node={node}" for at, node in enumerate(nodes)]
    return "\n".join([*before, *after, "c1 read x null 1010..1011 ok node=n1"])


def test_equal_nodes_with_equal_loads_are_balanced() -> None:
    verdict = balanced(told(planned(1, 0, 0.0), SETTLED, calls=answered(n1=210, n2=190)))
    assert verdict.valid is True
    assert verdict.why == "n1 answered 1.05 times its share of 401 calls, and no other of 2 members more"


def test_a_node_with_too_much_is_found_by_the_bound_that_is_asked_for() -> None:
    uneven = told(planned(1, 0, 0.0), SETTLED, calls=answered(n1=270, n2=130))
    assert balanced(uneven).valid is True
    assert balanced_within(1.2)(uneven).valid is False
    assert balanced(told(planned(1, 0, 0.0), SETTLED, calls=answered(n1=310, n2=90))).valid is False
    assert balanced_within(1.2).__name__ == "balanced"
    with pytest.raises(UsageError, match="must be above 1"):
        balanced_within(1.0)


def test_a_large_node_is_to_have_more() -> None:
    node, kind, detail = planned(1, 0, 0.0)
    weighted: Event = (node, kind, detail | {"members": {"n1": 3.0, "n2": 1.0}})
    assert balanced(told(weighted, SETTLED, calls=answered(n1=300, n2=100))).valid is True
    assert balanced(told(weighted, SETTLED, calls=answered(n1=200, n2=200))).valid is False


def test_what_may_be_chance_is_not_an_imbalance() -> None:
    node, kind, detail = planned(1, 0, 0.0)
    ten: Event = (node, kind, detail | {"members": {f"n{number}": 1.0 for number in range(10)}})
    even = {f"n{number}": 20 for number in range(10)}
    verdict = balanced(told(ten, SETTLED, calls=answered(**even | {"n3": 31, "n4": 9})))
    assert verdict.valid is None
    assert "these are only 31 calls" in verdict.why
    assert balanced(told(ten, SETTLED, calls=answered(**even | {"n3": 45}))).valid is False
    assert balanced(told(ten, SETTLED, calls=answered(**even | {"n3": 29}))).valid is True


def test_with_few_calls_or_before_all_has_moved_it_is_unknown() -> None:
    assert balanced(told(planned(1, 0, 0.0), SETTLED, calls=answered(n1=100, n2=10))).valid is None
    assert balanced(told(SETTLED, planned(1, 0, 0.0), calls=answered(n1=400))).valid is None
    assert balanced(told(planned(1, 0, 0.0), SETTLED)).valid is None


# -------------------------------------------------------------------------------------------------- each_key_linearizable


def test_several_keys_at_once_are_reads_of_each() -> None:
    right = """
        c1 write  a 1                    0..10 ok
        c1 write  b 2                   20..30 ok
        c2 multi_get ["a","b","c"] {"a":"1","b":null,"c":null}   15..25 ok
        c2 multi_get ["a","b"] {"a":"1","b":"2"}   40..50 ok
        c2 scan   ["a","c"] {"a":"1","b":"2"}      60..70 ok
        c2 scan   ["b",null] {"b":"2"}             80..90 ok
    """
    assert each_key_linearizable(history(right)).valid is True


@pytest.mark.parametrize(
    "wrong",
    ['multi_get ["a","b"] {"a":null,"b":"2"}', 'scan ["a","c"] {"b":"2"}', 'scan ["a",null] {"a":"1"}', 'multi_get ["b"] {}'],
)
def test_a_key_that_is_missing_or_old_in_one_of_them_is_found(wrong: str) -> None:
    verdict = each_key_linearizable(
        history(f"c1 write a 1 0..10 ok\nc1 write b 2 20..30 ok\nc2 read a 1 32..33 ok\nc2 {wrong} 40..50 ok")
    )
    assert verdict.valid is False
    assert 3 in verdict.ops
    assert {int(op) for op in re.findall(r"\(op (\d+)\)", verdict.why)} == set(verdict.ops)


def test_without_such_calls_it_is_linearizable_alone() -> None:
    assert each_key_linearizable(history("c1 write a 1 0..10 ok\nc2 read a null 20..30 ok")).valid is False
    assert each_key_linearizable(history("c2 multi_get [ {} 0..1 ok")).valid is None
