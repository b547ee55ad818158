"""Published anomalies of transactions, each beside a similar history without the anomaly, and their verdicts."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from harness.checkers.read_committed import read_committed
from harness.checkers.serializable import serializable
from harness.checkers.snapshot_isolation import snapshot_isolation
from harness.checkers.strict_serializable import strict_serializable
from harness.model.history import History
from harness.model.verdict import Checker, Verdict
from tests.helpers import transactions as search
from tests.helpers.transactions import recorded, told
from tests.helpers.transcript import history as transcript

LEVELS = {"rc": read_committed, "si": snapshot_isolation, "ser": serializable, "strict": strict_serializable}


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """A history that the named levels forbid, and its twin, which no level forbids. Format: `tests.helpers.transactions`."""

    bad: str
    good: str
    forbidden_by: str
    named: str


ANOMALIES = {
    # A. Adya, "Weak Consistency" (MIT, 1999), sections 3.2 and 4.2; M. Kleppmann's Hermitage has the same for real databases
    "G0, writes interleave": Anomaly(
        bad="c1 ax1 ay1 0..9 ok\nc2 ax2 ay2 0..9 ok\nc3 rx12 ry21 20..30 ok",
        good="c1 ax1 ay1 0..9 ok\nc2 ax2 ay2 0..9 ok\nc3 rx12 ry12 20..30 ok",
        forbidden_by="rc si ser strict",
        named="G0",
    ),
    "G1a, an aborted write is read": Anomaly(
        bad="c1 ax1 0..9 failed\nc2 rx1 10..20 ok",
        good="c1 ax1 0..9 failed\nc2 rx[] 10..20 ok",
        forbidden_by="rc si ser strict",
        named="G1a",
    ),
    "G1a on registers": Anomaly(
        bad="c1 wp1 0..9 failed\nc2 rp1 10..20 ok",
        good="c1 wp1 0..9 unknown\nc2 rp1 10..20 ok",
        forbidden_by="rc si ser strict",
        named="G1a",
    ),
    "G1b, an intermediate write is read": Anomaly(
        bad="c1 ax1 ax2 0..9 ok\nc2 rx1 5..8 ok\nc3 rx12 10..20 ok",
        good="c1 ax1 ax2 0..9 ok\nc2 rx12 5..8 ok",
        forbidden_by="rc si ser strict",
        named="G1b",
    ),
    "G1b on registers": Anomaly(
        bad="c1 wp1 wp2 0..9 ok\nc2 rp1 5..8 ok",
        good="c1 wp1 wp2 0..9 ok\nc2 rp2 5..8 ok",
        forbidden_by="rc si ser strict",
        named="G1b",
    ),
    "G1c, information flows in a circle": Anomaly(
        bad="c1 ax1 ry1 0..9 ok\nc2 ay1 rx1 0..9 ok",
        good="c1 ax1 ry[] 0..9 ok\nc2 ay1 rx1 0..9 ok",
        forbidden_by="rc si ser strict",
        named="G1c",
    ),
    "G1c on registers": Anomaly(
        bad="c1 wp1 rq1 0..9 ok\nc2 wq1 rp1 0..9 ok",
        good="c1 wp1 rq_ 0..9 ok\nc2 wq1 rp1 0..9 ok",
        forbidden_by="rc si ser strict",
        named="G1c",
    ),
    "OTV, an observed transaction vanishes": Anomaly(
        bad="c1 ax1 ay1 0..5 ok\nc2 ax2 ay2 0..9 ok\nc3 rx12 ry1 6..9 ok\nc4 rx12 ry12 20..30 ok",
        good="c1 ax1 ay1 0..5 ok\nc2 ax2 ay2 0..9 ok\nc3 rx12 ry12 6..9 ok\nc4 rx12 ry12 20..30 ok",
        forbidden_by="si ser strict",
        named="G-single",
    ),
    "G-single, read skew": Anomaly(
        bad="c1 rx[] ry1 0..9 ok\nc2 ax1 ay1 2..5 ok\nc3 rx1 20..30 ok",
        good="c1 rx1 ry1 0..9 ok\nc2 ax1 ay1 2..5 ok\nc3 rx1 20..30 ok",
        forbidden_by="si ser strict",
        named="G-single",
    ),
    "read skew on registers": Anomaly(
        bad="c1 rp_ rq1 0..9 ok\nc2 wp1 wq1 2..5 ok",
        good="c1 rp1 rq1 0..9 ok\nc2 wp1 wq1 2..5 ok",
        forbidden_by="si ser strict",
        named="G-single",
    ),
    # H. Berenson et al., "A Critique of ANSI SQL Isolation Levels", SIGMOD 1995
    "P4, a lost update": Anomaly(
        bad="c1 rx[] ax1 0..9 ok\nc2 rx[] ax2 0..9 ok\nc3 rx12 20..30 ok",
        good="c1 rx[] ax1 0..9 ok\nc2 rx1 ax2 0..9 ok\nc3 rx12 20..30 ok",
        forbidden_by="si ser strict",
        named="a lost update",
    ),
    "a lost update on a register": Anomaly(
        bad="c1 rp_ wp1 0..9 ok\nc2 rp_ wp2 0..9 ok",
        good="c1 rp_ wp1 0..9 ok\nc2 rp1 wp2 0..9 ok",
        forbidden_by="si ser strict",
        named="a lost update",
    ),
    "A5B, write skew": Anomaly(
        bad="c1 rx[] ay1 0..9 ok\nc2 ry[] ax1 0..9 ok\nc3 rx1 ry1 20..30 ok",
        good="c1 rx[] ay1 0..9 ok\nc2 ry1 ax1 0..9 ok\nc3 rx1 ry1 20..30 ok",
        forbidden_by="ser strict",
        named="G2-item",
    ),
    "write skew on registers": Anomaly(
        bad="c1 rp_ wq1 0..9 ok\nc2 rq_ wp1 0..9 ok",
        good="c1 rp_ wq1 0..9 ok\nc2 rq1 wp1 0..9 ok",
        forbidden_by="ser strict",
        named="G2-item",
    ),
    # A. Fekete, E. O'Neil and P. O'Neil, "A Read-Only Transaction Anomaly Under Snapshot Isolation", SIGMOD Record 2004
    "a reader alone sees that nothing is serial": Anomaly(
        bad="c1 rx[] ry[] ax1 0..20 ok\nc2 ry[] ay1 2..5 ok\nc3 rx[] ry1 6..9 ok\nc4 rx1 ry1 30..40 ok",
        good="c1 rx[] ry[] ax1 0..20 ok\nc2 ry[] ay1 2..5 ok\nc3 rx1 ry1 6..29 ok\nc4 rx1 ry1 30..40 ok",
        forbidden_by="ser strict",
        named="G2-item",
    ),
    # Y. Sovran et al., "Transactional Storage for Geo-Replicated Systems" (Walter), SOSP 2011
    "a long fork": Anomaly(
        bad="c1 ax1 0..9 ok\nc2 ay1 0..9 ok\nc3 rx1 ry[] 0..9 ok\nc4 rx[] ry1 0..9 ok\nc5 rx1 ry1 20..30 ok",
        good="c1 ax1 0..9 ok\nc2 ay1 0..9 ok\nc3 rx1 ry[] 0..9 ok\nc4 rx1 ry1 0..9 ok\nc5 rx1 ry1 20..30 ok",
        forbidden_by="si ser strict",
        named="G-nonadjacent",
    ),
    # M. Herlihy and J. Wing, ACM TOPLAS 1990: real time
    "a stale read": Anomaly(
        bad="c1 ax1 0..9 ok\nc2 rx[] 10..20 ok\nc3 rx1 30..40 ok",
        good="c1 ax1 0..9 ok\nc2 rx[] 9..20 ok\nc3 rx1 30..40 ok",
        forbidden_by="strict",
        named="G-single, a read skew in real time",
    ),
    "an acknowledged write is nowhere": Anomaly(
        bad="c1 wp1 0..9 ok\nc2 rp_ 10..20 ok",
        good="c1 wp1 0..9 unknown\nc2 rp_ 10..20 ok",
        forbidden_by="strict",
        named="G-single",
    ),
    # K. Kingsbury and P. Alvaro, "Elle", VLDB 2020, section 7, and jepsen.io's reports that it quotes
    "a transaction does not see its own append (FaunaDB)": Anomaly(
        bad="c1 ax1 rx[] 0..9 ok\nc2 rx1 20..30 ok",
        good="c1 ax1 rx1 0..9 ok\nc2 rx1 20..30 ok",
        forbidden_by="si ser strict",
        named="contradicts itself",
    ),
    "a read is not repeatable": Anomaly(
        bad="c1 rx[] rx1 0..9 ok\nc2 ax1 0..9 ok",
        good="c1 rx1 rx1 0..9 ok\nc2 ax1 0..9 ok",
        forbidden_by="si ser strict",
        named="contradicts itself",
    ),
    "a silent retry appends twice (TiDB)": Anomaly(
        bad="c1 ax1 0..9 ok\nc2 rx11 20..30 ok",
        good="c1 ax1 0..9 ok\nc2 rx1 20..30 ok",
        forbidden_by="rc si ser strict",
        named="an element twice",
    ),
    "two replicas have two orders": Anomaly(
        bad="c1 ax1 0..9 ok\nc2 ax2 0..9 ok\nc3 rx12 20..30 ok\nc4 rx21 20..30 ok",
        good="c1 ax1 0..9 ok\nc2 ax2 0..9 ok\nc3 rx12 20..30 ok\nc4 rx12 20..30 ok",
        forbidden_by="rc si ser strict",
        named="incompatible orders",
    ),
    "a value out of nowhere": Anomaly(
        bad="c1 ax1 0..9 ok\nc2 rx17 20..30 ok",
        good="c1 ax1 0..9 ok\nc3 ax7 0..9 unknown\nc2 rx17 20..30 ok",
        forbidden_by="rc si ser strict",
        named="out of nowhere",
    ),
    "a transaction reads what it appends only later": Anomaly(
        bad="c1 rx1 ax1 0..9 ok",
        good="c1 rx[] ax1 rx1 0..9 ok",
        forbidden_by="rc si ser strict",
        named="wrote only later",
    ),
    "a transaction reads what it writes only later": Anomaly(
        bad="c1 rp1 wp1 0..9 ok\nc2 rp1 20..30 ok",
        good="c1 rp_ wp1 0..9 ok\nc2 rp1 20..30 ok",
        forbidden_by="rc si ser strict",
        named="wrote only later",
    ),
    "a transaction's appends change places": Anomaly(
        bad="c1 ax1 ax2 0..9 ok\nc2 ax3 0..9 ok\nc3 rx213 20..30 ok",
        good="c1 ax1 ax2 0..9 ok\nc2 ax3 0..9 ok\nc3 rx123 20..30 ok",
        forbidden_by="rc si ser strict",
        named="in another order",
    ),
    # C. Papadimitriou, JACM 1979: no pair of transactions is wrong, the whole has no order
    "registers that no order of the writes explains": Anomaly(
        bad="c1 wp1 wq1 0..9 ok\nc2 wp2 wq2 0..9 ok\nc3 rp1 wr3 0..9 ok\nc4 rr3 rp2 wv4 0..9 ok\n"
        "c5 rv4 rq1 wo5 0..9 ok\nc6 ro5 rp1 0..9 ok",
        good="c1 wp1 wq1 0..9 ok\nc2 wp2 wq2 0..9 ok\nc3 rp1 wr3 0..9 ok\nc4 rr3 rp2 wv4 0..9 ok\n"
        "c5 rv4 rq2 wo5 0..9 ok\nc6 ro5 rp2 0..9 ok",
        forbidden_by="si ser strict",
        named="G-single",
    ),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ANOMALIES)
def test_an_anomaly_is_found_by_the_levels_that_forbid_it(name: str, level: str) -> None:
    anomaly = ANOMALIES[name]
    verdict = LEVELS[level](recorded(told(anomaly.bad)))
    assert verdict.valid is (level not in anomaly.forbidden_by.split()), verdict
    if verdict.valid is False:
        assert anomaly.named in verdict.why


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ANOMALIES)
def test_its_twin_is_right_at_every_level(name: str, level: str) -> None:
    verdict = LEVELS[level](recorded(told(ANOMALIES[name].good)))
    assert verdict.valid is True, verdict


@pytest.mark.parametrize("name", ANOMALIES)
def test_the_table_itself_agrees_with_the_search(name: str) -> None:
    bad, good = told(ANOMALIES[name].bad), told(ANOMALIES[name].good)
    forbidden = ANOMALIES[name].forbidden_by.split()
    if "a silent retry" not in name:  # the search appends once
        assert search.serializable(bad) is ("ser" not in forbidden)
        assert search.snapshot_isolated(bad) is ("si" not in forbidden)
    assert search.serializable(good, real_time=True)
    assert search.snapshot_isolated(good)


def verdict_on(transcript: str) -> Verdict:
    return serializable(recorded(told(transcript)))


def test_a_cycle_is_told_in_words_and_step_by_step() -> None:
    verdict = verdict_on("c1 rx[] ry1 0..9 ok\nc2 ax1 ay1 2..5 ok\nc3 rx1 20..30 ok")
    assert verdict.why == (
        "not serializable: G-single, a read skew: op 0 found nothing in x, to which op 1 appended 1;"
        " op 1 appended 1 to y, which op 0 read"
    )
    assert verdict.ops == (0, 1)
    assert [(step.source, step.target, step.kind) for step in verdict.cycle] == [(0, 1, "rw"), (1, 0, "wr")]


@pytest.mark.slow
def test_a_cycle_is_closed_and_its_steps_follow_each_other() -> None:
    for anomaly in ANOMALIES.values():
        cycles = [level(history).cycle for history in [recorded(told(anomaly.bad))] for level in LEVELS.values()]
        for cycle in cycles:
            assert all(one.target == other.source for one, other in zip(cycle, cycle[1:] + cycle[:1], strict=True))


def test_lists_that_no_one_read_to_the_end_still_show_what_they_miss() -> None:
    """Both saw an empty list and both appended: whichever came first, the other did not see it."""
    verdict = verdict_on("c1 rx[] ax1 0..9 ok\nc2 rx[] ax2 0..9 ok")
    assert verdict.valid is False
    assert verdict.ops == (0, 1)


@pytest.mark.parametrize(
    ("transcript", "said"),
    [
        ("c1 ax1 0..9 unknown", "no transaction was answered"),
        ("c1 ax1 0..9 ok", "no transaction read anything"),
        ("c1 ax1 0..9 ok\nc2 ax1 0..9 ok\nc3 rx1 20..30 ok", "1 was written to x more than once, so it is not known"),
        ("c1 wp1 0..9 ok\nc2 wp1 0..9 ok\nc3 rp1 20..30 ok", "1 was written to p more than once, so it is not known"),
        ("c1 ap1 0..9 ok\nc2 rp1 20..30 ok", "p was used as a list and as a register"),
    ],
)
def test_what_cannot_be_decided_is_unknown_and_says_why(transcript: str, said: str) -> None:
    verdict = verdict_on(transcript)
    assert verdict.valid is None
    assert said in verdict.why


@pytest.mark.parametrize("level", LEVELS.values(), ids=LEVELS.keys())
def test_a_store_may_answer_a_number_as_a_text(level: Checker) -> None:
    def read(value: str) -> bool | None:
        calls = (
            'c1 txn - [["w","x",5],["append","1",7],["r","1",["7"]]] 0..1 ok\nc2 txn - [["r","x",{0}],["r",1,["7"]]] 2..3 ok'
        )
        return level(transcript(calls.format(value))).valid

    assert read('"5"') is True
    assert read("5.0") is True
    assert read('"6"') is False


@pytest.mark.parametrize("level", LEVELS.values(), ids=LEVELS.keys())
def test_a_transaction_that_is_not_told_may_have_written_anything(level: Checker) -> None:
    verdict = level(transcript('c1 txn - null 0..1 unknown\nc2 txn - [["r","x",[1]]] 2..3 ok'))
    assert (verdict.valid, "unless by op 0" in verdict.why) == (None, True)
    circle = 'c2 txn - [["append","x",1],["r","y",[1]]] 2..3 ok\nc3 txn - [["append","y",1],["r","x",[1]]] 2..3 ok'
    assert level(transcript(f"c1 txn - null 0..1 unknown\n{circle}")).valid is False


@pytest.mark.parametrize("level", LEVELS.values(), ids=LEVELS.keys())
def test_a_key_that_other_calls_change_is_undecided(level: Checker) -> None:
    def mixed(write: str) -> Verdict:
        return level(
            transcript(f'c1 {write} 0..1 ok\nc2 txn - [["r","x",1],["w","y",2]] 2..3 ok\nc2 txn - [["r","y",2]] 4..5 ok')
        )

    verdict = mixed("write x 1")
    assert verdict.valid is None
    assert verdict.why.startswith("x was changed by a write (op 0), so it is not known which write a read saw")
    assert mixed("write z 1").valid is False
    assert mixed("read x 1").valid is False


@pytest.mark.parametrize("emptied", ["delete x null", 'txn - [["w","x",null]]'])
@pytest.mark.parametrize("level", LEVELS.values(), ids=LEVELS.keys())
def test_a_list_that_was_emptied_meanwhile_has_no_contradictory_orders(level: Checker, emptied: str) -> None:
    verdict = level(
        transcript(
            'c1 txn - [["append","x",1]] 0..1 ok\nc2 txn - [["r","x",[1]]] 2..3 ok\n'
            f'c1 {emptied} 4..5 ok\nc1 txn - [["append","x",2]] 6..7 ok\nc2 txn - [["r","x",[2]]] 8..9 ok'
        )
    )
    assert verdict.valid is None
    assert "undecided: x" in verdict.why


def test_a_key_that_is_undecided_hides_no_other() -> None:
    verdict = verdict_on("c1 az1 0..9 ok\nc2 az1 0..9 ok\nc3 rz1 rx[] ay1 0..9 ok\nc4 ry[] ax1 0..9 ok\nc5 rx1 ry1 20..30 ok")
    assert verdict.valid is False
    assert "G2-item" in verdict.why


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("[1", "not a list of append, w and r"),
        ('{"x": 1}', "not a list of append, w and r"),
        ('[["cas", "x", 1]]', "not a list of append, w and r"),
        ('[["append", "x", null]]', "an element is a text or a number"),
        ('[["w", "x", [1]]]', "a register's value is a text or a number"),
        ("[" * 100_000, "not a list of append, w and r"),
        (None, "its value is null"),
    ],
)
def test_a_value_that_is_no_transaction_is_named(value: str | None, said: str) -> None:
    row = {"client": 1, "kind": "txn", "key": "", "value": value, "outcome": "ok", "sent_ns": 0, "done_ns": 1}
    verdict = serializable(History.of([row]))
    assert verdict.valid is None
    assert "op 0" in verdict.why
    assert said in verdict.why


def test_a_thousand_readers_and_writers_of_one_key_take_no_million_edges() -> None:
    """Every reader of the empty list comes before every append that was never read."""
    readers = "\n".join(f"c{n} rx[] 0..9 ok" for n in range(1, 1001))
    writers = [search.Txn(n, (("append", "x", n), ("append", "y", n)), 0, 9, "ok") for n in range(2000, 3000)]
    end = search.Txn(1, (("r", "y", [2000]), ("r", "x", [])), 10, 20, "ok")
    valid = serializable(recorded([*told(readers), *writers]))
    assert valid.valid is True, valid
    invalid = serializable(recorded([*told(readers), *writers, end]))
    assert invalid.valid is False
    assert [step.kind for step in invalid.cycle] == ["rw", "wr"]
