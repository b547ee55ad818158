"""How stale reads are, and SLOs of staleness."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from harness.cli.main import run
from harness.model.errors import UsageError
from harness.model.slo import SLO
from results.analysis.judge import SLOResult, judge
from results.analysis.metrics import measure
from results.analysis.staleness import staleness
from tests.helpers.effort import cases
from tests.helpers.fuzz import NS, Op, outcome, recorded, spans
from tests.helpers.transcript import history
from tests.helpers.updated import history as updated

FRESH = "c1 write x 1 0..10 ok\nc2 read x 1 20..30 ok"
STALE = "c1 write x 1 0..10 ok\nc1 write x 2 20..30 ok\nc1 write x 3 40..50 ok\nc2 read x 1 80..90 ok"


@pytest.mark.parametrize(
    ("transcript", "ms", "versions"),
    [
        (FRESH, [0], [0]),
        (STALE, [50], [2]),
        (STALE.replace("read x 1", "read x null"), [70], [3]),
        (STALE.replace("read x 1", "read x 3"), [0], [0]),
        (STALE.replace("20..30 ok", "20..30 unknown"), [30], [1]),
        (STALE.replace("80..90 ok", "80..90 ok final"), [], []),
        (STALE.replace("write x 3", "write x 1"), [], []),
        (STALE.replace("write x 3", "delete x 3"), [], []),
        (STALE.replace("read x 1", "read x 9"), [], []),
        ("c1 write x 1 0..10 ok\nc2 write x 2 5..15 ok\nc2 read x 1 20..30 ok", [0], [0]),
        ("c1 write x 1 0..10 ok\nc2 write x 2 11..15 ok\nc2 read x 1 15..30 ok", [0], [0]),
        ("c1 write x 1 0..10 unknown\nc2 write x 2 11..15 ok\nc2 read x 1 20..30 ok", [0], [0]),
    ],
)
def test_how_far_behind(transcript: str, ms: list[float], versions: list[float]) -> None:
    found = staleness(history(transcript))
    assert found.ms.tolist() == ms
    assert found.versions.tolist() == versions


def random_register(random: Random) -> list[Op]:
    ops: list[Op] = []
    for client in range(4):
        for sent, done in spans(random, 3, 20):
            write = random.random() < 0.5
            value = f"{len(ops)}" if write else random.choice([None, *(op.value for op in ops if op.kind == "write"), None])
            ops.append(Op(client, "write" if write else "read", "x", value, sent, done, outcome(random)))
    return ops


def behind(ops: list[Op]) -> list[tuple[int, int]]:
    """The definition, read by read: how stale in ms, and how many newer writes were certainly acknowledged."""
    found = []
    for read in (op for op in ops if op.kind == "read" and op.ok):
        source = next((op for op in ops if op.kind == "write" and op.outcome != "failed" and op.value == read.value), None)
        if read.value is None or source is not None:
            written: float = -1 if source is None else source.end
            acked = [op for op in ops if op.kind == "write" and op.ok and op.sent > written and op.done < read.sent]
            found.append((read.sent - min((op.done for op in acked), default=read.sent), len(acked)))
    return found


def test_agrees_with_the_definition() -> None:
    histories = [random_register(Random(seed)) for seed in range(cases(3000))]
    written = [ops for ops in histories if any(op.kind == "write" and op.outcome != "failed" for op in ops)]
    expected = [each for ops in written for each in behind(ops)]
    found = staleness(recorded(written))
    assert found.ms.tolist() == sorted(ms for ms, _ in expected)
    assert found.versions.sum() <= sum(versions for _, versions in expected)
    assert np.count_nonzero(found.versions) == sum(versions > 0 for _, versions in expected)
    assert NS == 1_000_000


def judged(text: str, transcript: str) -> SLOResult:
    slo = SLO.parse(text)
    return judge(slo, measure(history(transcript), [slo]))


def many(stale: int) -> str:
    """A thousand reads, this many of them 50 ms stale."""
    writes = "c1 write x 1 0..10 ok\nc1 write x 2 20..30 ok\n"
    return writes + "\n".join(f"c2 read x {1 if at < stale else 2} 80..{90 + at} ok" for at in range(1000))


@pytest.mark.parametrize(
    ("text", "stale", "ok"),
    [
        ("staleness p99 < 20ms", 5, True),
        ("staleness p99 < 20ms", 15, False),
        ("staleness p99 <= 50ms", 15, True),
        ("staleness max < 20ms", 1, False),
        ("staleness max <= 0.05s", 1, True),
        ("versions_behind p99 < 1", 5, True),
        ("versions_behind p99 < 1", 15, False),
        ("versions_behind max < 2", 15, True),
        ("staleness p99.99 < 20ms", 0, None),
    ],
)
def test_slos(text: str, stale: int, ok: bool | None) -> None:
    assert judged(text, many(stale)).ok is ok


def test_no_read_that_counts_is_unknown() -> None:
    result = judged("staleness p99 < 20ms", "c1 write x 1 0..10 ok")
    assert (result.value, result.ok) == (None, None)
    assert result.why == "no read of which it is known which write it saw"


def test_values_are_shown_with_their_units() -> None:
    assert judged("staleness max < 20ms", many(1)).why == "observed 50 ms"
    assert judged("versions_behind max < 1", many(1)).why == "observed 1"


def test_which_staleness_must_be_said() -> None:
    with pytest.raises(UsageError, match="expected which staleness, max or a percentile, such as staleness p99"):
        SLO.parse("staleness < 20ms")
    assert SLO.parse("staleness p99.0 < 20ms").metric == "staleness p99"


def test_a_load_knows_no_reads(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["load", "http://127.0.0.1:9", "--slo", "staleness p99 < 1s"]) == 2
    assert "a load has no reads and writes of registers" in capsys.readouterr().err


def test_of_a_training_whose_workers_make_updates_of_their_own_these_are_measured() -> None:
    found = staleness(
        updated(
            """
            done g1 step 0 worker1 batch 0 from 0 a0
            done g1 step 1 worker2 batch 1 from 0 a1
            done g1 step 4 worker1 batch 2 from 1 a2
            """
        )
    )
    assert found.versions.tolist() == [0, 1, 3]
    assert found.ms.tolist() == [0, 0, 0]
