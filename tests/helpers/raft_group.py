"""A Raft group of cores alone: tests deliver its messages, disks keep what was saved, and everything is recorded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from random import Random

from systems.raft.core.core import Core, Output, Saved
from systems.raft.core.messages import (
    Append,
    Appended,
    CampaignNow,
    Entry,
    Install,
    Installing,
    Members,
    Message,
    PreVote,
    PreVoteAnswer,
    Sent,
    Snapshot,
    Vote,
    VoteAnswer,
    Vows,
)
from systems.raft.core.recovery import Recovery, Told
from systems.raft.core.state import Timing
from systems.raft.invariant import RaftSafety, Shown, fingerprint
from systems.raft.rules import CORRECT, Rules

TIMING = Timing(election_ms=100, heartbeat_ms=20)


class Disk:
    """What a node has saved."""

    def __init__(self, members: Members) -> None:
        self.vows = Vows()
        self.snapshot: Snapshot | None = None
        self.base: tuple[int, int, Members] = (0, 0, members)
        self.entries: list[Entry] = []

    def save(self, output: Output) -> None:
        if output.vows is not None:
            self.vows = output.vows
        if output.installed is not None:
            self.snapshot = output.installed
            self.base = (output.installed.index, output.installed.term, output.installed.members)
            self.entries = []
        if output.entries:
            self.entries = [entry for entry in self.entries if entry.index < output.entries[0].index]
            self.entries += output.entries

    def compact(self, core: Core) -> None:
        log = core.state.log
        self.snapshot = core.state.snapshot
        self.base = (log.base_index, log.base_term, log.members_at(log.base_index))
        self.entries = [entry for entry in self.entries if entry.index > log.base_index]

    def read(self) -> Saved:
        index, term, members = self.base
        return Saved(
            vows=self.vows, snapshot=self.snapshot, base_index=index, base_term=term, base_members=members, entries=self.entries
        )


class Values:
    """What was applied, as a state machine to look at."""

    def __init__(self, values: list[str]) -> None:
        self._values = values

    def check(self, data: str) -> None: ...

    def apply(self, index: int, data: str) -> None:
        self._values.append(data)

    def snapshot(self) -> str:
        return ",".join(self._values)

    def restore(self, data: str) -> None:
        self._values[:] = data.split(",")


class Node:
    """One core with its disk and a state machine that is a list of what was applied."""

    def __init__(
        self, name: str, members: Members, disk: Disk, *, rules: Rules, timing: Timing, seed: int, now_ms: int
    ) -> None:
        self.name = name
        self.disk = disk
        saved = disk.read()
        self.core = Core(
            name, members, random=Random(f"{name} {seed}"), timing=timing, rules=rules, saved=saved, now_ms=now_ms
        )  # fmt: skip
        self.applied = 0
        self.digest = 0
        self.values: list[str] = []
        self.reads: list[int] = []
        if saved.snapshot is not None:
            self.restore(saved.snapshot)

    def restore(self, snapshot: Snapshot) -> None:
        self.applied = snapshot.index
        digest, *self.values = snapshot.data.split(",")
        self.digest = int(digest)

    def apply(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.applied = entry.index
            self.digest = fingerprint(entry, self.digest)
            if entry.data:
                self.values.append(entry.data)

    def snapshot(self, *, keep: int = 0) -> None:
        log = self.core.state.log
        term = log.term(self.applied)
        if term is None or self.applied <= log.base_index:
            return
        data = ",".join([str(self.digest), *self.values])
        self.core.compact(Snapshot(self.applied, term, log.members_at(self.applied), data), keep=keep)
        self.disk.compact(self.core)


class Group:
    """See the module. Nothing happens by itself, only through `deliver`, `drop` and `tick`."""

    def __init__(
        self,
        *names: str,
        spare: Sequence[str] = (),
        rules: Rules = CORRECT,
        timing: Timing = TIMING,
        seed: int = 1,
    ) -> None:
        """`spare` nodes run but are not members yet."""
        self.members = Members(names)
        self.rules, self.timing, self.seed = rules, timing, seed
        self.now_ms = 0
        self.lines: list[str] = []
        self.sent: dict[tuple[str, str], deque[Message]] = {}
        self.cut: set[tuple[str, str]] = set()
        self.disks = {name: Disk(self.members) for name in (*names, *spare)}
        self.nodes: dict[str, Node] = {}
        self.safety = RaftSafety()
        self.checks = True
        for name in self.disks:
            self.start(name)

    # ------------------------------------------------------------------------------------------------------------ what happens

    def start(self, name: str) -> None:
        self.nodes[name] = Node(
            name, self.members, self.disks[name],
            rules=self.rules, timing=self.timing, seed=self.seed + len(self.lines), now_ms=self.now_ms,
        )  # fmt: skip

    def kill(self, name: str) -> None:
        """Everything that it had not saved is lost, and all messages to it."""
        self.say(f"{name} dies")
        del self.nodes[name]
        for pair in [pair for pair in self.sent if pair[1] == name]:
            del self.sent[pair]

    def restart(self, name: str) -> None:
        self.say(f"{name} starts")
        self.start(name)

    def lose_disk(self, name: str) -> bool:
        """A stopped node with a damaged disk asks the others; returns whether it may start again."""
        answers = {other: node.core.tell() for other, node in self.nodes.items() if other != name}
        told: dict[str, Told] = {other: answer for other, answer in answers.items() if answer is not None}
        recovery = Recovery(name, self.members)
        vows = recovery.vows_after(told) or recovery.vows_after(told)
        if vows is None:
            return False
        self.disks[name] = Disk(self.members)
        self.disks[name].vows = vows
        self.restart(name)
        return True

    def tick(self, ms: int, *names: str) -> None:
        """Let this much time pass, in all nodes at once or in some first."""
        self.now_ms += ms
        for name in names or tuple(self.nodes):
            if name in self.nodes:
                self.nodes[name].core.tick(self.now_ms)
                self.settle(name)

    def propose(self, name: str, data: str) -> Entry:
        entry = self.nodes[name].core.propose(self.now_ms, data)
        self.settle(name)
        return entry

    def change(self, name: str, members: Members) -> Entry:
        entry = self.nodes[name].core.change(self.now_ms, members)
        self.settle(name)
        return entry

    def read(self, name: str, number: int) -> None:
        self.nodes[name].core.read(self.now_ms, number)
        self.settle(name)

    def hand_over(self, name: str, target: str) -> None:
        self.nodes[name].core.hand_over(self.now_ms, target)
        self.settle(name)

    def settle(self, name: str) -> None:
        """Do what a node's core asks for, until it asks for nothing."""
        node = self.nodes[name]
        while not (output := node.core.take()).empty:
            self._write_down(name, output)
            node.disk.save(output)
            node.core.saved()
            for sent in output.messages:
                if (name, sent.target) not in self.cut:
                    self.sent.setdefault((name, sent.target), deque()).append(sent.message)
            if output.installed is not None:
                node.restore(output.installed)
            node.apply(output.committed)
            node.reads += [ready.number for ready in output.reads]
        if self.checks:
            why = self.safety.broken(self.shown)
            assert why is None, "\n".join([*self.lines, why])

    @property
    def shown(self) -> dict[str, Shown]:
        """What the nodes that run show to the invariant."""
        return {
            name: Shown(node.core, node.disk.vows, node.applied, node.digest, Values(node.values), self.now_ms)
            for name, node in self.nodes.items()
        }

    # ---------------------------------------------------------------------------------------------------------------- messages

    def deliver_one(self, source: str, target: str, *, at: int = 0, again: bool = False) -> None:
        """Deliver one message, and remove it unless it should come again."""
        waiting = self.sent[source, target]
        message = waiting[at]
        if not again:
            del waiting[at]
        if not waiting:
            del self.sent[source, target]
        if target in self.nodes:
            self.nodes[target].core.step(self.now_ms, source, message)
            self.settle(target)

    def deliver(self, *, to: Sequence[str] = (), limit: int = 1000) -> None:
        """Deliver all messages on their way, to all nodes or to some, and those that follow, until none is left."""
        for _ in range(limit):
            pairs = [pair for pair in self.sent if not to or pair[1] in to]
            if not pairs:
                return
            self.deliver_one(*pairs[0])
        raise AssertionError("they talk without end")

    def drop(self) -> None:
        """Lose all messages on their way."""
        self.sent.clear()

    def partition(self, *sides: Sequence[str]) -> None:
        """From now on, only nodes on the same side reach each other."""
        side = {name: number for number, names in enumerate(sides) for name in names}
        self.cut = {(a, b) for a in self.disks for b in self.disks if side.get(a) != side.get(b)}
        self.sent = {pair: waiting for pair, waiting in self.sent.items() if pair not in self.cut}
        self.say("cut: " + " | ".join(" ".join(names) for names in sides))

    def heal(self) -> None:
        self.cut.clear()
        self.say("healed")

    def run(self, ms: int, *, step_ms: int = 10) -> None:
        """Let time pass, and deliver every message at once."""
        for _ in range(ms // step_ms):
            self.tick(step_ms)
            self.deliver()

    def elect(self, name: str) -> None:
        """Make a node the leader: its election timeout ends first."""
        self.now_ms += 200
        self.nodes[name].core.tick(self.now_ms)
        self.settle(name)
        self.deliver()
        assert self.nodes[name].core.role == "leader", self.transcript()

    @property
    def leader(self) -> str | None:
        """The leader of the latest term."""
        leading = [node for node in self.nodes.values() if node.core.leading is not None]
        return max(leading, key=lambda node: node.core.term).name if leading else None

    # -------------------------------------------------------------------------------------------------------------- transcript

    def say(self, line: str) -> None:
        self.lines.append(line)

    def transcript(self) -> str:
        return "\n".join(self.lines) + "\n"

    def _write_down(self, name: str, output: Output) -> None:
        parts = []
        if output.led is not None:
            parts.append(f"leads term {output.led}")
        if output.vows is not None:
            vote = f", votes for {output.vows.vote}" if output.vows.vote else ""
            parts.append(f"saves term {output.vows.term}{vote}")
        if output.installed is not None:
            parts.append(f"installs a snapshot up to {output.installed.index}/{output.installed.term}")
        if output.entries:
            parts.append("saves " + ", ".join(map(str, output.entries)))
        if output.committed:
            parts.append("applies " + ", ".join(map(str, output.committed)))
        if output.reads:
            parts.append("may answer read " + ", ".join(str(ready.number) for ready in output.reads))
        self.say(f"{name} {'; '.join(parts) or 'sends'}")
        for sent in output.messages:
            self.say(f"  {name}>{sent.target}{' lost' if (name, sent.target) in self.cut else ''}: {described(sent)}")


def described(sent: Sent) -> str:
    """A message in a few words."""
    message, term = sent.message, sent.message.term
    match message:
        case PreVote(last_index=index, last_term=last_term):
            return f"pre-vote? term {term}, log ends {index}/{last_term}"
        case Vote(last_index=index, last_term=last_term, transfer=transfer):
            return f"vote? term {term}, log ends {index}/{last_term}{', asked to by the leader' if transfer else ''}"
        case PreVoteAnswer(granted=granted):
            return f"pre-vote {'granted' if granted else 'refused'}, term {term}"
        case VoteAnswer(granted=granted):
            return f"vote {'granted' if granted else 'refused'}, term {term}"
        case Append(previous_index=index, previous_term=previous, entries=entries, commit=commit, round=round_):
            what = ", ".join(map(str, entries)) or "nothing"
            return f"append after {index}/{previous}: {what}; committed {commit}, round {round_}, term {term}"
        case Appended(accepted=accepted, match=match, round=round_):
            return f"{'has' if accepted else 'refuses, may match'} {match}, round {round_}, term {term}"
        case Install(index=index, entry_term=entry_term, offset=offset, data=data, size=size, round=round_):
            part = "" if len(data) == size else f", {offset} to {offset + len(data)} of {size}"
            return f"snapshot up to {index}/{entry_term}{part}, round {round_}, term {term}"
        case Installing(index=index, offset=offset, round=round_):
            return f"has the snapshot up to {index} as far as {offset}, round {round_}, term {term}"
        case CampaignNow():
            return f"campaign now, term {term}"


def elected(*names: str, leader: str = "n1", timing: Timing = TIMING) -> Group:
    """A group, of three nodes unless others are named, with a leader."""
    group = Group(*(names or ("n1", "n2", "n3")), timing=timing)
    group.elect(leader)
    group.run(20)
    return group
