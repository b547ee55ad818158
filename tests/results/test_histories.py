"""Histories from files of any kind, and the messages for files without one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from harness.checkers.linearizable import linearizable
from harness.model.errors import UsageError
from results.record.histories import Conventions, load_history
from results.record.store import save
from tests.helpers.synthetic import concluded, crash

ROW = {"client": 1, "kind": "read", "key": "k", "value": "7", "outcome": "ok", "sent_ns": 5, "done_ns": 9}


def lines(*rows: dict[str, object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_the_same_operations_from_any_format(tmp_path: Path, ending: str) -> None:
    history = crash()
    path = tmp_path / f"ops.{ending}"
    match ending:
        case "parquet":
            history.ops.to_parquet(path)
        case "csv":
            history.ops.to_csv(path, index=False)
        case "jsonl":
            history.ops.to_json(path, orient="records", lines=True)
    found = load_history(path)
    pd.testing.assert_frame_equal(found.ops, history.ops, check_categorical=False)
    assert len(found.windows) == 0


def test_a_runs_folder(tmp_path: Path) -> None:
    history = crash()
    save(tmp_path, concluded(history), history)
    assert len(load_history(tmp_path).windows) == 1


def test_the_least_a_history_needs(tmp_path: Path) -> None:
    path = tmp_path / "ops.jsonl"
    path.write_text(lines(ROW) + "\n")
    op = load_history(path).ops.iloc[0]
    assert (op["phase"], op["due_ns"], op["value"]) == ("load", 5, "7")
    assert pd.isna(op["expected"])


def test_a_store_may_spell_json_in_its_own_way(tmp_path: Path) -> None:
    path = tmp_path / "ops.jsonl"
    written, read = {"id": 1, "to": ["a"]}, '{"to": ["a"], "id": 1}'
    path.write_text(lines(ROW | {"kind": "write", "value": written}, ROW | {"value": read, "sent_ns": 10, "done_ns": 11}))
    assert linearizable(load_history(path)).valid is True
    path.write_text(lines(ROW | {"kind": "write", "value": written}, ROW | {"value": "{}", "sent_ns": 10, "done_ns": 11}))
    assert linearizable(load_history(path)).valid is False


def test_a_text_that_begins_like_json_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ops.jsonl"
    rows = [
        ROW | {"kind": kind, "value": value, "sent_ns": 10 * at, "done_ns": 10 * at + 5}
        for at, (kind, value) in enumerate([("write", "[1, 2]"), ("append", "x"), ("read", "[1, 2]x")])
    ]
    path.write_text(lines(*rows))
    assert load_history(path).ops["value"].tolist() == ["[1, 2]", "x", "[1, 2]x"]


def test_texts_that_look_like_nothing_stay_texts(tmp_path: Path) -> None:
    path = tmp_path / "ops.csv"
    path.write_text(
        "client,kind,key,value,outcome,sent_ns,done_ns\n1,read,NA,null,ok,5,9\n1,read,None,,ok,6,9\n1,read,007,1.50,ok,7,9\n"
    )
    ops = load_history(path).ops
    assert ops["key"].tolist() == ["NA", "None", "007"]
    assert ops["value"].iloc[0] == "null"
    assert pd.isna(ops["value"].iloc[1])
    assert ops["value"].iloc[2] == "1.50"


def test_json_values_that_are_not_texts_keep_their_json_form(tmp_path: Path) -> None:
    path = tmp_path / "ops.jsonl"
    path.write_text(lines(*(ROW | {"value": value} for value in (7, True, [1, 2], None))))
    values = load_history(path).ops["value"]
    assert values.iloc[:3].tolist() == ["7", "true", "[1,2]"]
    assert pd.isna(values.iloc[3])


def test_equal_json_values_are_equal_texts(tmp_path: Path) -> None:
    values = ['{"a":1,"b":[2]}', '{"b": [2.0], "a": 1.0}', "1", "1.0", "1e0", "1e23", "100000000000000000000000"]
    path = tmp_path / "ops.jsonl"
    path.write_text("".join(json.dumps(ROW).replace('"7"', value) + "\n" for value in values))
    found = load_history(path).ops["value"]
    assert found.iloc[:2].tolist() == ['{"a":1,"b":[2]}'] * 2
    assert found.iloc[2:5].tolist() == ["1"] * 3
    assert found.iloc[5:].tolist() == ["1" + "0" * 23] * 2


def test_numbers_and_structures_in_parquet_read_as_in_json(tmp_path: Path) -> None:
    path = tmp_path / "ops.parquet"
    frame = pd.DataFrame([ROW] * 2)
    frame.assign(value=pd.Series([1.0, None]), expected=[1, 2]).to_parquet(path)
    ops = load_history(path).ops
    assert (ops["value"].iloc[0], ops["expected"].iloc[0]) == ("1", "1")
    assert pd.isna(ops["value"].iloc[1])
    structures = pd.DataFrame(
        {"value": [[1, 2], list(range(2000))], "expected": [{"b": 1, "a": True}] * 2, "node": [True, False]}
    )
    pd.concat([frame.drop(columns="value"), structures], axis=1).to_parquet(path)
    ops = load_history(path).ops
    assert ops["value"].tolist() == ["[1,2]", json.dumps(list(range(2000)), separators=(",", ":"))]
    assert ops["expected"].iloc[0] == '{"a":true,"b":1}'
    assert ops["node"].tolist() == ["true", "false"]


def test_an_operation_about_nothing_in_particular_has_the_empty_key(tmp_path: Path) -> None:
    path = tmp_path / "ops.jsonl"
    path.write_text(lines(ROW | {"key": None}, {name: value for name, value in ROW.items() if name != "key"}))
    assert load_history(path).ops["key"].tolist() == ["", ""]


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_a_history_that_does_not_say_what_was_read_is_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"ops.{ending}"

    def written(kind: str) -> Path:
        row = {"val" if name == "value" else name: value for name, value in ROW.items()} | {"kind": kind}
        match ending:
            case "parquet":
                pd.DataFrame([row]).to_parquet(path)
            case "csv":
                pd.DataFrame([row]).to_csv(path, index=False)
            case _:
                path.write_text(lines(row))
        return path

    for kind in ("read", "get"):
        with pytest.raises(UsageError, match=r"no column 'value', which holds what was written and read; it has .*, val,"):
            load_history(written(kind), Conventions(kinds={} if kind == "read" else {kind: "read"}))
    for kind in ("acquire", "increment", "something else"):
        assert load_history(written(kind)).ops["value"].isna().all()


def test_a_column_that_was_probably_meant_is_not_left_out(tmp_path: Path) -> None:
    path = tmp_path / "ops.jsonl"
    path.write_text(lines({"Key" if name == "key" else name: value for name, value in ROW.items()}))
    with pytest.raises(UsageError, match=r"no column 'key', but one called 'Key': rename it"):
        load_history(path)
    path.write_text(lines(ROW | {"Key": "another"}))
    assert load_history(path).ops["key"].tolist() == ["k"]


def test_rows_may_leave_out_what_has_a_default(tmp_path: Path) -> None:
    path = tmp_path / "ops.jsonl"
    path.write_text(lines(ROW | {"sent_ns": 2**60 + 1, "done_ns": 2**62}, ROW | {"due_ns": 3, "attempts": 2, "phase": "final"}))
    ops = load_history(path).ops
    assert ops["due_ns"].tolist() == [3, 2**60 + 1]
    assert ops["attempts"].tolist() == [2, 1]
    assert ops["phase"].tolist() == ["final", "load"]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"ops.{ending}"
    text = lines(ROW) if ending == "jsonl" else ",".join(ROW) + "\n" + ",".join(map(str, ROW.values())) + "\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert load_history(path).ops["client"].tolist() == [1]


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([0.1, 0.2], "'sent_ns' in row 0 is 0.1 .* If they are seconds, say --unit s"),
        ([1.0, 2.5], "'sent_ns' in row 1 is 2.5"),
        ([1.7e18, 1.7e18], "has lost digits: write times as integers"),
        ([2**63, 2**63 + 5], "'sent_ns' in row 0 is 9223372036854775808 .* less than 2"),
    ],
)
def test_times_that_are_no_whole_nanoseconds_are_refused(tmp_path: Path, ending: str, times: list[float], said: str) -> None:
    path = tmp_path / f"ops.{ending}"
    frame = pd.DataFrame([ROW] * 2).assign(sent_ns=times, done_ns=times)
    if ending == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=True, double_precision=15)
    with pytest.raises(UsageError, match=said):
        load_history(path)


def test_large_times_beside_a_null_are_exact(tmp_path: Path) -> None:
    path = tmp_path / "ops.parquet"
    times = pd.Series([2**62 + 1, None], dtype="Int64")
    pd.DataFrame([ROW | {"sent_ns": 2**61, "done_ns": 2**62 + 3}] * 2).assign(due_ns=times).to_parquet(path)
    found = pq.read_table(path).replace_schema_metadata(None)  # as programs write it that know nothing of pandas
    pq.write_table(found, path)
    assert load_history(path).ops["due_ns"].tolist() == [2**61, 2**62 + 1]


def test_whole_numbers_that_a_column_of_floats_holds_exactly_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "ops.parquet"
    pd.DataFrame([ROW] * 2).assign(sent_ns=[1.0, 2.0], done_ns=[3.0, 4.0]).to_parquet(path)
    assert load_history(path).ops["done_ns"].tolist() == [3, 4]


def test_timestamps_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ops.parquet"
    pd.DataFrame([ROW]).assign(sent_ns=pd.to_datetime(["2026-01-01"])).to_parquet(path)
    with pytest.raises(UsageError, match="'sent_ns' in row 0 is 2026-01-01"):
        load_history(path)


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"ops.{ending}"
    path.symlink_to("/proc/self/mem")  # opens, and fails when it is read
    with pytest.raises(UsageError, match=r"Cannot read .*(Input/output error|Parquet file size)") as caught:
        load_history(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("outcome", "info", "operation 0 has the outcome 'info'"),
        ("done_ns", -1, r"operation 0 was done \(-1 ns\) before it was sent"),
    ],
)
def test_a_runs_folder_is_held_to_the_same_rules(tmp_path: Path, column: str, value: str | int, said: str) -> None:
    history = crash()
    save(tmp_path, concluded(history), history)
    history.ops.assign(**{column: value}).to_parquet(tmp_path / "ops.parquet")
    with pytest.raises(UsageError, match=said):
        load_history(tmp_path)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("parameters", "{broken", "window 0 has parameters that are not a JSON object"),
        ("healed_ns", 5, "window 0 was healed before it was injected"),
    ],
)
def test_windows_that_cannot_have_been_are_refused(tmp_path: Path, column: str, value: str | int, said: str) -> None:
    history = crash()
    save(tmp_path, concluded(history), history)
    history.windows.assign(**{column: value}).to_parquet(tmp_path / "windows.parquet")
    with pytest.raises(UsageError, match=said):
        load_history(tmp_path)


def test_a_window_without_a_target_has_none(tmp_path: Path) -> None:
    history = crash()
    save(tmp_path, concluded(history), history)
    history.windows.assign(targets=None, evidence=None).to_parquet(tmp_path / "windows.parquet")
    assert load_history(tmp_path).windows["targets"].tolist() == [""]


def test_operations_are_put_in_order(tmp_path: Path) -> None:
    path = tmp_path / "ops.jsonl"
    path.write_text(lines(ROW | {"key": "later", "sent_ns": 7}, ROW | {"key": "sooner"}))
    ops = load_history(path).ops
    assert ops["key"].tolist() == ["sooner", "later"]
    assert ops.index.tolist() == [0, 1]


def test_large_times_are_exact(tmp_path: Path) -> None:
    for path in (tmp_path / "ops.jsonl", tmp_path / "ops.csv"):
        row = ROW | {"sent_ns": 2**62 + 1, "done_ns": 2**62 + 3}
        path.write_text(lines(row) if path.suffix == ".jsonl" else ",".join(row) + "\n" + ",".join(map(str, row.values())))
        assert load_history(path).ops["done_ns"].iloc[0] == 2**62 + 3


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("ops.jsonl", "{}\n", "no column 'client'"),
        ("ops.jsonl", "", "it holds no call"),
        ("ops.json", "[]", "it holds no call"),
        ("ops.csv", "", "is not a table"),
        ("ops.csv", "time,op\n1,read\n", "it has time, op. Each call needs client, kind, outcome, sent_ns and done_ns."),
        ("ops.csv", "client,kind,outcome,sent,done\n1,read,ok,1,2\n", "Name the unit of 'sent' and 'done', as in --unit ms"),
        ("ops.csv", "client,kind\n1,read\n", "no column 'outcome'"),
        ("ops.csv", "a,b\n1,2,3\n4\n5,6,7,8,9\n", "is not a table|no column"),
        ("ops.csv", "client,kind,key,value,outcome,sent_ns,done_ns\n1,read,k,7,ok,5,9,x\n", "is not a table: Length of header"),
        ("ops.csv", b"\xff\xfe\x00", "is not a table|no column"),
        ("ops.parquet", "PAR1", "Cannot read"),
        ("ops.jsonl", lines(ROW) + "{broken\n", "line 2, is not a JSON object"),
        ("ops.jsonl", "[1]\n", "line 1, is not a JSON object"),
        ("ops.jsonl", lines(ROW | {"outcome": "OK"}), "operation 0 has the outcome 'OK'; there are ok, failed, unknown"),
        ("ops.jsonl", lines(ROW | {"done_ns": 4}), r"operation 0 was done \(4 ns\) before it was sent \(5 ns\)"),
        ("ops.jsonl", lines(ROW, ROW | {"done_ns": "soon"}), r"'done_ns' in row 1 is soon \(rows count from 0\)"),
        ("ops.jsonl", lines(ROW | {"done_ns": None}), r"'done_ns' in row 0 is empty"),
        ("ops.jsonl", lines(ROW | {"kind": None}), "operation 0 has no kind"),
        ("ops.jsonl", lines(ROW | {"outcome": None}), "operation 0 has no outcome; there are ok, failed, unknown"),
        ("ops.jsonl", lines(ROW | {"outcome": "info"}), "operation 0 has the outcome 'info'"),
        ("ops.jsonl", lines(ROW | {"phase": "Final"}), "operation 0 has the phase 'Final'; there are load, final"),
        ("ops.jsonl", lines({k: v for k, v in ROW.items() if k != "sent_ns"}), "no column 'sent_ns'"),
        ("ops.jsonl", lines(ROW | {"client": 1.5}), "'client' in row 0 is 1.5 .* whole numbers below 2\\*\\*31"),
        ("ops.jsonl", lines(ROW | {"client": 3_000_000_000}), "'client' in row 0 is 3000000000 .* number them from 0"),
        ("ops.jsonl", lines(ROW | {"client": True}), "'client' in row 0 is True"),
        ("ops.jsonl", lines(ROW | {"client": "c1"}), "'client' in row 0 is c1"),
        ("ops.jsonl", lines(ROW | {"done_ns": 10**23}), "'done_ns' in row 0 is 100000000000000000000000 "),
        ("ops.jsonl", json.dumps(ROW).replace("9}", "9" * 5000 + "}"), "'done_ns' in row 0|is not a JSON object"),
        ("ops.jsonl", '{"value": ' + "[" * 100_000 + "]" * 100_000 + "}", "line 1, is nested too deep"),
        ("ops.csv", "client,kind,key,value,outcome,sent_ns,done_ns\n1,read,k,7,ok,0.1,0.2\n", "'sent_ns' in row 0 is 0.1 "),
        ("ops.xml", "<ops/>", r"cannot read a history from \.xml"),
    ],
)
def test_what_is_no_history_is_refused_by_name(tmp_path: Path, name: str, text: str | bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=said) as caught:
        load_history(path)
    assert name in str(caught.value)


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no history at"):
        load_history(tmp_path / "gone.csv")


def test_a_folder_without_operations(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"not a run's folder: it has no ops\.parquet.* Name the one that holds its report"):
        load_history(tmp_path)


def test_operations_of_a_file_in_parts_are_put_in_the_order_in_which_they_were_due(tmp_path: Path) -> None:
    count = 1000
    order = np.random.default_rng(1).permutation(count)
    told = pd.DataFrame(
        {
            "client": order, "kind": "read", "key": [f"k{at % 7}" for at in order],
            "value": [None if at % 3 == 0 else f"v{at}" for at in order], "outcome": "ok",
            "sent_ns": order * 10, "done_ns": order * 10 + 5, "node": [f"n{at % 2}" for at in order],
        }
    )  # fmt: skip
    file = tmp_path / "ops.parquet"
    told.to_parquet(file, row_group_size=64, index=False)
    ops = load_history(file).ops
    assert ops["client"].tolist() == list(range(count))
    assert ops["key"].tolist() == [f"k{at % 7}" for at in range(count)]
    assert [value if isinstance(value, str) else None for value in ops["value"]] == [
        None if at % 3 == 0 else f"v{at}" for at in range(count)
    ]
    assert ops["node"].tolist() == [f"n{at % 2}" for at in range(count)]
    assert ops["expected"].isna().all()
    assert list(ops.index) == list(range(count))
