"""Histories from files of any kind, and what is said of files that hold none."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from harness.model.errors import UsageError
from results.record.histories import load_history
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
        ("ops.jsonl", "", "no column 'client'"),
        ("ops.csv", "", "is not a table"),
        ("ops.csv", "client,kind\n1,read\n", "no column 'outcome'"),
        ("ops.csv", "a,b\n1,2,3\n4\n5,6,7,8,9\n", "is not a table|no column"),
        ("ops.csv", b"\xff\xfe\x00", "is not a table|no column"),
        ("ops.parquet", "PAR1", "Cannot read"),
        ("ops.jsonl", lines(ROW) + "{broken\n", "line 2, is not a JSON object"),
        ("ops.jsonl", "[1]\n", "line 1, is not a JSON object"),
        ("ops.jsonl", lines(ROW | {"outcome": "OK"}), "operation 0 has the outcome 'OK'; there are ok, failed, unknown"),
        ("ops.jsonl", lines(ROW | {"done_ns": 4}), r"operation 0 was done \(4 ns\) before it was sent \(5 ns\)"),
        ("ops.jsonl", lines(ROW | {"done_ns": "soon"}), "column 'done_ns' does not hold int64"),
        ("ops.jsonl", lines(ROW | {"done_ns": None}), "column 'done_ns' does not hold int64"),
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
    with pytest.raises(UsageError, match=r"is not a run's folder: it has no ops\.parquet"):
        load_history(tmp_path)
