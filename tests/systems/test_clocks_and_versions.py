"""Hybrid clocks, version vectors and siblings, against their definitions."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systems.parts.dotted_versions import Dot, Siblings, synced, written
from systems.parts.hybrid_clock import HybridClock, Timestamp, TooFarAhead
from systems.parts.version_vectors import covers, merged, order
from tests.helpers.effort import cases

NODES = ("n1", "n2", "n3")

readings = st.integers(0, 50)
vectors = st.dictionaries(st.sampled_from(NODES), st.integers(1, 4))


@given(st.lists(st.tuples(st.sampled_from(NODES), readings, st.sampled_from((None, *NODES)))))
@settings(max_examples=cases(60))
def test_timestamps_respect_cause_and_effect_whatever_the_clocks_show(events: list[tuple[str, int, str | None]]) -> None:
    reads: dict[str, int] = dict.fromkeys(NODES, 0)
    clocks = {name: HybridClock(name, lambda name=name: reads[name]) for name in NODES}  # type: ignore[misc]
    last: dict[str, Timestamp] = dict.fromkeys(NODES, Timestamp())
    given_out: list[Timestamp] = []
    highest = 0
    for node, reading, heard_from in events:
        reads[node], highest = reading, max(highest, reading)
        if heard_from is not None:
            clocks[node].observe(last[heard_from])
        stamp = clocks[node].now()
        assert stamp > last[node]
        assert heard_from is None or stamp > last[heard_from]
        assert reading <= stamp.time_us <= highest  # no further from the time of day than the clocks are
        last[node] = stamp
        given_out.append(stamp)
    assert len(set(given_out)) == len(given_out)


def test_a_clock_follows_its_wall_clock_again_as_soon_as_that_is_ahead() -> None:
    reading = 100
    clock = HybridClock("n1", lambda: reading)
    clock.observe(Timestamp(500, 7, "n2"))
    assert clock.now() == Timestamp(500, 8, "n1")
    reading = 501
    assert clock.now() == Timestamp(501, 0, "n1")


def test_a_timestamp_of_a_clock_that_is_far_wrong_is_refused() -> None:
    clock = HybridClock("n1", lambda: 1000, most_ahead_us=50)
    clock.check(Timestamp(1050, 0, "n2"))
    clock.observe(Timestamp(1050, 0, "n2"))
    with pytest.raises(TooFarAhead, match="a timestamp of n3 is"):
        clock.check(Timestamp(2000, 0, "n3"))
    assert clock.now() == Timestamp(1050, 1, "n1")


@given(vectors, vectors, vectors)
def test_version_vectors_are_a_lattice(a: dict[str, int], b: dict[str, int], c: dict[str, int]) -> None:
    assert merged(a, b) == merged(b, a)
    assert merged(a, merged(b, c)) == merged(merged(a, b), c)
    assert covers(merged(a, b), a)
    assert covers(merged(a, b), b)
    assert order(a, b) == {"before": "after", "after": "before"}.get(order(b, a), order(b, a))
    assert (order(a, b) == "equal") == (merged(a) == merged(b))
    assert (order(a, b) in ("before", "equal")) == (merged(a, b) == merged(b))


def test_concurrent_vectors() -> None:
    assert order({"n1": 1}, {"n2": 1}) == "concurrent"
    assert order({"n1": 1}, {"n1": 1, "n2": 1}) == "before"
    assert order({}, {}) == "equal"


class Model:
    """Replicas of one key, and for each value what was read before it was written: the definition of what replaces what."""

    def __init__(self) -> None:
        self.held: dict[str, Siblings[int]] = {name: Siblings() for name in NODES}
        self.known: dict[str, set[int]] = {name: set() for name in NODES}
        """Of each replica, all writes that have reached it, replaced or not."""
        self.replaces: dict[int, set[int]] = {}
        """Of each write, the writes whose values its client had seen, or that those had replaced."""
        self.deletes: set[int] = set()
        self.seen: tuple[dict[str, int], set[int]] = ({}, set())

    def read(self, node: str) -> None:
        self.seen = (self.held[node].context, set(self.known[node]))

    def write(self, node: str, delete: bool) -> None:
        number = len(self.replaces)
        context, seen = self.seen
        self.held[node] = written(self.held[node], node, context, *(() if delete else (number,)))
        self.replaces[number] = set(seen)
        self.known[node] = {number, *seen, *self.known[node]}
        if delete:
            self.deletes.add(number)

    def sync(self, node: str, other: str) -> None:
        self.held[node] = self.held[other] = synced(self.held[node], self.held[other])
        self.known[node] = self.known[other] = self.known[node] | self.known[other]

    def expected(self, node: str) -> set[int]:
        known = self.known[node]
        replaced = {old for new in known for old in self.replaces[new]}
        return known - replaced - self.deletes


steps = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.sampled_from(NODES), st.just("")),
        st.tuples(st.sampled_from(("write", "delete")), st.sampled_from(NODES), st.just("")),
        st.tuples(st.just("sync"), st.sampled_from(NODES), st.sampled_from(NODES)),
    ),
    max_size=30,
)


@given(steps)
@settings(max_examples=cases(150))
def test_a_write_replaces_what_its_client_had_seen_and_nothing_else(taken: list[tuple[str, str, str]]) -> None:
    model = Model()
    for what, node, other in taken:
        if what == "read":
            model.read(node)
        elif what == "sync":
            model.sync(node, other)
        else:
            model.write(node, what == "delete")
        for name in NODES:
            assert set(model.held[name].values) == model.expected(name)
    for name in (*NODES, *NODES):
        model.sync("n1", name)
    assert model.held["n1"] == model.held["n3"]


@given(steps, steps)
@settings(max_examples=cases(60))
def test_syncing_is_commutative_idempotent_and_associative(
    one: list[tuple[str, str, str]], two: list[tuple[str, str, str]]
) -> None:
    model = Model()
    for what, node, other in [*one, *two]:
        if what == "read":
            model.read(node)
        elif what == "sync":
            model.sync(node, other)
        else:
            model.write(node, what == "delete")
    a, b, c = model.held.values()
    assert synced(a, b) == synced(b, a)
    assert synced(a, a) == a
    assert synced(a, synced(b, c)) == synced(synced(a, b), c)


def test_two_clients_that_write_through_one_node_do_not_replace_each_others_values() -> None:
    first = written(Siblings[str](), "n1", {}, "a")
    both = written(first, "n1", {}, "b")
    assert both.values == ["a", "b"]
    assert written(both, "n1", first.context, "c").values == ["b", "c"]
    assert written(both, "n2", both.context, "d").values == ["d"]
    assert written(both, "n2", both.context).values == []


def test_a_delete_is_told_from_what_it_deleted() -> None:
    held = written(Siblings[str](), "n1", {}, "a")
    gone = written(held, "n1", held.context)
    assert synced(held, gone) == synced(gone, held) == gone
    assert gone.context != held.context


def test_siblings_travel_as_json() -> None:
    held = written(written(Siblings[str](), "n1", {}, "a"), "n2", {}, "b")
    assert msgspec.json.decode(msgspec.json.encode(held), type=Siblings[str]) == held
    assert held.dots == (Dot("n1", 1), Dot("n2", 1))
