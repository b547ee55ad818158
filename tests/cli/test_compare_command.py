"""`harness compare` as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.cli import compare
from harness.cli.main import run
from harness.run.comparing import Pair, pairs_of
from harness.run.sides import two_sides
from results.record.nights.figures import RATE
from results.record.nights.rows import Measure
from tests.helpers.answering import answering

P50 = Measure(name="p50", unit="ms", better="lower")
ASKED = ("compare", "as-is", "load.rate=50", "--drill", "quorum/healthy")


def made_pairs(factor: float, *, wrong_at: int = -2, counted: int = 100, of: Measure = P50) -> Callable[..., Iterator[Pair]]:
    """Made-up pairs instead of real ones: B's figure is `factor` times A's; 0: both are 0."""

    def pairs(*_: object) -> Iterator[Pair]:
        random = np.random.default_rng(1)
        for number in range(-1, 100):
            a, b = (10 * np.exp(random.normal(0, 0.01, 2))).tolist()
            yield Pair(
                number=number,
                values={("quorum/healthy", of): (a, b * factor) if factor else (0.0, 0.0)},
                wrong=("B: linearizable: a stale read",) if number == wrong_at else (),
                not_counted="" if number < counted else "the machine was busy",
            )

    return pairs


@pytest.mark.parametrize(
    ("pairs", "code", "said"),
    [
        (made_pairs(1.1), 3, "B is worse than A, after 9 pairs: p50."),
        (made_pairs(0.9), 0, "B is no worse than A, and better in some, as far as 10 pairs can tell."),
        (made_pairs(1.0), 0, "B is no worse than A, as far as"),
        (made_pairs(1.0, wrong_at=2), 1, "B: linearizable: a stale read"),
        (made_pairs(1.0, wrong_at=-1), 1, "Wrong behaviour"),
        (made_pairs(1.0, counted=0), 4, "Unknown: only 0 pairs count; 11 do not."),
        (made_pairs(2.0, counted=8), 4, "Unknown: only 8 pairs count; 11 do not."),
        (made_pairs(0.0, of=RATE), 4, "Unknown: only 0 pairs count; 11 do not."),
    ],
)
def test_the_exit_code_says_what_the_pairs_say(
    pairs: Callable[..., Iterator[Pair]],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(compare, "pairs_of", pairs)
    assert run([*ASKED, "--json", str(tmp_path / "out.json")]) == code
    assert said in capsys.readouterr().out
    written = json.loads((tmp_path / "out.json").read_bytes())
    assert written["exit_code"] == code
    assert written["rerun"].startswith("harness compare as-is load.rate=50 --drill quorum/healthy --pairs 10 --seed ")


def test_an_interrupted_comparison_says_what_it_knows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> Iterator[Pair]:
        for pair in made_pairs(1.1)():
            if pair.number == 7:
                raise KeyboardInterrupt
            yield pair

    monkeypatch.setattr(compare, "pairs_of", interrupted)
    assert run(ASKED) == 130
    out = capsys.readouterr().out
    assert "Interrupted after 7 pairs: not decided." in out
    assert "no difference seen; larger than" in out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("as-is", "load.rate=5"), "Which drill?"),
        (("as-is", "load.rate=5", "--drill", "quorum/helthy"), "Did you mean 'quorum/healthy'?"),
        (("as-is", "load.rate=5", "--drill", "quorum/healthy", "--pairs", "5"), "fewer than 8 cannot show any difference"),
        (("embedded", "http://127.0.0.1:1/", "--drill", "quorum/healthy"), "these cannot be compared"),
        (("http://127.0.0.1:1/", "http://127.0.0.1:1/", "--drill", "quorum/healthy"), "--drill does not apply to URLs"),
        (("as-is", "load.rat=5", "--drill", "quorum/healthy"), "load.rat"),
        (("as-is", "load.rate='5", "--drill", "quorum/healthy"), "cannot be split into words: No closing quotation"),
        (("as-is", "load.rate=5", "--drill", "quorum/healthy", "--both", '"'), "cannot be split into words"),
    ],
)
def test_what_makes_no_sense_is_one_line(asked: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", *asked]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.slow
def test_two_urls_are_loaded_in_turn(tmp_path: Path) -> None:
    order: list[tuple[int, str]] = []
    with answering() as (url, _):
        options = ("--rate", "100", "--seconds", "0.3", "--warm-up", "0.1")
        with two_sides(url, url + "b") as sides:
            pairs = pairs_of(sides, [""], 1, tmp_path, options, lambda number, side, _: order.append((number, side.label)))
            pair = next(pairs)
    assert pair.number == -1
    assert pair.wrong == ()
    assert {measure.name for _, measure in pair.values} >= {"rate", "availability"}
    assert order == [(-1, url + "b"), (-1, url)]
