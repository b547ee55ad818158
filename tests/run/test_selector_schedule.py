"""The targets and times of faults: chosen from the seed alone, before the start."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Isolate
from faults.pause import Pause
from harness.model import selector
from harness.model.composition import RandomFaults
from harness.model.drill import Drill
from harness.model.errors import UsageError
from harness.model.load import Load
from harness.model.system import Node, links_of
from harness.run.schedule import plan, targets_of
from tests.helpers.echo import Echo, Led, Numbers


def topology(replicas: int, others: int = 0) -> list[Node]:
    replicas_ = [Node(name=f"r{number}", code="tests.helpers.echo") for number in range(replicas)]
    return [*replicas_, *(Node(name=f"o{number}", code="tests.helpers.echo", replica=False) for number in range(others))]


@given(st.sampled_from(["one", "minority", "majority", "all"]), st.integers(0, 9), st.integers(0, 3), st.integers())
def test_what_passes_the_check_chooses_as_many_replicas_as_its_word_says(
    word: str, replicas: int, others: int, seed: int
) -> None:
    nodes = topology(replicas, others)
    size = {"one": 1, "minority": (replicas - 1) // 2, "majority": replicas // 2 + 1, "all": replicas}[word]
    try:
        selector.check(word, nodes, [], links_allowed=False, has_leader=False)
    except UsageError:
        assert size < 1 or size > replicas
        return
    chosen, _ = selector.choose(word, nodes, [], Random(seed))
    assert len(set(chosen)) == len(chosen) == size
    assert all(name.startswith("r") for name in chosen)
    if word == "majority":
        assert 2 * len(chosen) > replicas
    if word == "minority":
        assert 2 * len(chosen) < replicas


@given(st.integers(1, 5), st.integers())
def test_links_are_those_that_touch_the_nodes(replicas: int, seed: int) -> None:
    system = Echo(replicas=replicas)
    links = links_of(system)
    [chosen], touching = selector.choose("one", system.nodes(), links, Random(seed))
    assert touching == [link for link in links if chosen in link.name.split(">")]
    assert targets_of(system, "w0", chosen).links == tuple(touching)


def test_a_link_by_name_is_that_link_alone() -> None:
    system = Echo(replicas=3)
    nodes, links = selector.choose("n1>n2", system.nodes(), links_of(system), Random(1))
    assert (nodes, [link.name for link in links]) == ([], ["n1>n2"])


def test_several_links_by_name_are_those_links_alone() -> None:
    system = Echo(replicas=3)
    asked = "n3>n1 n1>n2 n3>n1"
    selector.check(asked, system.nodes(), links_of(system), links_allowed=True, has_leader=False)
    nodes, links = selector.choose(asked, system.nodes(), links_of(system), Random(1))
    assert (nodes, sorted(link.name for link in links)) == ([], ["n1>n2", "n3>n1"])


@pytest.mark.parametrize(
    ("asked", "links_allowed", "has_leader", "message"),
    [
        (
            "n4",
            True,
            False,
            r"No node or link called 'n4', and .* There are: one, .* n1, n2, n3, client>n1",
        ),
        ("n1>n4", True, False, "No node or link called 'n1>n4'.*Did you mean"),
        ("majorty", False, False, "Did you mean 'majority'"),
        ("zzz", False, False, "There are: one, minority, half, majority, all, leader, n1, n2, n3"),
        ("", False, False, "No node or link called ''"),
        ("n1>n2", False, False, "is a link; this fault acts on processes"),
        ("n1 n1>n2", False, False, "'n1>n2' is a link; this fault acts on processes"),
        ("n1 n1>n2", True, False, "names nodes and links. Use two faults"),
        ("n1>n2 n1>n4", True, False, "no node or link called 'n1>n4'.*Did you mean"),
        ("n1 n4", False, False, "no node called 'n4'"),
        ("leader", False, False, "cannot say who leads"),
    ],
)
def test_what_chooses_nothing_is_refused_with_the_next_step(
    asked: str, links_allowed: bool, has_leader: bool, message: str
) -> None:
    system = Echo(replicas=3)
    with pytest.raises(UsageError, match=message):
        selector.check(asked, system.nodes(), links_of(system), links_allowed=links_allowed, has_leader=has_leader)


@given(
    windows=st.integers(1, 6),
    span_s=st.floats(0.01, 60, allow_nan=False),
    from_s=st.floats(0, 5),
    shortest_s=st.floats(0.001, 5),
    longest_s=st.floats(0.001, 5),
    seed=st.integers(),
)
def test_random_windows_keep_to_their_bounds_and_do_not_overlap(
    windows: int, span_s: float, from_s: float, shortest_s: float, longest_s: float, seed: int
) -> None:
    try:
        item = RandomFaults(
            faults=(Kill("one"), Pause("one")),
            windows=windows, from_s=from_s, to_s=from_s + span_s, shortest_s=shortest_s, longest_s=longest_s,
        )  # fmt: skip
    except UsageError:
        assume(False)
    expanded = item.expand(Random(seed), 30)
    assert expanded == item.expand(Random(seed), 30)
    assert len(expanded) == windows
    half_ms = 0.0005 + 1e-9
    for window in expanded:
        assert item.from_s - half_ms <= window.from_s
        assert window.to_s <= item.to_s + half_ms
        assert item.shortest_s - half_ms <= window.to_s - window.from_s <= item.longest_s + half_ms
    for one, other in pairwise(expanded):
        assert one.to_s <= other.from_s


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"faults": ()}, "at least one fault"),
        ({"shortest_s": 0}, "0.001 <= shortest_s"),
        ({"shortest_s": 3}, "shortest_s <= longest_s"),
        ({"from_s": -1}, "0 <= from_s"),
        ({"windows": 0}, "do not fit"),
        ({"windows": 6}, "6 windows of up to 2 s do not fit between 0 s and 10 s"),
        ({"longest_s": float("nan")}, "shortest_s <= longest_s"),
        ({"to_s": float("inf")}, "from_s <= to_s"),
    ],
)
def test_random_windows_that_make_no_sense(changes: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"faults": (Kill("one"),), "windows": 2, "from_s": 0, "to_s": 10}
    with pytest.raises(UsageError, match=message):
        RandomFaults(**{**arguments, **changes})  # type: ignore[arg-type]


def drill(rate: float = 10) -> Drill:
    return Drill(
        system=Led(replicas=5),
        workload=Numbers(),
        load=Load(rate=rate, seconds=10),
        faults=[
            Kill("leader").between(8, 9),
            RandomFaults(faults=(Latency("one"), Isolate("minority"), Pause("majority")), windows=4, from_s=0, to_s=8),
            Kill("n2").between(0.5, 1),
        ],
    )


@given(st.integers(0, 2**31), st.floats(1, 1000))
def test_the_seed_alone_decides_windows_and_targets(seed: int, rate: float) -> None:
    planned = plan(drill(), seed)
    assert planned == plan(drill(rate), seed)
    assert [one.label for one in planned] == [f"w{number}" for number in range(6)]
    assert [one.window.from_s for one in planned] == sorted(one.window.from_s for one in planned)
    assert [one.targets is None for one in planned] == [one.window.fault.target == "leader" for one in planned]


def test_other_seeds_choose_otherwise() -> None:
    assert len({str(plan(drill(), seed)) for seed in range(20)}) == 20
