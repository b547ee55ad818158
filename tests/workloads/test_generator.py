"""The load generator alone: it makes every call once, on time or late by no fault of its own, and records its fate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pandas as pd
import pytest
import uvloop

from harness.checkers.generator_kept_up import generator_kept_up
from harness.cluster.ports import HOST, reserved
from harness.model.codec import describe
from harness.model.drill import Drill
from harness.model.errors import DrillError
from harness.model.history import History
from harness.model.load import NEVER_SENT, Load
from harness.model.system import Address, Answer, Call, CallFailed, Node, OutcomeUnknown
from harness.node.context import NodeContext as RunningNode
from harness.node.context import NodeSpec
from harness.run.generator_client import GeneratorClient
from tests.helpers.engine import accepts
from workloads.load import generator
from workloads.load.generator import OPLOG, Generator, Progress, Task
from workloads.load.oplog import read_oplog


@dataclass(frozen=True, kw_only=True)
class Moody:
    """Not a real system: a client that does with each call what its key says, after the first call froze all for a while."""

    frozen_s: float = 0.0

    def nodes(self) -> Sequence[Node]:
        return []

    def entries(self) -> Sequence[str]:
        return []

    def client(self, index: int, entries: Mapping[str, Address]) -> MoodyClient:
        return MoodyClient(index, self.frozen_s)


class MoodyClient:
    def __init__(self, index: int, frozen_s: float, attempts: int = 1) -> None:
        self._index = index
        self._frozen_s = frozen_s
        self._busy = False
        self._asked = 0
        self.attempts = attempts

    async def invoke(self, call: Call) -> Answer:
        assert not self._busy, "a client is asked for one thing at a time"
        self._busy = True
        try:
            self._asked += 1
            if self._asked == 1:
                await asyncio.sleep(self._frozen_s)
            match call.key:
                case "refuse":
                    raise CallFailed("not now")
                case "break":
                    raise ConnectionResetError("gone")
                case "doubt":
                    raise OutcomeUnknown("whether it is settled is not known", "held")
                case "block the generator":
                    time.sleep(0.4)  # noqa: ASYNC251 - as a machine does that does not let the process run
                case "hang":
                    await asyncio.Event().wait()
                case "own timeout":
                    raise TimeoutError
                case "connect in vain":
                    raise TimeoutError(110, "Connect call failed")
                case "wait for what is cancelled":
                    waited = asyncio.get_running_loop().create_future()
                    waited.cancel()
                    await waited
                case "refuse twice" if self._asked <= 2:
                    raise CallFailed("not yet")
                case "empty after three" if self._asked > 3:
                    return Answer()
                case "done":
                    return Answer()
                case "forget to answer":
                    return None  # type: ignore[return-value]
                case "answer a number":
                    return Answer(7)  # type: ignore[arg-type]
                case "answer half a letter":
                    return Answer("\ud800")
                case "refuse with half a letter":
                    raise CallFailed("\ud800")
            return Answer(f"{call.key}!", node=f"c{self._index}")
        finally:
            self._busy = False

    async def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Keys:
    """A workload with these keys, drawn evenly."""

    keys: tuple[str, ...] = ("fine",)
    final: tuple[str, ...] = ()
    expected: str | None = None

    def calls(self, random: Random) -> Iterator[Call]:
        while True:
            yield Call(kind="do", key=random.choice(self.keys), value="given", expected=self.expected)

    def final_calls(self) -> Iterable[Call]:
        return [Call(kind="look", key=key) for key in self.final]


def generate(tmp_path: Path, system: Moody, workload: Keys, load: Load, seed: int = 1) -> tuple[pd.DataFrame, list[Progress]]:
    """What a generator logs about a load, and its messages meanwhile."""
    seen: list[Progress] = []

    async def main() -> int:
        node = RunningNode(NodeSpec(name="client", start=0, host="127.0.0.1", port=1, data=str(tmp_path), log="", seed=seed))
        task = Task(system=describe(system), workload=describe(workload), load=load, seed=seed)
        generator = Generator(node, task)
        start_ns = time.monotonic_ns() + 20_000_000
        generator.start(start_ns)
        while not generator.finished:
            seen.append(generator.progress())
            await asyncio.sleep(0.01)
        seen.append(generator.progress())
        await generator.final()
        generator.save()
        await generator.close()
        return start_ns

    start_ns = uvloop.run(main())
    return read_oplog((tmp_path / OPLOG).read_bytes(), start_ns), seen


FATES = {
    "fine": ("ok", None),
    "refuse": ("failed", "not now"),
    "refuse with half a letter": ("failed", r"\ud800"),
    "break": ("unknown", "ConnectionResetError: gone"),
    "doubt": ("unknown", "whether it is settled is not known"),
    "hang": ("unknown", "no answer within 1500 ms"),
    "own timeout": ("unknown", "the client gave up before the load's timeout"),
    "connect in vain": ("unknown", "the client gave up before the load's timeout: [Errno 110] Connect call failed"),
}


def test_every_call_is_made_once_and_its_fate_is_logged(tmp_path: Path) -> None:
    load = Load(rate=500, seconds=0.4, clients=300, timeout_ms=1500)  # a client for each call, should all be late
    ops, seen = generate(tmp_path, Moody(), Keys(keys=tuple(FATES)), load)
    assert set(ops["key"]) == set(FATES)
    for key, (outcome, error) in FATES.items():
        those = ops[ops["key"] == key]
        assert set(those["outcome"]) == {outcome}
        assert set(those["error"].astype(object).where(those["error"].notna(), None)) == {error}
    fine = ops[ops["key"] == "fine"]
    assert set(fine["value"]) == {"fine!"}
    assert set(ops["value"][ops["key"] == "doubt"]) == {"held"}
    assert set(fine["node"]) <= {f"c{number}" for number in range(300)}
    assert ops["due_ns"].is_monotonic_increasing
    assert (ops["sent_ns"] >= ops["ready_ns"]).all()
    assert (ops["ready_ns"] >= ops["due_ns"]).all()
    assert (ops["done_ns"] >= ops["sent_ns"]).all()
    last = seen[-1]
    assert (last.ok + last.failed + last.unknown, last.due, last.finished) == (len(ops), len(ops), True)
    assert sum(len(progress.latencies_ms) for progress in seen) == (ops["outcome"] != "failed").sum()


@pytest.mark.parametrize(
    ("key", "returned"),
    [
        ("forget to answer", "None"),
        ("answer a number", "Answer(value=7, node='')"),
        ("answer half a letter", r"Answer(value='\ud800', node='')"),
    ],
)
def test_a_client_that_returns_no_answer_is_told_so(tmp_path: Path, key: str, returned: str) -> None:
    ops, seen = generate(tmp_path, Moody(), Keys(keys=(key,)), Load(rate=100, seconds=0.1, arrivals="constant"))
    assert seen[-1].unknown == len(ops) == 10
    assert set(ops["outcome"]) == {"unknown"}
    assert set(ops["error"]) == {f"invoke must return an Answer with a text or None, not {returned}"}


@pytest.mark.parametrize(("expected", "recorded"), [(None, "given"), ("given", None)])
def test_an_answer_without_a_value_stands_for_what_was_written_but_not_for_the_expected_answer(
    tmp_path: Path, expected: str | None, recorded: str | None
) -> None:
    workload = Keys(keys=("done",), expected=expected)
    ops, _ = generate(tmp_path, Moody(), workload, Load(rate=100, seconds=0.1, arrivals="constant"))
    assert set(ops["outcome"]) == {"ok"}
    assert {None if pd.isna(value) else value for value in ops["value"]} == {recorded}


def test_a_client_that_waits_for_something_cancelled_is_told_so_and_goes_on(tmp_path: Path) -> None:
    """Some libraries cancel what a call waits for when they close its connection."""
    load = Load(rate=100, seconds=0.1, arrivals="constant", clients=2)
    ops, seen = generate(tmp_path, Moody(), Keys(keys=("wait for what is cancelled",)), load)
    assert seen[-1].unknown == len(ops) == 10
    assert set(ops["outcome"]) == {"unknown"}
    assert ops["error"].str.startswith("what the client waited for was cancelled (test_generator.py, line ").all()


@pytest.mark.parametrize(("number", "made"), [(3, r"Call\(kind='do', key=3, .*\)"), (None, "None")])
def test_a_workload_whose_calls_are_no_texts_is_told_so(tmp_path: Path, number: int | None, made: str) -> None:
    with pytest.raises(ValueError, match=rf"the workload makes {made}; kind and key must be texts"):
        generate(tmp_path, Moody(), Numbered(number=number), Load(rate=100, seconds=0.1))


@dataclass(frozen=True, kw_only=True)
class Numbered(Keys):
    """A workload whose keys are numbers; without a number, it makes nothing."""

    number: int | None = None

    def calls(self, random: Random) -> Iterator[Call]:
        while True:
            yield None if self.number is None else Call(kind="do", key=self.number)  # type: ignore[arg-type,misc]


@dataclass(frozen=True, kw_only=True)
class NumberedLast(Keys):
    """A workload whose final calls have a number for a key."""

    def final_calls(self) -> Iterable[Call]:
        return [Call(kind="look", key=3)]  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Shattered(Keys):
    """A workload that breaks when it is told what a final call has brought."""

    final: tuple[str, ...] = ("fine",)

    def left_more(self, answer: Answer) -> bool:
        raise KeyError("left")


@pytest.mark.parametrize(
    ("workload", "told"),
    [(NumberedLast(), r"ValueError: the workload makes Call\(.*key=3.*must be texts"), (Shattered(), "KeyError: 'left'")],
)
def test_the_runner_is_told_what_is_wrong_with_final_calls(tmp_path: Path, workload: Keys, told: str) -> None:
    async def main() -> None:
        with reserved(1) as [port]:
            spec = NodeSpec(name="client", start=0, host=HOST, port=port, data=str(tmp_path), log="", seed=1)
            serving = asyncio.create_task(generator.main(RunningNode(spec)))
            while not accepts(port):
                await asyncio.sleep(0.001)
            runner = GeneratorClient((HOST, port), asyncio.get_running_loop().create_future)
            drill = Drill(system=Moody(), workload=workload, load=Load(rate=10, seconds=0.1, arrivals="constant"))
            await runner.start(drill, 1)
            with pytest.raises(DrillError, match=rf"^The workload, or the system's client, cannot be used: {told}"):
                await runner.finish(drill.system, asking=True)
            serving.cancel()
            await asyncio.wait([serving])

    uvloop.run(main())


def test_the_seed_decides_what_is_asked_and_when(tmp_path: Path) -> None:
    load = Load(rate=300, seconds=0.2)
    columns = ["key", "due_ns"]
    runs = [generate(tmp_path, Moody(), Keys(keys=("a", "b", "c")), load, seed)[0][columns] for seed in (1, 1, 2)]
    pd.testing.assert_frame_equal(runs[0], runs[1])
    assert not runs[0].equals(runs[2])


def test_a_frozen_system_cannot_hide_its_queue(tmp_path: Path) -> None:
    """Calls are due while no node answers; their latency counts from then (coordinated omission)."""
    load = Load(rate=200, seconds=0.4, clients=1, arrivals="constant")
    ops, _ = generate(tmp_path, Moody(frozen_s=0.2), Keys(), load)
    assert set(ops["outcome"]) == {"ok"}
    waited_ms = (ops["done_ns"] - ops["due_ns"]) / 1e6
    fell_due_meanwhile = ops["due_ns"] < 0.19e9
    assert (waited_ms[fell_due_meanwhile] > 195 - ops["due_ns"][fell_due_meanwhile] / 1e6).all()
    own_lateness_ms = (ops["sent_ns"] - ops["ready_ns"]) / 1e6
    assert (own_lateness_ms[fell_due_meanwhile] < waited_ms[fell_due_meanwhile]).all()


def test_what_could_never_be_sent_surely_had_no_effect(tmp_path: Path) -> None:
    load = Load(rate=100, seconds=0.2, clients=1, timeout_ms=100, arrivals="constant")
    ops, _ = generate(tmp_path, Moody(), Keys(keys=("hang",)), load)
    assert len(ops) == 20
    sent = ops[ops["outcome"] == "unknown"]
    assert 1 <= len(sent) <= 4
    never = ops[ops["outcome"] == "failed"]
    assert set(never["error"]) == {"not sent: every client was busy until the load ended"}
    assert len(sent) + len(never) == 20


def test_a_call_that_the_generator_itself_could_not_send_before_the_end_left_late(tmp_path: Path) -> None:
    load = Load(rate=100, seconds=0.2, clients=20, timeout_ms=100, arrivals="constant")
    ops, _ = generate(tmp_path, Moody(), Keys(keys=("block the generator",)), load)
    never = ops[ops["error"] == NEVER_SENT]
    assert len(never) >= 19
    assert (never["sent_ns"] - never["ready_ns"] > 100e6).all()
    assert generator_kept_up(History.of(ops)).valid is None


def test_a_call_that_was_never_sent_has_none_of_the_attempts_of_the_call_before(tmp_path: Path) -> None:
    load = Load(rate=100, seconds=0.2, clients=1, timeout_ms=100, arrivals="constant")
    ops, _ = generate(tmp_path, Persistent(), Keys(keys=("hang",)), load)
    never = (ops["error"] == NEVER_SENT).fillna(False)
    assert set(ops["attempts"][~never]) == {3}
    assert set(ops["attempts"][never]) == {1}


@dataclass(frozen=True, kw_only=True)
class Persistent(Moody):
    """A system whose clients make three attempts at each call."""

    def client(self, index: int, entries: Mapping[str, Address]) -> MoodyClient:
        return MoodyClient(index, self.frozen_s, attempts=3)


@pytest.mark.parametrize("final", [("fine", "fine"), ("refuse twice", "fine")])
def test_final_calls_are_asked_until_they_are_answered(tmp_path: Path, final: tuple[str, ...]) -> None:
    ops, _ = generate(tmp_path, Moody(), Keys(final=final), Load(rate=1, seconds=0.05, arrivals="constant", clients=2))
    last = ops[ops["phase"] == "final"]
    assert set(last[last["outcome"] == "ok"]["key"]) == set(final)
    assert (last["outcome"] == "failed").sum() == (2 if "refuse twice" in final else 0)


def test_final_calls_of_a_system_that_is_down_come_to_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "FINAL_CALLS_DEADLINE_S", 0.1)
    monkeypatch.setattr(generator, "FINAL_CALLS_END_S", 0.3)
    load = Load(rate=1, seconds=0.05, arrivals="constant", clients=1, timeout_ms=50)
    ops, _ = generate(tmp_path, Moody(), Keys(final=("hang",) * 100), load)
    last = ops[ops["phase"] == "final"]
    made = last[last["outcome"] == "unknown"]
    assert 1 <= len(made) < 20
    left_out = last[last["outcome"] == "failed"]
    assert set(left_out["error"]) == {"not sent: final calls were over after 60 s"}
    assert set(last["key"]) == {"hang"}
    assert len(left_out) > 80


def test_final_calls_that_may_leave_something_are_made_until_nothing_is_left(tmp_path: Path) -> None:
    workload = Emptied(final=("empty after three", "fine") * 2)
    ops, _ = generate(tmp_path, Moody(), workload, Load(rate=1, seconds=0.05, arrivals="constant", clients=2))
    last = ops[ops["phase"] == "final"]
    emptied = last[last["key"] == "empty after three"].sort_values("sent_ns")
    assert emptied["value"].notna().tolist() == [True, True, True, False, False]
    assert (last["key"] == "fine").sum() == 2


@dataclass(frozen=True, kw_only=True)
class Emptied(Keys):
    """A workload whose final calls take things away."""

    def left_more(self, answer: Answer) -> bool:
        return answer.value == "empty after three!"


def test_a_load_that_an_error_ends_says_so(tmp_path: Path) -> None:
    with pytest.raises(ExceptionGroup) as raised:
        generate(tmp_path, Uncounted(), Keys(), Load(rate=100, seconds=0.1))
    assert raised.group_contains(KeyError)


@dataclass(frozen=True, kw_only=True)
class Uncounted(Moody):
    """A system whose clients fail to say how often they tried."""

    def client(self, index: int, entries: Mapping[str, Address]) -> MoodyClient:
        return UncountedClient(index, self.frozen_s)


class UncountedClient(MoodyClient):
    @property
    def attempts(self) -> int:
        if self._asked:
            raise KeyError("the last call")
        return 1

    @attempts.setter
    def attempts(self, attempts: int) -> None: ...


def test_a_workload_that_ends_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the workload ends after 3 calls; this load needs 10"):
        generate(tmp_path, Moody(), Ending(), Load(rate=10, seconds=1, arrivals="constant"))


@dataclass(frozen=True, kw_only=True)
class Ending(Keys):
    """A workload that ends after three keys."""

    def calls(self, random: Random) -> Iterator[Call]:
        yield from (Call(kind="do", key="fine") for _ in range(3))
