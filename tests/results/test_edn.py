"""The reader of EDN: the value of each form, and its messages for invalid text."""

from __future__ import annotations

import time

import pytest

from results.record.edn import EDNError, forms


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("nil true false", [None, True, False]),
        (":ok ok ns/name :ns/name - +", ["ok", "ok", "ns/name", "ns/name", "-", "+"]),
        ("1 -2 +3 4N 123456789012345678901", [1, -2, 3, 4, 123456789012345678901]),
        ("1.5 -2e3 4M 2.", [1.5, -2000.0, 4.0, 2.0]),
        ("9007199254740992M 9007199254740993.0M 1E+20M", [2**53, 2**53 + 1, 10**20]),
        ("-0.10M 0.1M 1.0000000000000000010M", [-0.1, 0.1, "1.000000000000000001"]),
        (r'"a b" "\"\n\\" "\u00e9"', ["a b", '"\n\\', "é"]),
        (r"\a \newline \é A \uac00", ["a", "\n", "é", "A", "가"]),
        (r'"\ud83d\ude00!"', ["😀!"]),
        ('{:a 1, :b [2 3] "c" #{4} 5 6}', [{"a": 1, "b": [2, 3], "c": [4], 5: 6}]),
        ("{[1 2] 3}", [{"[1,2]": 3}]),
        ("; a comment\n{:a 1} ; another\n", [{"a": 1}]),
        ("{:a 1 #_{:b 2} :c #_ #_ 3 4 5}", [{"a": 1, "c": 5}]),
        ('#inst "2020-01-01" #jepsen.history.Op{:a 1} #object[x y]', ["2020-01-01", {"a": 1}, ["x", "y"]]),
        ("[{:a 1} {:a 2}]", [{"a": 1}, {"a": 2}]),
        ("({:a 1}\n {:a 2})", [{"a": 1}, {"a": 2}]),
        ("[[1 2] [3]]", [[1, 2], [3]]),
    ],
)
def test_what_a_text_holds(text: str, values: list[object]) -> None:
    assert list(forms(text)) == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{:a 1\n :b", "the '{' of line 1 is not closed"),
        ("[{:a 1}", r"the '\[' of line 1 is not closed"),
        ("{:a 1}\n}", "line 2: '}' closes nothing"),
        ("{:a [1}\n", r"line 1: '}' closes '\[' of line 1"),
        ("\n{:a}", "line 2: a map whose last key has no value"),
        ('{:a "x}', "line 1: cannot read"),
        (r'{:a "\ud83d"}', "line 1: half a character"),
        (r"{:a \ud83d}", "line 1: half a character"),
        ("{:a 1x}", "line 1: cannot read the number '1x'"),
        ("{:a 1e999999M}", "line 1: cannot read the number '1e999999M'"),
        ("{:a\n " + "9" * 5000 + "}", "line 2: cannot read the number '9999"),
    ],
)
def test_what_is_no_edn_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(EDNError, match=said):
        list(forms(text))


def test_depth_is_no_limit() -> None:
    (value,) = forms("{:a " + "[" * 100_000 + "]" * 100_000 + "}")
    assert isinstance(value, dict)


def test_a_long_text_is_read_in_time_that_grows_with_its_length() -> None:
    line = '{:process 1, :type :ok, :f :read, :value "0123456789", :time 123456789, :index 7}\n'
    took_s = []
    for lines in (2000, 16_000):
        begun_s = time.process_time()
        assert sum(1 for _ in forms(line * lines)) == lines
        took_s.append(time.process_time() - begun_s)
    assert took_s[1] < took_s[0] * 8 * 4
