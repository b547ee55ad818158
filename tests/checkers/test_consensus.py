"""Replicated logs that keep Raft's promises, and logs that break them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from random import Random

import msgspec
import pandas as pd
import pytest

from harness.checkers.deposed_leaders_refused import deposed_leaders_refused
from harness.checkers.leader_completeness import leader_completeness
from harness.checkers.leader_undisturbed import leader_undisturbed
from harness.checkers.log_matching import log_matching
from harness.checkers.one_leader_per_term import one_leader_per_term
from harness.checkers.one_leader_seen import one_leader_seen
from harness.checkers.state_machine_safety import state_machine_safety
from harness.model.consensus_events import KINDS, ConsensusEvent
from harness.model.history import EVENTS, History, frame
from harness.model.verdict import Checker
from harness.run import catalog
from tests.helpers.fuzz import FEW, MANY, Effort
from tests.helpers.transcript import history

_EMPTY = History.of([])
_FIELDS = {
    "leader": ["term"],
    "appended": ["index", "entry_term", "entry"],
    "truncated": ["index"],
    "committed": ["index", "entry_term", "term"],
    "applied": ["index", "entry"],
    "installed": ["index", "entry_term"],
    "obeys": ["term"],
    "refused": ["term", "obeyed"],
}


@dataclass(frozen=True)
class Event:
    """What one node emits."""

    node: str
    kind: str
    values: tuple[int | str, ...]

    def told(self) -> ConsensusEvent:
        return msgspec.convert(dict(zip(_FIELDS[self.kind], self.values, strict=True)), KINDS[self.kind])


def emitted(events: list[Event]) -> History:
    rows = [(at, e.node, e.kind, msgspec.json.encode(e.told()).decode()) for at, e in enumerate(events)]
    return replace(_EMPTY, events=frame(EVENTS, pd.DataFrame(rows, columns=list(EVENTS))))


def transcript(text: str) -> list[Event]:
    """One event a line: "n1 appended 1 3 x", with the fields of the vocabulary in its order."""
    events = []
    for line in text.splitlines():
        node, kind, *values = line.split()
        types = KINDS[kind].__annotations__
        fields = zip(_FIELDS[kind], values, strict=True)
        events.append(Event(node, kind, tuple(int(v) if "int" in str(types[name]) else v for name, v in fields)))
    return events


PAIRS: dict[str, tuple[Checker, str, str]] = {
    "two candidates that count one vote each": (
        one_leader_per_term,
        "n1 leader 3\nn2 leader 4\nn1 leader 5",
        "n1 leader 3\nn2 leader 3",
    ),
    "a follower that forgets over a restart whom it obeyed": (
        deposed_leaders_refused,
        "n2 obeys 1\nn2 obeys 2\nn2 refused 1 2\nn1 obeys 2\nn2 obeys 2\nn2 obeys 3",
        "n2 obeys 1\nn2 obeys 2\nn2 refused 1 2\nn1 obeys 2\nn2 obeys 1",
    ),
    "a follower that does not compare the entry before": (
        log_matching,
        "n1 appended 1 1 a\nn2 appended 1 2 b\nn2 appended 2 2 c\nn1 truncated 1\nn1 appended 1 2 b\nn1 appended 2 2 c",
        "n1 appended 1 1 a\nn2 appended 1 2 b\nn2 appended 2 2 c\nn1 appended 2 2 c",
    ),
    "two leaders of a term that append": (
        log_matching,
        "n1 appended 1 1 a\nn2 appended 1 1 a",
        "n1 appended 1 1 a\nn2 appended 1 1 b",
    ),
    "a tail that a crash took, and that was not missed": (
        log_matching,
        "n1 appended 1 1 a\nn1 appended 2 1 b\nn1 truncated 2\nn1 appended 2 1 b\nn1 appended 3 1 c\nn2 appended 1 1 a\n"
        "n2 appended 2 1 b\nn2 appended 3 1 c",
        "n1 appended 1 1 a\nn1 appended 2 1 b\nn1 truncated 2\nn1 appended 3 1 c\nn2 appended 1 1 a\nn2 appended 2 1 b\n"
        "n2 appended 3 1 c",
    ),
    "a vote for a candidate whose log is shorter": (
        leader_completeness,
        "n1 appended 1 1 a\nn1 committed 1 1 1\nn2 appended 1 1 a\nn2 leader 2",
        "n1 appended 1 1 a\nn1 committed 1 1 1\nn2 leader 2",
    ),
    "an entry of an old term that counts as committed (figure 8 of the Raft paper)": (
        leader_completeness,
        "s1 appended 1 1 a\ns1 appended 2 2 b\ns5 appended 1 1 a\ns5 appended 2 3 c\ns1 committed 1 1 4\ns5 leader 5",
        "s1 appended 1 1 a\ns1 appended 2 2 b\ns5 appended 1 1 a\ns5 appended 2 3 c\ns1 committed 2 2 4\ns5 leader 5",
    ),
    "a committed entry that a snapshot holds": (
        leader_completeness,
        "n1 appended 1 1 a\nn1 appended 2 1 b\nn1 committed 1 1 1\nn2 installed 2 1\nn2 leader 2",
        "n1 appended 1 1 a\nn1 appended 2 1 b\nn1 committed 2 1 1\nn2 installed 1 1\nn2 leader 2",
    ),
    "a state machine that executes what was replaced": (
        state_machine_safety,
        "n1 applied 1 a\nn2 applied 1 a\nn2 applied 2 b",
        "n1 applied 1 a\nn2 applied 1 b",
    ),
    "two entries that are committed in one place": (
        state_machine_safety,
        "n1 committed 1 1 1\nn2 committed 1 1 2",
        "n1 committed 1 1 1\nn2 committed 1 2 2",
    ),
}


@pytest.mark.parametrize(("checker", "good", "bad"), PAIRS.values(), ids=PAIRS.keys())
def test_anomalies_and_their_good_twins(checker: Checker, good: str, bad: str) -> None:
    verdict = checker(emitted(transcript(good)))
    assert verdict.valid is True, verdict
    assert checker(emitted(transcript(bad))).valid is False


def test_groups_are_judged_by_themselves() -> None:
    events = [("n1", '{"term":1,"group":"a"}'), ("n2", '{"term":1,"group":"b"}')]
    found = History.of([], events=[{"at_ns": 0, "node": node, "kind": "leader", "detail": told} for node, told in events])
    assert one_leader_per_term(found).valid is True


def test_a_leader_of_one_group_disturbs_no_leader_of_another() -> None:
    def led(*events: tuple[str, str]) -> History:
        rows = [
            {"at_ns": at, "node": node, "kind": "leader", "detail": f'{{"term":{at + 1},"group":"{group}"}}'}
            for at, (node, group) in enumerate(events)
        ]
        return History.of([], events=rows)

    assert leader_undisturbed(led(("n1", "a"), ("n2", "b"))).valid is True
    verdict = leader_undisturbed(led(("n1", "a"), ("n2", "b"), ("n3", "a")))
    assert verdict.valid is False
    assert "n3 came to lead" in verdict.why
    assert "nothing had been done to n1" in verdict.why


FIVE = [
    {"link": f"n{a}>n{b}", "connections": 1, "received_bytes": 1, "sent_bytes": 1} for a in range(5) for b in range(5) if a != b
]


@pytest.mark.parametrize(
    ("windows", "valid"),
    [
        ([], False),
        ([("n1 n2", 1, 3)], False),  # three of five nodes hear the leader
        ([("n1 n2 n3", 1, 3)], True),
        ([("n1 n2 n3", 1, 1.5)], True),  # healed half a second before
        ([("n1 n2 n3", 0.1, 0.9)], False),  # long over
        ([("n1 n2", 1, 3), ("n3", 1.5, 3)], True),
        ([("n1 n2", 1, 1.4), ("n3", 1.5, 3)], False),  # never all at once
        ([("n0>n1 n2>n0", 1, 3)], False),
        ([("n0>n1 n2>n0 n0>n3", 1, 3)], True),
        ([("n1>n2 n2>n3 n3>n1", 1, 3)], False),  # none of them leads to the leader
    ],
)
def test_a_leader_that_faults_leave_without_a_majority_may_step_down(
    windows: list[tuple[str, float, float]], valid: bool
) -> None:
    rows: list[dict[str, object]] = [
        {
            "label": f"w{number}", "fault": "Isolate", "selector": "", "targets": targets, "from_s": from_s, "to_s": to_s,
            "injected_ns": round(from_s * 1e9), "healed_ns": round(to_s * 1e9), "acted": True,
        }
        for number, (targets, from_s, to_s) in enumerate(windows)
    ]  # fmt: skip
    events = [{"at_ns": at_ns, "node": "n0", "kind": "leader", "detail": '{"term":1}'} for at_ns in (0, 2 * 10**9)]
    assert leader_undisturbed(History.of([], rows, events, FIVE)).valid is valid


def test_a_malformed_event_is_unknown_and_named() -> None:
    found = History.of([], events=[{"at_ns": 2_000_000_000, "node": "n1", "kind": "leader", "detail": '{"term":"x"}'}])
    verdict = one_leader_per_term(found)
    assert verdict.valid is None
    assert verdict.why.startswith('the event leader of n1 at 2.000 s says {"term":"x"}')


def test_what_clients_saw() -> None:
    good = 'c1 leader g {"leader":"n1","term":3} 0..10 ok\nc2 leader g {"leader":null,"term":3} 0..10 ok'
    assert one_leader_seen(history(good)).valid is True
    verdict = one_leader_seen(history(f'{good}\nc1 leader g {{"leader":"n2","term":3}} 20..30 ok'))
    assert verdict.valid is False
    assert verdict.ops == (0, 2)
    assert one_leader_seen(history("c1 leader g n1 0..10 ok")).valid is None


def test_checkers_apply_where_nodes_tell_enough() -> None:
    def applying(text: str) -> set[str]:
        return {checker.__name__ for checker in catalog.checkers_for(emitted(transcript(text)))} - {"nodes_stayed_up"}

    assert applying("n1 leader 1") == {"one_leader_per_term"}
    assert applying("n1 leader 1\nn1 appended 1 1 a") == {"one_leader_per_term", "log_matching"}
    assert "leader_completeness" in applying("n1 leader 1\nn1 appended 1 1 a\nn1 committed 1 1 1")
    assert applying("n1 applied 1 a") == {"state_machine_safety"}


# ------------------------------------------------------------------------------------------- random clusters, mostly right


def random_cluster(random: Random) -> list[Event]:
    """Three nodes whose leaders copy their logs to others, with a mistake or two."""
    logs: dict[str, list[tuple[int, str]]] = {name: [] for name in ("n1", "n2", "n3")}
    events: list[Event] = []
    careless = random.random() < 0.5
    for term in range(1, random.randint(2, 4)):
        best = max(logs, key=lambda name: (logs[name][-1][0] if logs[name] else 0, len(logs[name])))
        leader = random.choice(sorted(logs)) if careless else best
        events.append(Event(leader, "leader", (term - (careless and random.random() < 0.2),)))
        for _ in range(random.randint(0, 2)):
            logs[leader].append((term, random.choice("ab") if careless else f"{term}"))
            events.append(Event(leader, "appended", (len(logs[leader]), *logs[leader][-1])))
        follower = random.choice(sorted(set(logs) - {leader}))
        events += copied(random, logs, leader, follower, careless)
        if logs[leader] == logs[follower] and logs[leader]:
            index = random.randint(1, len(logs[leader])) if careless else len(logs[leader])
            entry_term, entry = logs[leader][index - 1]
            events.append(Event(leader, "committed", (index, entry_term, term)))
            events.append(Event(random.choice([leader, follower]), "applied", (index, entry)))
            other = random.choice(sorted(logs))
            if careless and len(logs[other]) >= index:
                events.append(Event(other, "applied", (index, logs[other][index - 1][1])))
                events.append(Event(other, "committed", (index, logs[other][index - 1][0], term)))
    return events


def copied(random: Random, logs: dict[str, list[tuple[int, str]]], leader: str, follower: str, careless: bool) -> list[Event]:
    """The follower takes over the leader's log; if careless, it leaves an entry unchanged."""
    events = []
    if random.random() < 0.15:
        if not logs[leader]:
            return []
        logs[follower] = list(logs[leader])
        return [Event(follower, "installed", (len(logs[leader]), logs[leader][-1][0]))]
    same = 0
    while same < min(len(logs[leader]), len(logs[follower])) and logs[leader][same] == logs[follower][same]:
        same += 1
    if careless and same < min(len(logs[leader]), len(logs[follower])) and random.random() < 0.7:
        same += 1
    if same < len(logs[follower]) and random.random() < 0.5:
        events.append(Event(follower, "truncated", (same + 1,)))
    logs[follower] = logs[follower][:same]
    for entry in logs[leader][same:]:
        logs[follower].append(entry)
        events.append(Event(follower, "appended", (len(logs[follower]), *entry)))
    return events


Entry = tuple[int, str | None] | None


def played(events: list[Event]) -> list[tuple[Event, dict[str, list[Entry]]]]:
    """Each event with all logs after it; an entry that a snapshot holds is None, its last one has no text."""
    logs: dict[str, list[Entry]] = {}
    found = []
    for event in events:
        log = logs.setdefault(event.node, [])
        match event.kind, event.values:
            case "appended", (int(index), int(term), str(entry)):
                logs[event.node] = [*log[: index - 1], (term, entry)]
            case "truncated", (int(index),):
                logs[event.node] = log[: index - 1]
            case "installed", (int(index), int(term)):
                logs[event.node] = [None] * (index - 1) + [(term, None)]
        found.append((event, {name: list(each) for name, each in logs.items()}))
    return found


def one_leader_each(events: list[Event]) -> bool | None:
    led = [(e.values[0], e.node) for e in events if e.kind == "leader"]
    return all(a[0] != b[0] or a[1] == b[1] for a, b in combinations(led, 2)) if led else None


def logs_match(events: list[Event]) -> bool | None:
    """Every log at every time against every other: from the last entry with equal index and term down, all is equal."""
    states = {tuple(log) for _, logs in played(events) for log in logs.values()}
    if not any(e.kind == "appended" for e in events):
        return None
    for one, other in combinations(states, 2):
        for at in range(min(len(one), len(other))):
            a, b = one[at], other[at]
            if a is not None and b is not None and a[0] == b[0] and not all(map(alike, one[: at + 1], other[: at + 1])):
                return False
    return True


def alike(one: Entry, other: Entry) -> bool:
    if one is None or other is None:
        return True
    return one[0] == other[0] and (one[1] == other[1] or one[1] is None or other[1] is None)


def leaders_complete(events: list[Event]) -> bool | None:
    asked, missing = False, False
    committed = [e.values for e in events if e.kind == "committed"]
    for event, logs in played(events):
        if event.kind == "leader":
            for index, entry_term, term in committed:
                if int(term) < int(event.values[0]):
                    asked = True
                    log = logs[event.node]
                    there = int(index) <= len(log) and ((entry := log[int(index) - 1]) is None or entry[0] == entry_term)
                    missing |= not there
    return False if missing else True if asked else None


def machines_agree(events: list[Event]) -> bool | None:
    told = [(e.kind, *e.values[:2]) for e in events if e.kind in ("applied", "committed")]
    return all(a[:2] != b[:2] or a[2] == b[2] for a, b in combinations(told, 2)) if told else None


CASES: dict[str, tuple[Checker, Callable[[list[Event]], bool | None]]] = {
    "one_leader_per_term": (one_leader_per_term, one_leader_each),
    "log_matching": (log_matching, logs_match),
    "leader_completeness": (leader_completeness, leaders_complete),
    "state_machine_safety": (state_machine_safety, machines_agree),
}


def agrees_about_clusters(checker: Checker, judge: Callable[[list[Event]], bool | None], effort: Effort) -> None:
    verdicts = []
    for seed in range(effort.histories):
        events = random_cluster(Random(seed))
        expected = judge(events)
        verdicts.append(expected)
        if verdicts.count(expected) <= effort.singly:
            verdict = checker(emitted(events))
            assert verdict.valid is expected, (verdict, events)
    assert min(verdicts.count(True), verdicts.count(False)) > effort.histories / 50, (
        verdicts.count(True),
        verdicts.count(False),
    )


@pytest.mark.parametrize(("checker", "judge"), CASES.values(), ids=CASES.keys())
def test_agrees_with_the_definition(checker: Checker, judge: Callable[[list[Event]], bool | None]) -> None:
    agrees_about_clusters(checker, judge, FEW)


@pytest.mark.nightly
@pytest.mark.parametrize(("checker", "judge"), CASES.values(), ids=CASES.keys())
def test_agrees_with_the_definition_for_long(checker: Checker, judge: Callable[[list[Event]], bool | None]) -> None:
    agrees_about_clusters(checker, judge, MANY)


def test_where_no_deposed_leader_asked_anything_nothing_is_shown() -> None:
    assert deposed_leaders_refused(emitted(transcript("n1 obeys 1\nn2 obeys 1\nn2 obeys 2"))).valid is None
