"""Guarantees weaker than linearizability: session guarantees, causality, one order of everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import permutations, product
from random import Random

import pytest

from harness.checkers.causal import causal
from harness.checkers.causal_convergence import causal_convergence
from harness.checkers.monotonic_reads import monotonic_reads
from harness.checkers.monotonic_writes import monotonic_writes
from harness.checkers.read_your_writes import read_your_writes
from harness.checkers.sequential import sequential
from harness.checkers.writes_follow_reads import writes_follow_reads
from harness.model.verdict import Checker
from tests.helpers.effort import cases
from tests.helpers.fuzz import FEW, MANY, Effort, Judge, Make, Op, agrees, spans
from tests.helpers.transcript import history

SESSION_GUARANTEES = [read_your_writes, monotonic_reads, monotonic_writes, writes_follow_reads]

PAIRS: dict[str, tuple[Checker, str, str]] = {
    "a password that was changed, and the old one asked for": (
        read_your_writes,
        "c1 write x 1 0..10 ok\nc1 write x 2 20..30 ok\nc1 read x 2 40..50 ok\nc2 read x 1 60..70 ok",
        "c1 write x 1 0..10 ok\nc1 write x 2 20..30 ok\nc1 read x 1 40..50 ok",
    ),
    "a write that its own client does not see": (
        read_your_writes,
        "c1 write x 1 0..10 ok\nc1 write x 2 20..30 unknown\nc1 read x 1 40..50 ok",
        "c1 write x 1 0..10 ok\nc1 read x null 20..30 ok",
    ),
    "two clients that each see the other one's write last": (
        read_your_writes,
        "c1 write x 1 0..10 ok\nc2 write x 2 0..10 ok\nc1 read x 2 20..30 ok\nc2 read x 2 20..30 ok",
        "c1 write x 1 0..10 ok\nc2 write x 2 0..10 ok\nc1 read x 2 20..30 ok\nc2 read x 1 20..30 ok",
    ),
    "a client that changes to a replica that lags": (
        monotonic_reads,
        "c1 write x 1 0..10 ok\nc2 read x null 20..30 ok\nc2 read x 1 40..50 ok\nc2 read x 1 60..70 ok",
        "c1 write x 1 0..10 ok\nc2 read x 1 20..30 ok\nc2 read x null 40..50 ok",
    ),
    "a value that comes and goes": (
        monotonic_reads,
        "c1 write x 1 0..9 ok\nc2 write x 2 0..9 ok\nc3 read x 1 20..29 ok\nc3 read x 2 40..49 ok\nc3 read x 2 60..69 ok",
        "c1 write x 1 0..9 ok\nc2 write x 2 0..9 ok\nc3 read x 1 20..29 ok\nc3 read x 2 40..49 ok\nc3 read x 1 60..69 ok",
    ),
    "a library whose new version comes before its parts": (
        monotonic_writes,
        "c1 write part 1 0..9 ok\nc1 write index 2 20..29 ok\nc2 read part null 30..39 ok\nc2 read index 2 40..49 ok\n"
        "c2 read part 1 50..59 ok",
        "c1 write part 1 0..9 ok\nc1 write index 2 20..29 ok\nc2 read index 2 30..39 ok\nc2 read part null 40..49 ok",
    ),
    "a flag that is up before the second write": (
        monotonic_writes,
        "c1 write x 1 0..1 ok\nc1 write x 2 2..3 ok\nc1 write up 3 4..5 ok\nc2 read up 3 6..7 ok\nc2 read x 2 8..9 ok",
        "c1 write x 1 0..1 ok\nc1 write x 2 2..3 ok\nc1 write up 3 4..5 ok\nc2 read up 3 6..7 ok\nc2 read x 1 8..9 ok",
    ),
    "an answer without its question": (
        writes_follow_reads,
        "c1 write q 1 0..9 ok\nc2 read q 1 10..19 ok\nc2 write a 2 20..29 ok\nc3 read q null 22..23 ok\nc3 read a 2 30..39 ok\n"
        "c3 read q 1 40..49 ok",
        "c1 write q 1 0..9 ok\nc2 read q 1 10..19 ok\nc2 write a 2 20..29 ok\nc3 read a 2 30..39 ok\nc3 read q null 40..49 ok",
    ),
    "the lost ring (Lloyd et al., SOSP 2011)": (
        causal,
        "c1 write post lost 0..9 ok\nc1 write post found 10..19 ok\nc2 read post found 20..29 ok\n"
        "c2 write comment glad 30..39 ok\nc3 read comment glad 40..49 ok\nc3 read post found 50..59 ok",
        "c1 write post lost 0..9 ok\nc1 write post found 10..19 ok\nc2 read post found 20..29 ok\n"
        "c2 write comment glad 30..39 ok\nc3 read comment glad 40..49 ok\nc3 read post lost 50..59 ok",
    ),
    "cause and effect through a third key": (
        causal,
        "c1 write x 1 0..9 ok\nc1 write y 1 10..19 ok\nc2 read y 1 20..29 ok\nc2 write z 1 30..39 ok\nc3 read z 1 40..49 ok\n"
        "c3 read x 1 50..59 ok",
        "c1 write x 1 0..9 ok\nc1 write y 1 10..19 ok\nc2 read y 1 20..29 ok\nc2 write z 1 30..39 ok\nc3 read z 1 40..49 ok\n"
        "c3 read x null 50..59 ok",
    ),
    "out of thin air": (
        causal,
        "c1 write x 1 0..9 unknown\nc2 read x 1 20..29 ok",
        "c1 write x 1 0..9 failed\nc2 read x 1 20..29 ok",
    ),
    "two replicas that never agree (Bouajjani et al., figure 3a: CC and not CCv)": (
        causal_convergence,
        "c1 write x 1 0..9 ok\nc1 read x 2 20..29 ok\nc2 write x 2 0..9 ok\nc2 read x 2 20..29 ok",
        "c1 write x 1 0..9 ok\nc1 read x 2 20..29 ok\nc2 write x 2 0..9 ok\nc2 read x 1 20..29 ok",
    ),
    "independent reads of independent writes": (
        sequential,
        "c1 write x 1 0..9 ok\nc2 write y 1 0..9 ok\nc3 read x 1 20..29 ok\nc3 read y null 30..39 ok\n"
        "c4 read y null 20..29 ok\nc4 read x 1 30..39 ok",
        "c1 write x 1 0..9 ok\nc2 write y 1 0..9 ok\nc3 read x 1 20..29 ok\nc3 read y null 30..39 ok\nc4 read y 1 20..29 ok\n"
        "c4 read x null 30..39 ok",
    ),
    "a store buffer (Dekker)": (
        sequential,
        "c1 write x 1 0..9 ok\nc1 read y null 20..29 ok\nc2 write y 1 0..9 ok\nc2 read x 1 20..29 ok",
        "c1 write x 1 0..9 ok\nc1 read y null 20..29 ok\nc2 write y 1 0..9 ok\nc2 read x null 20..29 ok",
    ),
    "a stale read is sequential, two that go back are not": (
        sequential,
        "c1 write x 1 0..9 ok\nc2 read x null 20..29 ok\nc3 read x 1 20..29 ok",
        "c1 write x 1 0..9 ok\nc2 read x 1 20..29 ok\nc2 read x null 30..39 ok",
    ),
}


@pytest.mark.parametrize(("checker", "good", "bad"), PAIRS.values(), ids=PAIRS.keys())
def test_anomalies_and_their_good_twins(checker: Checker, good: str, bad: str) -> None:
    verdict = checker(history(good))
    assert verdict.valid is True, verdict
    verdict = checker(history(bad))
    assert verdict.valid is False
    assert verdict.ops


def test_to_and_fro_between_concurrent_writes_is_causal_and_does_not_converge() -> None:
    flips = history(
        "c1 write x 1 0..9 ok\nc2 write x 2 0..9 ok\nc3 read x 1 20..29 ok\nc3 read x 2 40..49 ok\nc3 read x 1 60..69 ok"
    )
    assert causal(flips).valid is True
    assert causal_convergence(flips).valid is False


ALL = [*SESSION_GUARANTEES, causal, causal_convergence, sequential]


@pytest.mark.parametrize("checker", ALL)
def test_a_value_written_twice_leaves_its_key_undecided(checker: Checker) -> None:
    verdict = checker(history("c1 write x 1 0..9 ok\nc2 write x 1 0..9 ok\nc1 read x 1 20..29 ok"))
    assert verdict.valid is None
    assert "1 was written to x more than once (op 1)" in verdict.why


@pytest.mark.parametrize("checker", ALL)
def test_other_calls_on_a_key_leave_it_undecided(checker: Checker) -> None:
    verdict = checker(history("c1 write x 1 0..9 ok\nc1 delete x null 10..19 ok\nc1 read x null 20..29 ok"))
    assert verdict.valid is None
    assert "x has a call of kind delete (op 1)" in verdict.why


@pytest.mark.parametrize("checker", ALL)
def test_transactions_leave_the_keys_that_they_write_undecided(checker: Checker) -> None:
    transcript = 'c1 write x 1 0..9 ok\nc2 txn - [["w","x","2"],["r","y",null]] 10..19 ok\nc1 read {} 20..29 ok'
    assert checker(history(transcript.format("x 2"))).valid is None
    assert checker(history(transcript.format("y 2"))).valid is False


@pytest.mark.parametrize(
    ("checker", "transcript", "why"),
    [
        (read_your_writes, "c1 write x 1 0..9 ok\nc2 read x 1 20..29 ok", "no client read a key to which it had written"),
        (monotonic_reads, "c1 write x 1 0..9 ok\nc1 read x 1 20..29 ok", "no client read a key again"),
        (monotonic_writes, "c1 write x 1 0..9 ok\nc2 read x 1 20..29 ok\nc2 read y null 30..39 ok", "no client that had read"),
        (writes_follow_reads, "c1 write x 1 0..9 ok\nc2 read x 1 20..29 ok\nc2 read x 1 30..39 ok", "no client that had read"),
        *[
            (each, "c1 write x 1 0..9 ok\nc2 read x null 20..29 ok", "no read found a value")
            for each in [causal, causal_convergence]
        ],
    ],
)
def test_what_no_read_could_have_shown_is_unknown(checker: Checker, transcript: str, why: str) -> None:
    verdict = checker(history(transcript))
    assert verdict.valid is None
    assert verdict.why.startswith(why)


@pytest.mark.parametrize("checker", ALL)
def test_sessions_make_one_call_at_a_time(checker: Checker) -> None:
    verdict = checker(history("c1 write x 1 0..9 ok\nc1 read x null 5..12 ok"))
    assert verdict.valid is None
    assert verdict.why.startswith("client 1 sent op 1 before op 0 was done")


# ------------------------------------------------------------------------------------------------------ random histories


def longer_sessions(random: Random) -> list[Op]:
    """Like `random_sessions`, with more calls, as a session guarantee asks something only of few of them."""
    return random_sessions(random, each=12, most=24)


def random_sessions(random: Random, each: int = 3, most: int = 8) -> list[Op]:
    """Three clients of two keys; reads mostly return values that were written before, mostly recent ones."""
    ops: list[Op] = []
    latest = random.choice([2 * each, 10 * each])
    keys = random.choice(["x", "xy", "xy"])
    for client in range(3):
        for sent, done in spans(random, random.randint(1, each), latest):
            key, kind = random.choice(keys), random.choice(["write", "read", "read"])
            result = random.choice(["ok"] * 12 + ["unknown", "failed"])
            ops.append(Op(client, kind, key, f"{len(ops)}" if kind == "write" else None, sent, done, result))
    ops = ops[:most]
    view: dict[tuple[int, str], str | None] = {}
    for at in sorted(range(len(ops)), key=lambda at: (ops[at].done, ops[at].kind)):
        op = ops[at]
        if op.kind == "write":
            if op.outcome != "failed":
                for client in range(3):
                    if client == op.client or random.random() < 0.7:
                        view[client, op.key] = op.value
        else:
            value = view.get((op.client, op.key))
            if random.random() < 0.25:
                value = random.choice([None, *(w.value for w in ops if w.kind == "write" and w.key == op.key)])
            ops[at] = Op(op.client, "read", op.key, value, op.sent, op.done, op.outcome)
    return ops


class Axioms:
    """A history's calls in the terms of the definitions: `so` and `wr` as sets of pairs, everything by trying."""

    def __init__(self, ops: list[Op]) -> None:
        self.ops = [op for op in ops if op.ok or (op.kind == "write" and op.outcome == "unknown")]
        self.size = range(len(self.ops))
        self.reads = [at for at in self.size if self.ops[at].kind == "read"]
        self.writes = [at for at in self.size if self.ops[at].kind == "write"]
        self.so = {
            (a, b)
            for a, b in product(self.size, self.size)
            if a < b and self.ops[a].client == self.ops[b].client and self.ops[a].ok
        }
        self.source: dict[int, int | None] = {}
        self.thin = False
        for read in self.reads:
            found = [w for w in self.writes if self.key(w) == self.key(read) and self.ops[w].value == self.ops[read].value]
            found = [w for w in found if self.ops[w].sent <= self.ops[read].done]
            if self.ops[read].value is None:
                self.source[read] = None
            elif found:
                self.source[read] = found[0]
            else:
                self.thin = True
        self.wr = {(source, read) for read, source in self.source.items() if source is not None}

    def key(self, at: int) -> str:
        return self.ops[at].key

    def own(self) -> set[tuple[int, int]]:
        return {(w, r) for w, r in self.so if w in self.writes and r in self.reads and self.key(w) == self.key(r)}

    def read_before(self) -> set[tuple[int, int]]:
        same = [(a, b) for a, b in self.so if a in self.reads and b in self.reads and self.key(a) == self.key(b)]
        return {(source, b) for a, b in same if (source := self.source[a]) is not None}

    def written_before(self) -> set[tuple[int, int]]:
        return {
            (w, r)
            for seen, through in self.wr
            for w, r in product(self.writes, self.reads)
            if (through, r) in self.so and (w, seen) in self.so and self.key(w) == self.key(r)
        }

    def read_by_the_writer(self) -> set[tuple[int, int]]:
        found = set()
        for r, writer in product(self.reads, range(3)):
            seen = [w for w, through in self.wr if (through, r) in self.so and self.ops[w].client == writer]
            if seen:
                before = [a for a in self.reads if (a, max(seen)) in self.so and self.key(a) == self.key(r)]
                if before and (source := self.source[max(before)]) is not None:
                    found.add((source, r))
        return found

    def order_exists(self, required: Iterable[tuple[int, int]]) -> bool:
        """Whether some order of all calls keeps session order, sources and requirements."""
        pairs = self.so | self.wr
        for w, r in required:
            source = self.source[r]
            if source is None:
                return False
            if source != w:
                pairs = pairs | {(w, source)}
        placed: set[int] = set()
        while True:
            free = [at for at in self.size if at not in placed and all(a in placed for a, b in pairs if b == at)]
            if not free:
                return len(placed) == len(self.ops)
            placed |= set(free)

    def causal_order(self) -> set[tuple[int, int]] | None:
        order = self.so | self.wr
        while True:
            more = {(a, d) for a, b in order for c, d in order if b == c} - order
            if not more:
                return None if any(a == b for a, b in order) else order
            order = order | more

    def explained_one_by_one(self) -> bool:
        """Each read by an order of its own of what comes before it: the last write of its key is the one that it read."""
        order = self.causal_order()
        if order is None:
            return False
        return all(
            any(
                (row[-1] if row else None) == self.source[read]
                and all((b, a) not in order for at, a in enumerate(row) for b in row[at:])
                for row in permutations([w for w in self.writes if (w, read) in order and self.key(w) == self.key(read)])
            )
            for read in self.reads
        )

    def explained_by_one_order_of_writes(self) -> bool:
        order = self.causal_order()
        if order is None:
            return False
        known = {read: [w for w in self.writes if (w, read) in order and self.key(w) == self.key(read)] for read in self.reads}
        return any(
            all((b, a) not in order for at, a in enumerate(row) for b in row[at:])
            and all(max(known[read], key=row.index, default=None) == self.source[read] for read in self.reads)
            for row in permutations(self.writes)
        )

    def interleaved(self) -> bool:
        """Whether registers could execute all calls, perhaps without some writes of unknown outcome, in some order."""
        answered = {at for at in self.size if self.ops[at].ok}

        def go(placed: frozenset[int], holds: dict[str, int | None]) -> bool:
            if answered <= placed:
                return True
            for at in set(self.size) - placed:
                if any(a not in placed for a, b in self.so if b == at):
                    continue
                if at in self.reads:
                    if holds.get(self.key(at)) == self.source[at] and go(placed | {at}, holds):
                        return True
                elif go(placed | {at}, {**holds, self.key(at): at}):
                    return True
            return False

        return go(frozenset(), {})


Definition = Callable[[Axioms], bool | None]


def judge(definition: Definition) -> Judge:
    def judged(ops: list[Op]) -> bool | None:
        axioms = Axioms(ops)
        if axioms.thin:
            return False
        return definition(axioms) if axioms.reads else None

    return judged


def guarantee(required: Callable[[Axioms], set[tuple[int, int]]]) -> Definition:
    def defined(axioms: Axioms) -> bool | None:
        pairs = required(axioms)
        return axioms.order_exists(pairs) if pairs else None

    return defined


def if_seen(definition: Callable[[Axioms], bool]) -> Definition:
    return lambda axioms: definition(axioms) if axioms.wr or axioms.own() else None


DEFINITIONS: dict[str, tuple[Checker, Make, Definition]] = {
    "read_your_writes": (read_your_writes, random_sessions, guarantee(Axioms.own)),
    "monotonic_reads": (monotonic_reads, random_sessions, guarantee(Axioms.read_before)),
    "monotonic_writes": (monotonic_writes, longer_sessions, guarantee(Axioms.written_before)),
    "writes_follow_reads": (writes_follow_reads, longer_sessions, guarantee(Axioms.read_by_the_writer)),
    "causal": (causal, random_sessions, if_seen(Axioms.explained_one_by_one)),
    "causal_convergence": (causal_convergence, random_sessions, if_seen(Axioms.explained_by_one_order_of_writes)),
    "sequential": (sequential, random_sessions, Axioms.interleaved),
}


@pytest.mark.parametrize(("checker", "make", "definition"), DEFINITIONS.values(), ids=DEFINITIONS.keys())
def test_agrees_with_the_definition(checker: Checker, make: Make, definition: Definition) -> None:
    agrees(checker, make, judge(definition), Effort(cases(500), FEW.singly))


@pytest.mark.nightly
@pytest.mark.parametrize(("checker", "make", "definition"), DEFINITIONS.values(), ids=DEFINITIONS.keys())
def test_agrees_with_the_definition_for_long(checker: Checker, make: Make, definition: Definition) -> None:
    agrees(checker, make, judge(definition), MANY)


def test_what_is_stronger_includes_what_is_weaker() -> None:
    """By the definitions, which the checkers agree with: sequential, causally convergent, each session guarantee."""
    for seed in range(400):
        axioms = Axioms(random_sessions(Random(seed)))
        if not axioms.thin:
            converges = axioms.explained_by_one_order_of_writes()
            assert converges or not axioms.interleaved()
            assert not converges or axioms.explained_one_by_one()
            assert not converges or all(DEFINITIONS[each.__name__][-1](axioms) is not False for each in SESSION_GUARANTEES)
