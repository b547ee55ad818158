"""Histories that no check judges, wholly or in part: never a green verdict."""

from __future__ import annotations

import shlex
from pathlib import Path

import pandas as pd
import pytest

from harness.cli.main import run
from harness.model.verdict import Checker
from harness.run import catalog
from harness.run.unjudged import all_judged
from tests.helpers.transcript import history

REGISTER = """
    c1 write x 1   0..10 ok
    c2 read  x 1  20..30 ok
"""
COLUMNS = "client,kind,key,value,outcome,sent_ns,done_ns\n"


def judged(transcript: str) -> tuple[bool | None, str]:
    found = history(transcript)
    result = all_judged(found, catalog.checkers_for(found))
    return result.valid, result.why


def test_what_checks_know_is_judged() -> None:
    assert judged(REGISTER) == (True, "2 calls, each of a kind that a check judges")


def test_an_empty_history_is_unknown() -> None:
    assert judged("") == (None, "the history holds no call, so there is nothing to judge")


def test_other_kinds_are_named_with_what_checks_judge() -> None:
    valid, why = judged("c1 grab x 1 0..10 ok\nc1 grab x 2 20..30 ok\nc2 look x 1 40..50 ok\n")
    assert valid is None
    assert why.startswith(
        "no check judges 'grab' (2 calls), 'look' (1 call). If they are one of these under another name, say so, as"
    )
    assert "as in --map grab=KIND: " in why
    assert "predict (by corruption_contained, one_version_each and others)" in why


def test_the_usual_names_of_other_systems_are_known() -> None:
    valid, why = judged("c1 put x 1 0..10 ok\nc2 GET x 1 40..50 ok\nc2 grab x 1 60..70 ok")
    assert valid is None
    assert why.endswith("Did you mean 'write', 'read'? Then say --map put=write,GET=read.")


def test_one_kind_that_is_not_known_is_enough() -> None:
    valid, why = judged(REGISTER + "c1 grab lock null 40..50 ok")
    assert valid is None
    assert why.startswith("no check judges 'grab' (1 call). ")


@pytest.mark.parametrize("kind", ["Read", " read", "READ "])
def test_a_kind_that_is_written_otherwise_is_recognized(kind: str) -> None:
    found = history(REGISTER)
    ops = found.ops.assign(kind=pd.Series([kind] * 2, dtype="category"))
    result = all_judged(type(found).of(ops), [])
    assert result.valid is None
    option = shlex.quote(f"{kind}=read")
    assert result.why == f"no check judges {kind!r} (2 calls). Did you mean 'read'? Then say --map {option}."


def test_only_answers_with_a_list_of_right_ones_are_judged_by_it() -> None:
    asked = 'c1 score u1 {"a":1} 0..10 ok expected=[{"a":1},{"a":2}]\n'
    assert judged(asked)[0] is True
    valid, why = judged(asked + "c1 grab lock null 40..50 ok")
    assert valid is None
    assert "no check judges 'grab' (1 call)" in why


@pytest.mark.parametrize("checker", catalog.checkers().values(), ids=catalog.checkers().keys())
def test_a_checker_says_nothing_of_kinds_that_it_does_not_judge(checker: Checker) -> None:
    """Even if it is named: its verdict on other calls would be a pass that judges nothing."""
    found = history("c1 grab lock 1 0..10 ok\nc2 grab lock 2 20..30 ok final")
    if getattr(__import__(checker.__module__, fromlist=["x"]), "KINDS", ()):
        assert checker(found).valid is None


@pytest.mark.parametrize(
    ("name", "text", "code", "said"),
    [
        ("empty.csv", COLUMNS, 4, "the history holds no call"),
        (
            "foreign.csv",
            COLUMNS + "1,put,x,1,ok,1,2\n1,put,x,2,ok,3,4\n2,get,x,1,ok,5,6\n",
            4,
            "no check judges 'put' (2 calls)",
        ),
        ("good.csv", COLUMNS + "1,write,x,1,ok,1,2\n2,read,x,1,ok,5,6\n", 0, "each of a kind that a check judges"),
        ("stale.csv", COLUMNS + "1,write,x,1,ok,1,2\n1,write,x,2,ok,3,4\n2,read,x,1,ok,5,6\n3,grab,l,,ok,7,8\n", 1, "no check"),
        ("nameless.csv", COLUMNS + "1,write,,1,ok,1,2\n2,read,,1,ok,5,6\n", 0, "one order in time"),
        ("million.csv", COLUMNS + "3000000000,write,x,1,ok,1,2\n", 2, ""),
    ],
)
def test_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, code: int, said: str) -> None:
    (tmp_path / name).write_text(text)
    assert run(["check", str(tmp_path / name)]) == code
    out, err = capsys.readouterr()
    assert said in " ".join(out.split())
    assert len(err.splitlines()) == (code == 2)


def test_a_parquet_without_rows_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "ops.parquet"
    history(REGISTER).ops.iloc[:0].to_parquet(path)
    assert run(["check", str(path)]) == 4
