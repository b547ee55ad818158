"""The workload `Registers`."""

from __future__ import annotations

from itertools import islice
from random import Random

import msgspec
import pytest

from harness.model.codec import describe, restore
from harness.model.errors import UsageError
from harness.model.object_model import REFUSED, State
from harness.model.object_model import Call as ObjectCall
from harness.model.objects.register import Register
from harness.model.system import Call
from harness.model.workload import HasFinalCalls
from workloads.registers import FINAL_READS, Registers


def drawn(registers: Registers, number: int = 10_000, seed: int = 1) -> list[Call]:
    return list(islice(registers.calls(Random(seed)), number))


def _written(call: Call) -> str:
    if call.kind == "cas":
        _, value = msgspec.json.decode(call.value or "", type=tuple[str | None, str])
        return value
    return call.value or ""


def test_no_value_is_written_twice() -> None:
    values = [call.value for call in drawn(Registers()) if call.kind == "write"]
    assert len(values) == len(set(values))


def test_reads_and_writes_are_all_there_is_and_only_writes_have_a_value() -> None:
    assert {(call.kind, call.value is None) for call in drawn(Registers())} == {("read", True), ("write", False)}


def test_keys_are_drawn_evenly() -> None:
    calls = drawn(Registers(keys=20), 20_000)
    counts = {key: sum(call.key == key for call in calls) for key in {call.key for call in calls}}
    assert sorted(counts) == sorted(f"r{number}" for number in range(20))
    assert all(850 < count < 1150 for count in counts.values())  # 1,000 expected; five standard deviations are 154


@pytest.mark.parametrize("writes", [0.0, 0.1, 0.5, 1.0])
def test_the_share_of_writes_is_as_asked(writes: float) -> None:
    calls = drawn(Registers(writes=writes))
    assert sum(call.kind == "write" for call in calls) / len(calls) == pytest.approx(writes, abs=0.03)


def test_the_shares_of_all_kinds_are_as_asked() -> None:
    calls = drawn(Registers(writes=0.2, compare_and_sets=0.3, deletes=0.1))
    shares = {kind: sum(call.kind == kind for call in calls) / len(calls) for kind in ("read", "write", "cas", "delete")}
    assert shares == pytest.approx({"read": 0.4, "write": 0.2, "cas": 0.3, "delete": 0.1}, abs=0.03)


def test_one_client_that_makes_the_calls_in_order_finds_what_each_compare_and_set_expects() -> None:
    state: dict[str, State] = {}
    for call in drawn(Registers(keys=3, writes=0.2, compare_and_sets=0.4, deletes=0.2), 500):
        if call.kind != "read":
            after = Register().step(state.get(call.key), ObjectCall(0, call.kind, call.value))
            assert after is not REFUSED
            state[call.key] = after


def test_unusual_values_are_written_once_to_a_register_like_all_others() -> None:
    registers = Registers(keys=4, writes=0.3, compare_and_sets=0.3, unusual=True)
    calls = drawn(registers, 2_000)
    written = [(call.key, _written(call)) for call in calls if call.kind != "read"]
    assert len(written) == len(set(written))
    values = {value for _, value in written}
    assert {"", " ", "null"} <= values
    assert any(len(value) > 1000 for value in values)
    assert any(not value.isascii() for value in values)
    assert any(call.kind == "cas" and _written(call) == "" for call in calls)


def test_unusual_registers_are_read_at_the_end_under_the_same_names() -> None:
    registers = Registers(keys=4, unusual=True)
    keys = {call.key for call in drawn(registers, 200)}
    assert keys == {call.key for call in registers.final_calls()}
    assert any("/" in key for key in keys)


def test_simulation_draws_usual_and_unusual_ones() -> None:
    drawn_ones = [Registers(deletes=0.1).varied(Random(seed)) for seed in range(50)]
    assert {registers.unusual for registers in drawn_ones} == {False, True}
    assert all(Registers(unusual=True).varied(Random(seed)).unusual for seed in range(20))


def test_the_same_stream_gives_the_same_calls() -> None:
    assert drawn(Registers(), 100) == drawn(Registers(), 100)
    assert drawn(Registers(), 100) != drawn(Registers(), 100, seed=2)


def test_every_key_is_read_at_the_end_by_several_clients_in_a_row() -> None:
    registers = Registers(keys=2)
    assert isinstance(registers, HasFinalCalls)
    assert list(registers.final_calls()) == [Call("read", "r0")] * 30 + [Call("read", "r1")] * 30
    assert len(list(Registers(keys=100).final_calls())) == 100 * FINAL_READS


def test_it_travels_to_another_process() -> None:
    assert restore(describe(Registers(keys=3, writes=0.25))) == Registers(keys=3, writes=0.25)


@pytest.mark.parametrize("keys", [0, -1])
def test_it_needs_a_key(keys: int) -> None:
    with pytest.raises(UsageError, match=rf"Registers\(keys={keys}\): .* at least 1"):
        Registers(keys=keys)


def test_shares_are_at_most_1_together() -> None:
    with pytest.raises(UsageError, match=r"compare_and_sets=0\.5, deletes=0\.2\): must be shares of calls, together at most 1"):
        Registers(writes=0.4, compare_and_sets=0.5, deletes=0.2)


@pytest.mark.parametrize("writes", [-0.1, 1.1, float("nan")])
def test_the_share_of_writes_is_between_0_and_1(writes: float) -> None:
    with pytest.raises(UsageError, match=r"Registers\(writes=.*\): must be the share of writes, between 0 and 1"):
        Registers(writes=writes)
