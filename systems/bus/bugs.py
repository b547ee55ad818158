"""The known bugs of the bus. Each breaks one rule, which the code asks for by its name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from harness.model.bug import Bug, BugCatalog
from systems.raft.rules import CORRECT as CORRECT_GROUP
from systems.raft.rules import Rules as GroupRules


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules that a correct node keeps. A bug breaks the one that is False."""

    group: GroupRules = field(default=CORRECT_GROUP)
    """The rules of the group that replicates the bus."""
    retries_recognized: bool = True
    """A message that its producer sends again is added only once."""
    partitioned_by_key: bool = True
    """Messages of one key go to one partition, where they keep their order."""
    leases_exclude: bool = True
    """Messages that one consumer has leased go to no other."""
    leases_expire: bool = True
    """Messages that a consumer does not settle are delivered again."""
    settled_when_dealt_with: bool = True
    """Messages are settled when their consumer says so, rather than when they are handed out."""
    leases_settled_whole: bool = True
    """A consumer that settles a lease settles all messages in it."""
    late_settling_refused: bool = True
    """A consumer whose lease has expired settles nothing: another one may have the messages now."""
    kept_for_every_group: bool = True
    """A message is kept until all groups have settled it."""
    places_in_snapshot: bool = True
    published_when_committed: bool = True
    """A message is acknowledged when a majority has it on disk."""


CORRECT: Final = Rules()

BUGS: Final = BugCatalog(
    CORRECT,
    Bug(
        "publishes-twice",
        "the bus adds a message twice if its producer sends it again because no answer came",
        Rules(retries_recognized=False),
        caught_by=("bus/answers_late", "no_duplicates"),
    ),
    Bug(
        "acknowledged-early",
        "the leader acknowledges a message as soon as it has it itself; if it fails, the message is lost",
        Rules(published_when_committed=False),
        caught_by=("bus/leader_isolated", "no_lost_messages"),
    ),
    Bug(
        "scattered",
        "the bus puts messages of one key into different partitions",
        Rules(partitioned_by_key=False),
        caught_by=("bus/healthy", "per_key_order"),
    ),
    Bug(
        "shared-lease",
        "two consumers of a group get the same messages",
        Rules(leases_exclude=False),
        caught_by=("bus/healthy", "availability >= 99%"),
    ),
    Bug(
        "lease-for-good",
        "the bus never delivers again what a consumer took and did not settle",
        Rules(leases_expire=False),
        caught_by=("bus/consumers_lost", "all_settled"),
    ),
    Bug(
        "settled-at-once",
        "the bus settles messages as it hands them out; if the answer is lost, so are they",
        Rules(settled_when_dealt_with=False),
        caught_by=("bus/consumers_lost", "no_lost_messages"),
    ),
    Bug(
        "settles-anothers",
        "a consumer whose lease has expired settles messages that another consumer has now",
        Rules(late_settling_refused=False),
        caught_by=("bus/consumers_slow", "no_lost_messages"),
    ),
    Bug(
        "settles-the-first",
        "of the messages that a consumer took together, the first is settled, and the rest is delivered again",
        Rules(leases_settled_whole=False),
        caught_by=("bus/polled", "no_duplicates"),
    ),
    Bug(
        "one-group-is-enough",
        "the bus discards a message as soon as one group has settled it",
        Rules(kept_for_every_group=False),
        caught_by=("bus/healthy", "no_lost_messages"),
    ),
    Bug(
        "forgets-places",
        "a snapshot holds the messages, but not how far each group has read",
        Rules(places_in_snapshot=False),
        caught_by=("bus/all_killed", "no_duplicates"),
    ),
)
