"""Histories that others recorded as events: the same calls from each notation, and the messages for broken ones."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from harness.checkers.linearizable import linearizable
from harness.checkers.serializable import serializable
from harness.model.errors import UsageError
from harness.model.history import History
from results.record.events import from_edn, from_log
from results.record.histories import Conventions, load_history

REGISTER = """
{:process 0, :type :invoke, :f :write, :value 3, :time 10, :index 0}
{:process 1, :type :invoke, :f :read, :value nil, :time 12, :index 1}
{:process 0, :type :ok, :f :write, :value 3, :time 20, :index 2}
{:process :nemesis, :type :info, :f :start, :value "cut off n1", :time 21, :index 3}
{:process 1, :type :ok, :f :read, :value 3, :time 25, :index 4}
{:process 0, :type :invoke, :f :cas, :value [3 4], :time 30, :index 5}
{:process 0, :type :fail, :f :cas, :value [3 4], :time 35, :index 6}
{:process 1, :type :invoke, :f :write, :value 5, :time 36, :index 7}
{:process 1, :type :info, :f :write, :value 5, :time 40, :error :timed-out, :index 8}
{:process 2, :type :invoke, :f :read, :value nil, :time 41, :index 9}
"""
CALLS = [
    (0, "write", "", "3", "ok", 10, 20),
    (1, "read", "", "3", "ok", 12, 25),
    (0, "cas", "", "[3,4]", "failed", 30, 35),
    (1, "write", "", "5", "unknown", 36, 40),
    (2, "read", "", None, "unknown", 41, 42),
]


def calls(history: History) -> list[tuple[object, ...]]:
    columns = history.ops[["client", "kind", "key", "value", "outcome", "sent_ns", "done_ns"]]
    return [tuple(None if pd.isna(value) else value for value in row) for row in columns.itertuples(index=False)]


def test_a_register_in_edn() -> None:
    history = from_edn(REGISTER)
    assert calls(history) == CALLS
    assert history.ops["error"].tolist()[3] == "timed-out"
    assert history.events[["at_ns", "node", "kind", "detail"]].values.tolist() == [
        [21, "nemesis", "nemesis start", "cut off n1"]
    ]


def test_one_vector_around_it_changes_nothing() -> None:
    assert calls(from_edn(f"[{REGISTER}]")) == calls(from_edn(f"({REGISTER})")) == CALLS


@pytest.mark.parametrize("ending", ["edn", "txt", "json", "jsonl"])
def test_the_same_from_each_kind_of_file(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"history.{ending}"
    if ending in ("edn", "txt"):
        path.write_text(REGISTER)
    else:
        rows = [
            {"process": client, "type": happened, "f": kind, "value": value, "time": time}
            for client, happened, kind, value, time in [
                (0, "invoke", "write", 3, 10), (1, "invoke", "read", None, 12), (0, "ok", "write", 3, 20),
                (1, "ok", "read", 3, 25),
                (0, "invoke", "cas", [3, 4], 30), (0, "fail", "cas", [3, 4], 35),
                (1, "invoke", "write", 5, 36), (1, "info", "write", 5, 40), (2, "invoke", "read", None, 41),
            ]
        ]  # fmt: skip
        path.write_text(json.dumps(rows) if ending == "json" else "".join(json.dumps(row) + "\n" for row in rows))
    assert calls(load_history(path)) == CALLS


def test_the_lines_of_a_log_are_counted_as_its_times(tmp_path: Path) -> None:
    path = tmp_path / "jepsen.log"
    path.write_text(
        "INFO  jepsen.core - Running test\n"
        "INFO  jepsen.util - 0\t:invoke\t:write\t4\n"
        "2024-05-01 12:00:00,000 INFO [jepsen worker 1] jepsen.util: 1\t:invoke\t:cas\t[4 2]\n"
        "INFO  jepsen.util - 0\t:ok\t:write\t4\n"
        "INFO  jepsen.util - :nemesis\t:info\t:start\tnil\n"
        "INFO  jepsen.util - 1\t:ok\t:cas\t[4 2]\n"
        "INFO  jepsen.util - 2\t:invoke\t:read\tnil\n"
        "INFO  jepsen.util - 2\t:info\t:read\t:timed-out\n"
    )
    assert calls(load_history(path)) == [
        (0, "write", "", "4", "ok", 0, 2),
        (1, "cas", "", "[4,2]", "ok", 1, 4),
        (2, "read", "", None, "unknown", 5, 6),
    ]


def test_events_at_one_time_keep_their_order() -> None:
    history = from_edn(
        "{:process 0 :type :invoke :f :write :value 1 :time 5} {:process 0 :type :ok :f :write :value 1 :time 5}"
        "{:process 1 :type :invoke :f :read :time 5} {:process 1 :type :ok :f :read :value 1 :time 4}"
    )
    assert [row[5:] for row in calls(history)] == [(5, 6), (7, 8)]


def events_of(*events: tuple[int, str, str, object, int]) -> str:
    return "".join(
        json.dumps({"process": p, "type": t, "f": f, "value": value, "time": at}) + "\n" for p, t, f, value, at in events
    )


OF_TWO_FILES = (
    (0, "invoke", "write", 1, 10), (0, "ok", "write", 1, 20), (0, "invoke", "write", 2, 50), (0, "ok", "write", 2, 60),
    (1, "invoke", "read", None, 30), (1, "ok", "read", 1, 40), (1, "invoke", "read", None, 70), (1, "ok", "read", 2, 80),
)  # fmt: skip


def test_files_put_one_behind_the_other_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    path.write_text(events_of(*OF_TWO_FILES))
    with pytest.raises(UsageError, match=r"event 5 ends a call that, by the times, was over before .* Sort the events by time"):
        load_history(path)
    path.write_text(events_of(*sorted(OF_TWO_FILES, key=lambda event: event[-1])))
    assert [row[5:] for row in calls(load_history(path))] == [(10, 20), (30, 40), (50, 60), (70, 80)]


def test_after_a_clock_was_set_back_the_order_counts(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    events = [
        (0, "invoke", "write", 1, 110), (0, "ok", "write", 1, 120), (1, "invoke", "read", None, 130), (1, "ok", "read", 1, 140),
        (0, "invoke", "write", 2, 10), (0, "ok", "write", 2, 20), (1, "invoke", "read", None, 30), (1, "ok", "read", 2, 40),
    ]  # fmt: skip
    path.write_text(events_of(*events))
    assert [row[5:] for row in calls(load_history(path))] == [(110, 120), (130, 140), (141, 142), (143, 144)]


def test_equal_values_have_equal_texts_however_they_were_written() -> None:
    for one, other in (
        ("#{1 2 3}", "#{3 1 2}"),
        ('#{[1 2] "b"}', '#{"b" [1 2]}'),
        ("[{:a 1 :b 2}]", "[{:b 2 :a 1}]"),
        ("[1 [2]]", "[1.0 [2.0]]"),
    ):
        history = told((0, "invoke", "write", one), (0, "ok", "write", other))
        asked = told((0, "invoke", "write", one), (0, "info", "write", "nil"))
        assert calls(history)[0][3] == calls(asked)[0][3]
    assert [row[3] for row in calls(told((0, "invoke", "add", "2.0"), (0, "ok", "add", "2.0")))] == ["2"]
    assert [row[3] for row in calls(told((0, "invoke", "read", "nil"), (0, "ok", "read", "[2.0]")))] == ["[2]"]


@pytest.mark.parametrize("kind", ["write", "append", "cas", "add", "enqueue"])
@pytest.mark.parametrize("value", ["nil", ""])
def test_a_completion_may_leave_out_what_was_asked(kind: str, value: str) -> None:
    history = from_edn(
        f"{{:process 0 :type :invoke :f :{kind} :value [1 2]}} {{:process 0 :type :ok :f :{kind} {value and ':value nil'}}}"
        "{:process 0 :type :invoke :f :read :value nil} {:process 0 :type :ok :f :read :value nil}"
    )
    assert [row[1:4] for row in calls(history)] == [(kind, "", "[1,2]"), ("read", "", None)]


def told(*events: tuple[int, str, str, str]) -> History:
    return from_edn("".join(f"{{:process {p} :type :{t} :f :{f} :value {value}}}" for p, t, f, value in events))


def test_pairs_of_key_and_value_are_taken_apart() -> None:
    history = told(
        (0, "invoke", "write", "[7 1]"), (0, "ok", "write", "[7 1]"),
        (1, "invoke", "cas", "[8 [1 2]]"), (1, "fail", "cas", "[8 [1 2]]"),
        (2, "invoke", "read", "[7 nil]"), (2, "ok", "read", "[7 1]"),
        (2, "invoke", "read", '["x" nil]'), (2, "ok", "read", '["x" nil]'),
    )  # fmt: skip
    assert [row[1:4] for row in calls(history)] == [
        ("write", "7", "1"), ("cas", "8", "[1,2]"), ("read", "7", "1"), ("read", "x", None),
    ]  # fmt: skip


def test_pairs_are_taken_apart_although_other_calls_have_no_key() -> None:
    history = told(
        (0, "invoke", "write", "[7 1]"), (0, "ok", "write", "[7 1]"),
        (0, "invoke", "compact", "nil"), (0, "ok", "compact", "3"),
        (0, "invoke", "write", "[8 2]"), (0, "ok", "write", "[8 2]"),
        (2, "invoke", "read", "[7 nil]"), (2, "ok", "read", "[7 1]"),
    )  # fmt: skip
    assert [row[1:4] for row in calls(history)] == [
        ("write", "7", "1"), ("compact", "", "3"), ("write", "8", "2"), ("read", "7", "1"),
    ]  # fmt: skip
    assert linearizable(history).valid is True


def test_a_key_may_be_a_list() -> None:
    history = told(
        (0, "invoke", "write", '[["a" 7] 1]'), (0, "ok", "write", '[["a" 7] 1]'),
        (2, "invoke", "read", '[["a" 7] nil]'), (2, "ok", "read", '[["a" 7] 1]'),
    )  # fmt: skip
    assert [row[1:4] for row in calls(history)] == [("write", '["a",7]', "1"), ("read", '["a",7]', "1")]


def test_compare_and_set_of_one_register_is_not_taken_apart() -> None:
    history = told(
        (0, "invoke", "cas", "[1 2]"), (0, "ok", "cas", "[1 2]"), (1, "invoke", "cas", "[2 3]"), (1, "ok", "cas", "[2 3]")
    )
    assert [row[2:4] for row in calls(history)] == [("", "[1,2]"), ("", "[2,3]")]


def test_a_set_whose_reads_find_two_elements_is_not_taken_apart() -> None:
    history = told((0, "invoke", "add", "1"), (0, "ok", "add", "1"), (1, "invoke", "read", "nil"), (1, "ok", "read", "#{1 0}"))
    assert [row[1:4] for row in calls(history)] == [("add", "", "1"), ("read", "", "[0,1]")]


def test_transactions_are_known_by_their_value() -> None:
    history = from_edn(
        "{:process 0 :type :invoke :value [[:append :x 1] [:r 2 nil]]}{:process 0 :type :ok :value [[:append :x 1] [:r 2 [3]]]}"
    )
    assert calls(history) == [(0, "txn", "", '[["append","x",1],["r",2,[3]]]', "ok", 0, 1)]


def test_operations_on_a_log_of_several_partitions_are_a_transaction() -> None:
    history = told(
        (0, "invoke", "send", "[[:send 1 7]]"), (0, "ok", "send", "[[:send 1 [0 7]]]"),
        (1, "invoke", "poll", "[[:poll]]"), (1, "ok", "poll", "[[:poll {1 [[0 7]]}]]"),
        (1, "invoke", "txn", "[[:poll] [:send 1 8]]"), (1, "info", "txn", "[[:poll] [:send 1 8]]"),
    )  # fmt: skip
    assert [row[1] for row in calls(history)] == ["txn"] * 3
    assert serializable(history).valid is None


def test_a_counter_is_told_from_a_set_by_what_is_read() -> None:
    history = told((0, "invoke", "add", "1"), (0, "ok", "add", "1"), (1, "invoke", "read", "nil"), (1, "ok", "read", "1"))
    assert [row[1] for row in calls(history)] == ["increment", "read"]


def test_messages_that_are_read_as_a_list_are_elements_of_a_set() -> None:
    history = told(
        (0, "invoke", "broadcast", "1"), (0, "ok", "broadcast", "1"), (1, "invoke", "read", "nil"), (1, "ok", "read", "[1]")
    )
    assert [row[1] for row in calls(history)] == ["add", "read"]


def test_a_key_value_log() -> None:
    history = from_edn(
        '{:process 0, :type :invoke, :f :put, :key "0", :value "a"} {:process 0, :type :ok, :f :put, :key "0", :value "a"}'
        '{:process 0, :type :invoke, :f :append, :key "0", :value "b"}'
        '{:process 0, :type :ok, :f :append, :key "0", :value "b"}'
        '{:process 1, :type :invoke, :f :get, :key "0", :value nil} {:process 1, :type :ok, :f :get, :key "0", :value "ab"}'
    )
    assert [row[1:4] for row in calls(history)] == [("write", "0", "a"), ("append", "0", "b"), ("read", "0", "ab")]


def test_a_key_value_log_has_the_empty_text_for_a_key_without_a_value() -> None:
    history = from_edn(
        '{:process 1, :type :invoke, :f :get, :key "0"} {:process 1, :type :ok, :f :get, :key "0", :value ""}'
        '{:process 0, :type :invoke, :f :put, :key "0", :value "a"} {:process 0, :type :ok, :f :put, :key "0"}'
        '{:process 0, :type :invoke, :f :put, :key "1", :value ""} {:process 0, :type :ok, :f :put, :key "1"}'
        '{:process 1, :type :invoke, :f :get, :key "1"} {:process 1, :type :ok, :f :get, :key "1", :value ""}'
    )
    assert [row[3] for row in calls(history)] == [None, "a", None, None]
    assert linearizable(history).valid is True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no call of a client"),
        ("{:a 1", "not EDN"),
        ("7", "event 0 is not a map"),
        ("{:process 0 :f :read}", "event 0 has no :type; it has process, f"),
        ("{:type :invoke :f :read}", "event 0 has no :process; it has type, f"),
        ("{:process 0 :type :begin :f :read}", "event 0 has the :type begin; there are invoke, ok, fail, info"),
        ("{:process 0 :type :invoke}", "event 0 has no :f"),
        ("{:process 0 :type :ok :f :read}", r"event 0: process 0 ends a call \(read\) that it did not begin"),
        ("{:process 0 :type :invoke :f :read} {:process 0 :type :invoke :f :read}", "event 1: process 0 makes a call while"),
        ("{:process :nemesis :type :info :f :start}", "no call of a client"),
        ("{:process 0 :type :invoke :f :read :time 1e999}", "event 0 has the :time inf"),
    ],
)
def test_what_is_broken_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        from_edn(text)


def test_a_log_without_calls_is_refused() -> None:
    with pytest.raises(UsageError, match="it has no line such as"):
        from_log("INFO nothing\n")


ROW = {"client": 1, "kind": "get", "key": "k", "value": "7", "outcome": "ok"}


@pytest.mark.parametrize(
    ("times", "unit"),
    [
        ({"sent_s": 0.1, "done_s": 0.2}, None),
        ({"sent_ms": 100, "done_ms": "200.0"}, None),
        ({"sent_us": 100_000, "done_ns": 200_000_000}, None),
        ({"sent": 0.1, "done": 0.2}, "s"),
        ({"sent_ns": 0.1, "done_ns": 0.2}, "s"),
        ({"sent": 100_000_000, "done": 200_000_000}, "ns"),
    ],
)
@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_times_in_any_unit_that_is_told(tmp_path: Path, times: dict[str, object], unit: str | None, ending: str) -> None:
    path = tmp_path / f"ops.{ending}"
    table = pd.DataFrame([ROW | times])
    match ending:
        case "jsonl":
            path.write_text(json.dumps(ROW | times) + "\n")
        case "csv":
            table.to_csv(path, index=False)
        case _:
            table.to_parquet(path)
    ops = load_history(path, Conventions(unit=unit)).ops
    assert ops[["due_ns", "sent_ns", "done_ns"]].values.tolist() == [[100_000_000, 100_000_000, 200_000_000]]


@pytest.mark.parametrize(
    ("times", "unit", "said"),
    [
        ({"sent_s": 0.1, "sent_ns": 5, "done_s": 1}, None, "tells one time twice: sent_s and sent_ns"),
        ({"sent_s": "soon", "done_s": 1}, None, "'sent_s' in row 0 is soon"),
        ({"sent_s": None, "done_s": 1}, None, "'sent_ns' in row 0 is empty"),
        ({"sent_ns": 0.1, "done_ns": 0.2}, None, "'sent_ns' in row 0 is 0.1"),
        ({"sent_s": 10**10, "done_s": 10**10}, None, "sent_"),
        ({"sent_s": "1e99999999", "done_s": 1}, None, "'sent_s' in row 0 is 1e99999999"),
        ({"sent_s": "9e999999", "done_s": 1}, None, "'sent_s' in row 0 is 9e999999"),
        ({"sent_s": "nan", "done_s": 1}, None, "'sent_s' in row 0 is nan"),
    ],
)
def test_times_that_are_none_are_refused(tmp_path: Path, times: dict[str, object], unit: str | None, said: str) -> None:
    path = tmp_path / "ops.jsonl"
    path.write_text(json.dumps(ROW | times) + "\n")
    with pytest.raises(UsageError, match=said):
        load_history(path, Conventions(unit=unit))


def test_kinds_are_renamed(tmp_path: Path) -> None:
    path = tmp_path / "ops.jsonl"
    path.write_text(json.dumps(ROW | {"sent_ns": 1, "done_ns": 2}) + "\n")
    assert load_history(path, Conventions(kinds={"get": "read"})).ops["kind"].tolist() == ["read"]
    with pytest.raises(UsageError, match="no call of the kind 'put' to rename; there are get"):
        load_history(path, Conventions(kinds={"put": "write"}))


@pytest.mark.parametrize("ending", ["jsonl", "edn"])
def test_keys_that_only_their_types_tell_apart_are_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"ops.{ending}"
    if ending == "jsonl":
        rows = [{**ROW, "key": key, "sent_ns": 1, "done_ns": 2} for key in (2, 1, "2")]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        keys = ("2", "1", '"2"')
        path.write_text(
            "".join(f"{{:process 0 :type :{t} :f :read :key {key} :value 3}}" for key in keys for t in ("invoke", "ok"))
        )
    with pytest.raises(UsageError, match=r"'key' is 2 in row 0 and the text \"2\" in row 2 \(rows count from 0\)"):
        load_history(path)


def test_keys_of_several_types_that_differ_as_texts_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "ops.jsonl"
    rows = [{**ROW, "key": key, "sent_ns": 1, "done_ns": 2} for key in (1, "x", None, ["1"])]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert load_history(path).ops["key"].tolist() == ["1", "x", "", '["1"]']
