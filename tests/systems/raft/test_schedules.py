"""The Raft core under random schedules: the safety properties hold despite lost, late and duplicate messages and restarts."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systems.raft.core.core import NotLeading
from systems.raft.core.messages import Members
from systems.raft.core.state import Timing
from systems.raft.rules import CORRECT, Rules
from tests.helpers.effort import cases
from tests.helpers.raft_group import Group

ACTS = ("propose", "read", "kill", "cut", "snapshot", "members", "hand over", "repeat", "drop", "lose disk")


def misadventure(random: Random, steps: int, rules: Rules = CORRECT, *, checks: bool = True) -> Group:
    """A group of three or five and two spare nodes, to which everything happens that may."""
    names = [f"n{number}" for number in range(1, random.choice((3, 3, 5)) + 1)]
    batch, piece, in_flight_bytes = random.choice((1, 3, 256)), random.choice((1, 7, 4096)), random.choice((4, 4096))
    timing = Timing(election_ms=100, heartbeat_ms=20, batch=batch, piece=piece, in_flight_bytes=in_flight_bytes)
    group = Group(*names, spare=["s1", "s2"], rules=rules, timing=timing, seed=random.randrange(1 << 30))
    group.checks = checks
    all_names = [*names, "s1", "s2"]
    if random.random() < 0.7:
        group.elect(random.choice(names))
    weights = {act: random.choice((0, 1, 4)) for act in ACTS} | {"deliver": 40, "tick": 6, "start": 2, "heal": 1}
    for number, act in enumerate(random.choices(list(weights), list(weights.values()), k=steps)):
        name = random.choice(all_names)
        node = group.nodes.get(name)
        pairs = list(group.sent)
        match act:
            case "deliver" | "repeat" if pairs:
                pair = random.choice(pairs)
                at = 0 if random.random() < 0.8 else random.randrange(len(group.sent[pair]))
                group.deliver_one(*pair, at=at, again=act == "repeat")
            case "drop" if pairs:
                group.sent[random.choice(pairs)].clear()
                group.sent = {pair: waiting for pair, waiting in group.sent.items() if waiting}
            case "tick":
                group.tick(random.choice((5, 10, 40)), *random.sample(all_names, random.randint(1, len(all_names))))
            case "propose" | "read" | "members" | "hand over" if node is not None and node.core.leading is not None:
                with contextlib.suppress(NotLeading, ValueError):  # it says why it cannot now
                    ask(group, name, act, number, random)
            case "kill" if node is not None:
                group.kill(name)
            case "start" if node is None:
                group.restart(name)
            case "lose disk" if node is None:
                group.lose_disk(name)
            case "cut":
                some = random.sample(all_names, random.randint(1, len(all_names) - 1))
                group.partition(some, [one for one in all_names if one not in some])
            case "heal":
                group.heal()
            case "snapshot" if node is not None:
                node.snapshot(keep=random.choice((0, 0, 3)))
    return group


def ask(group: Group, name: str, act: str, number: int, random: Random) -> None:
    members = group.nodes[name].core.members
    match act:
        case "propose":
            group.propose(name, f"x{number}")
        case "read":
            group.read(name, number)
        case "hand over":
            group.hand_over(name, random.choice(members.voters))
        case _:
            outside = [one for one in group.disks if one not in members.all]
            if outside and random.random() < 0.5:
                group.change(name, Members(members.voters, (*members.learners, random.choice(outside))))
            elif len(members.voters) > 1:
                leaves = random.choice(members.voters)
                group.change(name, Members(tuple(one for one in members.voters if one != leaves), members.learners))


@given(seed=st.integers(0, 1 << 40))
@settings(max_examples=cases(40), deadline=None)
def test_no_schedule_breaks_a_safety_property(seed: int) -> None:
    misadventure(Random(seed), 250)


@given(seed=st.integers(0, 1 << 40))
@settings(max_examples=cases(6), deadline=None)
def test_a_group_that_is_left_alone_after_that_agrees_about_everything(seed: int) -> None:
    group = misadventure(Random(seed), 200)
    for name in group.disks:
        if name not in group.nodes:
            group.restart(name)
    group.heal()
    group.run(1500)
    leader = group.leader
    assert leader is not None, group.transcript()
    group.propose(leader, "last")
    group.read(leader, -1)
    group.run(300)
    assert -1 in group.nodes[leader].reads
    members = group.nodes[leader].core.members
    assert not members.learners
    assert group.safety.apart(group.shown) is None
    held = {name: (group.nodes[name].applied, group.nodes[name].values) for name in members.voters}
    assert all(one == held[leader] for one in held.values()), held
    assert held[leader][1][-1] == "last"


@pytest.mark.nightly
@pytest.mark.parametrize(
    "rule",
    [
        "majority_is_more_than_half",
        "votes_need_current_log",
        "old_terms_refused",
        "gaps_refused",
        "conflicts_truncated",
        "commit_ends_with_what_was_checked",
        "one_change_at_a_time",
    ],
)
def test_each_broken_rule_is_found_out_by_some_schedule(rule: str) -> None:
    """Check-quorum keeps an old leader from doing harm in the drills: that its entries are refused is shown here alone."""
    rules = replace(CORRECT, **{rule: False})
    with pytest.raises(AssertionError):
        for seed in range(20_000):
            misadventure(Random(seed), 300, rules)
