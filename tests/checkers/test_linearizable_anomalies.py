"""Known anomalies of objects of every kind, each beside a history that differs in one thing and is right."""

from __future__ import annotations

import pytest

from harness.checkers.linearizable import applies, linearizable, linearizable_as
from harness.model import objects
from harness.model.objects.register import Register
from harness.run import catalog
from harness.run.unjudged import all_judged
from tests.helpers.transcript import history

WRONG_AND_RIGHT = {
    "a stale read of a value that was written twice": (
        """
        c1 write x 1   0..1 ok
        c1 write x 1   2..3 ok
        c1 write x 2   4..5 ok
        c2 read  x 1   6..7 ok
        """,
        """
        c1 write x 1   0..1 ok
        c1 write x 2   2..3 ok
        c1 write x 1   4..5 ok
        c2 read  x 1   6..7 ok
        """,
    ),
    "a deleted value rises again": (
        """
        c1 write  x 1     0..1 ok
        c1 delete x null  2..3 ok
        c2 read   x null  4..5 ok
        c2 read   x 1     6..7 ok
        """,
        """
        c1 write  x 1     0..1 ok
        c1 delete x null  2..3 ok
        c2 read   x null  4..5 ok
        c2 read   x null  6..7 ok
        """,
    ),
    "a write of null is undone": (
        """
        c1 write x 1     0..1 ok
        c1 write x null  2..3 ok
        c2 read  x null  4..5 ok
        c2 read  x 1     6..7 ok
        """,
        """
        c1 write x 1     0..1 ok
        c1 write x null  2..3 ok
        c2 read  x null  4..5 ok
        """,
    ),
    "two compare-and-sets both win": (
        """
        c1 write x 0      0..1 ok
        c1 cas   x [0,1]  2..5 ok
        c2 cas   x [0,2]  2..5 ok
        """,
        """
        c1 write x 0      0..1 ok
        c1 cas   x [0,1]  2..5 ok
        c2 cas   x [0,2,false]  2..5 ok
        c2 read  x 1      6..7 ok
        """,
    ),
    "a compare-and-set is lost": (
        """
        c1 write x 1      0..1 ok
        c1 cas   x [1,2]  2..3 ok
        c2 read  x 1      4..5 ok
        """,
        """
        c1 write x 1      0..1 ok
        c1 cas   x [1,2]  2..3 ok
        c2 read  x 2      4..5 ok
        """,
    ),
    "a compare-and-set of unknown outcome takes effect twice": (
        """
        c1 write x 1      0..1 ok
        c1 cas   x [1,2]  2..3 unknown
        c2 read  x 2      4..5 ok
        c2 write x 1      6..7 ok
        c2 read  x 2      8..9 ok
        """,
        """
        c1 write x 1      0..1 ok
        c1 cas   x [1,2]  2..3 unknown
        c2 read  x 1      4..5 ok
        c2 write x 1      6..7 ok
        c2 read  x 2      8..9 ok
        """,
    ),
    "a failed compare-and-set is seen": (
        """
        c1 write x 1      0..1 ok
        c1 cas   x [1,2]  2..3 failed
        c2 read  x 2      4..5 ok
        """,
        """
        c1 write x 1      0..1 ok
        c1 cas   x [1,2]  2..3 failed
        c2 read  x 1      4..5 ok
        """,
    ),
    "a counter loses an increment": (
        """
        c1 increment n null  0..1 ok
        c2 increment n null  0..1 ok
        c1 read      n 1     2..3 ok
        """,
        """
        c1 increment n null  0..1 ok
        c2 increment n null  0..1 unknown
        c1 read      n 1     2..3 ok
        """,
    ),
    "a counter goes back": (
        """
        c1 increment n null  0..9 ok
        c2 read      n 1     1..2 ok
        c2 read      n 0     3..4 ok
        """,
        """
        c1 increment n null  0..9 ok
        c2 read      n 0     1..2 ok
        c2 read      n 1     3..4 ok
        """,
    ),
    "two readers see elements come in different orders": (
        """
        c1 add  s a        0..9 ok
        c2 add  s b        0..9 ok
        c3 read s ["a"]    1..2 ok
        c4 read s ["b"]    1..2 ok
        """,
        """
        c1 add  s a        0..9 ok
        c2 add  s b        0..9 ok
        c3 read s ["a"]    1..2 ok
        c4 read s ["b","a"]    1..2 ok
        """,
    ),
    "an element is dequeued twice": (
        """
        c1 enqueue q 1  0..1 ok
        c2 dequeue q 1  2..5 ok
        c3 dequeue q 1  2..5 ok
        """,
        """
        c1 enqueue q 1  0..1 ok
        c2 dequeue q 1  2..5 ok
        c3 dequeue q null  2..5 ok
        """,
    ),
    "a queue gives the second first": (
        """
        c1 enqueue q 1  0..1 ok
        c1 enqueue q 2  2..3 ok
        c2 dequeue q 2  4..5 ok
        """,
        """
        c1 enqueue q 1  0..3 ok
        c2 enqueue q 2  2..3 ok
        c2 dequeue q 2  4..5 ok
        """,
    ),
    "two clients hold a lock": (
        """
        c1 acquire l null  0..1 ok
        c2 acquire l null  2..3 ok
        c1 release l null  4..5 ok
        """,
        """
        c1 acquire l null  0..1 ok
        c2 acquire l null  2..5 ok
        c1 release l null  4..5 ok
        """,
    ),
    "a log forgets what it showed": (
        """
        c1 append g a          0..1 ok
        c2 append g b          0..1 ok
        c3 read   g ["a","b"]  2..3 ok
        c3 read   g ["a"]      4..5 ok
        """,
        """
        c1 append g a          0..1 ok
        c2 append g b          2..5 ok
        c3 read   g ["a","b"]  2..3 ok
        c3 read   g ["a","b"]  4..5 ok
        """,
    ),
    "a text has an appended part twice": (
        """
        c1 write  t a    0..1 ok
        c1 append t b    2..3 ok
        c2 read   t abb  4..5 ok
        """,
        """
        c1 write  t a    0..1 ok
        c1 append t b    2..3 ok
        c2 read   t ab   4..5 ok
        """,
    ),
}


@pytest.mark.parametrize(("wrong", "right"), WRONG_AND_RIGHT.values(), ids=WRONG_AND_RIGHT.keys())
def test_tells_an_anomaly_from_what_is_right(wrong: str, right: str) -> None:
    verdict = linearizable(history(wrong))
    assert verdict.valid is False, verdict.why
    assert verdict.ops
    assert verdict.explained_until_ns is not None
    verdict = linearizable(history(right))
    assert verdict.valid is True, verdict.why


def test_tells_the_calls_that_have_no_order() -> None:
    verdict = linearizable(
        history("""
        c1 write x 1       0..1  ok
        c1 cas   x [1,2]   2..3  ok
        c2 read  x 2       4..5  ok
        c3 read  x 1       6..7  ok
        c1 read  x 1       8..9  ok
        """)
    )
    assert verdict.why == "key x: no order explains client 3's read of 1 (op 3) together with client 2's read of 2 (op 2)"
    assert verdict.ops == (2, 3)
    assert verdict.explained_until_ns == 7_000_000


def test_a_violation_beside_a_read_that_found_nothing_is_told() -> None:
    verdict = linearizable(
        history("""
        c1 read  y null  0..1 ok
        c1 write x 1     2..3 ok
        c1 read  x null  4..5 ok
        """)
    )
    assert verdict.valid is False
    assert verdict.ops == (1, 2)


def test_keys_of_one_history_may_hold_different_objects() -> None:
    both = history("""
        c1 enqueue q 1     0..1 ok
        c2 dequeue q 1     2..3 ok
        c1 write   x 1     0..1 ok
        c1 read    x 1     2..3 ok
    """)
    assert linearizable(both).valid is True


def test_does_not_guess_what_an_object_is() -> None:
    verdict = linearizable(history("c1 enqueue q 1 0..1 ok\nc1 write q 1 2..3 ok\nc1 dequeue q 1 4..5 ok"))
    assert (verdict.valid, verdict.why) == (None, "undecided: key q (no model knows all of dequeue, enqueue, write)")


@pytest.mark.parametrize("kind", ["put", "Write", "swap"])
def test_calls_that_no_model_knows_may_have_changed_their_keys(kind: str) -> None:
    changed = f"c1 write x 1 0..1 ok\nc1 {kind} x 2 2..3 unknown\nc2 read x 2 4..5 ok\n"
    verdict = linearizable(history(changed))
    assert (verdict.valid, verdict.why) == (
        None, f"undecided: key x (its calls have no order, but what {kind} did to it is not known here)",
    )  # fmt: skip
    assert linearizable(history(changed.replace("unknown", "failed"))).valid is False
    stale = linearizable(history(changed + "c1 write y 1 0..1 ok\nc2 read y null 2..3 ok"))
    assert (stale.valid, stale.ops) == (False, (3, 4))


def test_transactions_may_have_written_registers() -> None:
    def beside(transaction: str, outcome: str = "ok") -> bool | None:
        return linearizable(history(f"c1 write x 1 0..1 ok\nc1 txn - {transaction} 2..3 {outcome}\nc2 read x 2 4..5 ok")).valid

    assert beside('[["w","x",2]]') is beside('[["w","x",2]]', "unknown") is beside("broken") is None
    assert beside('[["w","y",2]]') is beside('[["r","x",2]]') is beside('[["w","x",2]]', "failed") is False


@pytest.mark.parametrize("kind", ["generate", "leader", "send", "ack"])
def test_calls_that_change_no_object_excuse_nothing(kind: str) -> None:
    assert linearizable(history(f"c1 write x 1 0..1 ok\nc1 {kind} x 2 2..3 ok\nc2 read x 2 4..5 ok")).valid is False


def test_calls_that_the_given_model_does_not_know_may_have_changed_their_keys() -> None:
    check = linearizable_as(objects.named("queue"))
    told = "c1 enqueue q 1 0..1 ok\nc1 clear q null 2..3 ok\nc2 dequeue q null 4..5 ok\n"
    assert check(history(told)).valid is None
    assert check(history(told.replace("clear", "send"))).valid is False


@pytest.mark.parametrize(
    ("of_y", "valid"),
    [
        ('c1 append y 1 0..1 ok\nc1 append y 2 2..3 ok\nc2 read y ["1","2"] 4..5 ok', True),
        ("c1 append y 1 0..1 ok\nc1 append y 2 2..3 ok\nc2 read y 12 4..5 ok", True),
        ('c1 append y 1 0..1 ok\nc1 append y 2 2..3 ok\nc2 read y ["2","1"] 4..5 ok', False),
        ("c1 append y 1 0..1 ok\nc1 append y 2 2..3 ok\nc2 read y 21 4..5 ok", False),
        ("c1 append y 1 0..1 ok\nc1 append y 2 2..3 ok\nc2 read y null 4..5 ok", False),
    ],
)
def test_what_is_appended_to_is_a_log_or_a_text_whatever_other_keys_are(of_y: str, valid: bool) -> None:
    assert linearizable(history(of_y)).valid in (valid, None)
    assert linearizable(history(f"{of_y}\nc1 write x 1 0..1 ok\nc2 read x 1 2..3 ok")).valid is valid


STALE_SET = "c1 add s 1 0..1 ok\nc2 read s [] 2..3 ok\nc2 read s [1] 4..5 ok\n"


@pytest.mark.parametrize(
    "beside", ["", "c1 write x 1 0..1 ok\nc2 read x 1 2..3 ok\n", "c1 append y 1 0..1 ok\nc2 read y [1] 2..3 ok\n"]
)
def test_other_keys_do_not_change_what_is_asked_of_a_set(beside: str) -> None:
    found = history(STALE_SET + beside)
    assert [check.__name__ for check in catalog.checkers_for(found) if check(found).valid is False] == []
    assert all_judged(found, catalog.checkers_for(found)).valid is True
    assert linearizable(found).valid is False
    wrong = history(f"{STALE_SET}c1 write x 1 0..1 ok\nc2 read x null 2..3 ok\n")
    [unasked] = [check for check in catalog.checkers_for(wrong) if check.__name__ == "linearizable"]
    assert unasked(wrong).ops == (3, 4)


@pytest.mark.parametrize("beside", ["", "c1 write x 1 0..1 ok\nc1 delete x null 2..3 ok\nc2 read x null 4..5 ok\n"])
def test_sets_that_are_deleted_are_judged_as_sets(beside: str) -> None:
    emptied = f"c1 add s a 0..1 ok\nc1 delete s null 2..3 ok\nc1 add s b 4..5 ok\n{beside}c2 read s {{}} 6..7 ok"

    def verdicts(read: str) -> set[bool | None]:
        found = history(emptied.format(read))
        chosen = catalog.checkers_for(found)
        return {check(found).valid for check in chosen} | {all_judged(found, chosen).valid}

    assert verdicts('["b"]') == {True}
    assert False in verdicts("[]")


def test_what_no_check_judges_alone_is_not_judged_beside_a_register() -> None:
    found = history("c1 contains s [1,true] 0..1 ok\nc1 write x 1 0..1 ok\nc2 read x 1 2..3 ok\n")
    assert "no check judges 'contains' (1 call)" in all_judged(found, catalog.checkers_for(found)).why


@pytest.mark.parametrize("again", ["2", "1"])
def test_reads_of_lists_are_not_of_the_register_that_is_written(again: str) -> None:
    table = f'c1 write x 1 0..1 ok\nc1 write x {again} 2..3 ok\nc2 read x ["1","1"] 4..5 ok\nc2 read x null 4..5 ok\n'
    verdict = linearizable(history(table))
    assert verdict.valid is None
    assert "this is no register" in verdict.why
    assert linearizable_as(Register())(history(table)).valid is False
    assert linearizable(history(f"{table}c1 write y [7] 4..5 ok")).valid is False
    assert linearizable(history(f"{table}c1 read y 1 4..5 ok")).valid is False


def test_a_value_that_a_model_cannot_read_is_told() -> None:
    verdict = linearizable(history("c1 cas x 1 0..1 ok\nc1 read x 1 2..3 ok"))
    assert verdict.valid is None
    assert "the value of cas must be" in verdict.why


def test_applies_by_itself_only_to_what_usually_promises_it() -> None:
    assert applies(history("c1 cas x [1,2] 0..1 ok"))
    assert applies(history("c1 read x 1 0..1 ok"))
    assert not applies(history("c1 increment x 1 0..1 ok\nc1 read x 1 2..3 ok"))
    assert not applies(history("c1 enqueue x 1 0..1 ok"))
