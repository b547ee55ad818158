"""Check that sets keep what was added to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from harness.checkers._calls import NEVER, Mixed, NotArrays, as_elements, calls, elements, ends_ns, on_keys_with
from harness.checkers._timeline import Booleans, Integers
from harness.checkers._wording import count, listed
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import ADD, DELETE, READ, REMOVE

KINDS: Final = (ADD, REMOVE)


def set_full(history: History) -> Verdict:
    """Elements of a set stay in it once they are known to be there, and only what was added is in it.

    Judges `add`, `remove`, `delete` and `read` calls on keys that are added to; a read answers all elements as a JSON array. An
    element is known from when its add was acknowledged or a read had shown it, whichever was sooner. It is

    - **lost** if a read that was sent after that lacks it, and no read that shows it was done after that read was sent;
    - **stale** if a read that was sent after that lacks it, and it is seen again: allowed, and reported with its duration;
    - **resurrected** if a read shows it that was sent after a remove of it was acknowledged;
    - **unexpected** if a read shows it that was done before any add of it was sent, or of which every add had failed;
    - **duplicated** if a read shows it twice.

    Lost, resurrected, unexpected and duplicated elements make a history invalid; an acknowledged one that no read could
    have shown afterwards makes it unknown. An element that is removed counts as there until its first remove was sent, and
    as gone only if all its adds were acknowledged before that. A `delete` empties a set of what its client has seen, so
    only elements that were added after every delete of their set was over can be lost. Calls whose times touch are
    concurrent. A set that other calls may have changed, such as a write, is not judged: unknown, if no other is wrong.
    Whether the reads agree with one order of all calls is for `linearizable` to judge.

    O(m log m) for m elements in all reads together. After Jepsen's checker "set-full".
    """
    adds = calls(history, [ADD], ("ok", "unknown"))
    tried = calls(history, [ADD], ("ok", "unknown", "failed"))
    reads = calls(history, [READ])
    reads = reads[reads["key"].isin(tried["key"].unique()).to_numpy(dtype=bool)].sort_values("sent_ns", kind="stable")
    if reads.empty:
        return Verdict(valid=None, why="no read of a set was answered")
    mixed = Mixed.of(history.ops, (*KINDS, DELETE, READ), reads["key"])
    removes, deletes = (calls(history, [kind], ("ok", "unknown")) for kind in (REMOVE, DELETE))
    adds, removes, deletes, reads = (mixed.without(found) for found in (adds, removes, deletes, reads))
    if reads.empty:
        return mixed.verdict()
    try:
        found = _Elements.of(adds, removes, deletes, reads)
    except NotArrays as error:
        return Verdict(valid=None, why=str(error))
    wrong = [
        ("lost", found.lost, "at some time known to be there, gone in the end"),
        ("resurrected", found.resurrected, "there again after an acknowledged remove"),
        ("unexpected", found.unexpected, "never added, or not yet"),
        ("duplicated", found.duplicated, "twice in one read"),
    ]
    parts = [found.sentence(name, which, what) for name, which, what in wrong if which.any()]
    if parts:
        which = np.logical_or.reduce([which for _, which, _ in wrong])
        return Verdict(valid=False, why="; ".join(parts), ops=found.ops(which))
    if mixed.keys:
        return mixed.verdict()
    if found.unread.any():
        names = found.named(found.unread)
        return Verdict(
            valid=None, why=f"{count(len(names), 'acknowledged element')} of which no later read tells: {listed(names)}"
        )
    return Verdict(valid=True, why=f"{count(len(found.known_ns), 'element')} in {count(len(reads), 'read')}{found.staleness()}")


@dataclass(frozen=True, kw_only=True)
class _Elements:
    """One position per element of a set; times in ns, `NEVER` for what did not happen."""

    names: pd.DataFrame
    known_ns: Integers
    lost: Booleans
    resurrected: Booleans
    unexpected: Booleans
    duplicated: Booleans
    unread: Booleans
    stale_ns: Integers
    """How long after it was known a read was sent that lacks it; 0 if none."""
    shown: pd.DataFrame
    """A row an element in a read."""
    adds: pd.DataFrame
    reads: pd.DataFrame
    blind: Integers
    """For each element the position of the last read that lacks it though it was known, -1 if none does."""

    @classmethod
    def of(cls, adds: pd.DataFrame, removes: pd.DataFrame, deletes: pd.DataFrame, reads: pd.DataFrame) -> _Elements:
        adds, removes = (found.assign(value=as_elements(found["value"])) for found in (adds, removes))
        owner, _, texts = elements(reads)
        shown = pd.DataFrame({"read": owner, "key": reads["key"].to_numpy()[owner], "value": pd.array(texts, dtype="string")})
        both = pd.concat([adds[["key", "value"]], removes[["key", "value"]], shown[["key", "value"]]])
        element = both.groupby(["key", "value"], sort=False, dropna=False).ngroup().to_numpy()
        names = both[~both.duplicated()].reset_index(drop=True)
        parts = np.split(element, [len(adds), len(adds) + len(removes)])
        adds = adds.assign(element=parts[0], ends_ns=ends_ns(adds))
        removes = removes.assign(element=parts[1], ends_ns=ends_ns(removes))
        shown = shown.assign(element=parts[2], sent=reads["sent_ns"].to_numpy()[owner], done=reads["done_ns"].to_numpy()[owner])
        return cls._judged(names, adds, removes, deletes, reads, shown)

    @classmethod
    def _judged(
        cls,
        names: pd.DataFrame,
        adds: pd.DataFrame,
        removes: pd.DataFrame,
        deletes: pd.DataFrame,
        reads: pd.DataFrame,
        shown: pd.DataFrame,
    ) -> _Elements:
        total = len(names)
        acked_ns = _least(adds["ends_ns"], adds["element"], total)
        known_ns = np.minimum(acked_ns, _least(shown["done"], shown["element"], total))
        removing_ns = _least(removes["sent_ns"], removes["element"], total)
        removed_ns = _least(removes["ends_ns"], removes["element"], total)
        last_add_ns = -_least(-adds["ends_ns"], adds["element"], total)
        added_ns = _least(adds["sent_ns"], adds["element"], total)
        gone_ns = np.where(last_add_ns < removing_ns, removed_ns, NEVER)
        leaving_ns = np.where(_deleted(names["key"], added_ns, deletes), -NEVER, removing_ns)
        set_of = _Reads(names["key"], reads)
        late, blind = set_of.lacking(known_ns, leaving_ns, shown)
        last_seen_ns = -_least(-shown["done"], shown["element"], total)
        lost = late & (last_seen_ns < set_of.sent_ns(blind))
        which = shown["element"].to_numpy()
        return cls(
            names=names,
            known_ns=known_ns,
            lost=lost,
            resurrected=_any(which, shown["sent"].to_numpy() > gone_ns[which], total),
            unexpected=_any(which, shown["done"].to_numpy() < added_ns[which], total),
            duplicated=_any(which, shown.duplicated(["read", "element"]).to_numpy(dtype=bool), total),
            unread=(acked_ns < NEVER) & (leaving_ns == NEVER) & (set_of.last_sent_ns <= known_ns),
            stale_ns=np.where(late & ~lost, set_of.sent_ns(blind) - known_ns, 0),
            shown=shown,
            adds=adds,
            reads=reads,
            blind=np.where(late, blind, -1),
        )

    def named(self, which: Booleans) -> list[str]:
        """The elements' texts."""
        return ["null" if pd.isna(value) else str(value) for value in self.names["value"][which]]

    def sentence(self, name: str, which: Booleans, what: str) -> str:
        first = int(np.flatnonzero(which)[0])
        where = f"in {self.names['key'].iloc[first]}"
        when = ""
        if name == "lost":
            read = self.reads.iloc[self.blind[first]]
            known, missing = (f"{at_ns / 1e9:.3f} s" for at_ns in (self.known_ns[first], read["sent_ns"]))
            when = f", known by {known}, missing in a read at {missing} (op {read.name})"
        return f"{count(int(which.sum()), 'element')} {name} ({what}): {listed(self.named(which))}; the first {where}{when}"

    def ops(self, which: Booleans) -> tuple[int, ...]:
        """The adds of the first such elements, the read that lacks a lost one, and the last read that shows another."""
        chosen = np.flatnonzero(which)[:5]
        rows = {int(op) for op in self.adds.index[self.adds["element"].isin(chosen).to_numpy(dtype=bool)]}
        for element in chosen:
            read = int(self.blind[element])
            if not self.lost[element]:
                read = int(self.shown["read"][(self.shown["element"] == element).to_numpy(dtype=bool)].iloc[-1])
            rows.add(int(self.reads.index[read]))
        return tuple(sorted(rows))

    def staleness(self) -> str:
        stale = self.stale_ns > 0
        if not stale.any():
            return ", none ever missing once it was known"
        return f"; {count(int(stale.sum()), 'element')} stale, for up to {self.stale_ns.max() / 1e9:.3f} s"


class _Reads:
    """The reads of each element's set, in the order in which they were sent."""

    def __init__(self, keys: pd.Series, reads: pd.DataFrame) -> None:
        number, _ = pd.factorize(pd.concat([reads["key"], keys]), use_na_sentinel=False)
        of_reads, of_elements = number[: len(reads)], number[len(reads) :]
        self._order = np.argsort(of_reads, kind="stable")
        self._sent = reads["sent_ns"].to_numpy()[self._order]
        self._done = reads["done_ns"].to_numpy()[self._order]
        self._begin = np.searchsorted(of_reads[self._order], of_elements, side="left")
        self._end = np.searchsorted(of_reads[self._order], of_elements, side="right")
        self._place = np.empty(len(reads), dtype=np.int64)
        self._place[self._order] = np.arange(len(reads))
        some = self._end > self._begin
        self.last_sent_ns = np.where(some, self._sent[np.maximum(self._end - 1, 0)], -NEVER)

    def sent_ns(self, read: Integers) -> Integers:
        sent: Integers = self._sent[self._place[read]]
        return sent

    def lacking(self, known_ns: Integers, removing_ns: Integers, shown: pd.DataFrame) -> tuple[Booleans, Integers]:
        """For each element whether a read sent after it was known, and done before it was removed, lacks it; the last one."""
        each = shown.drop_duplicates(["read", "element"])
        element, place = each["element"].to_numpy(), self._place[each["read"].to_numpy()]
        order = np.lexsort((place, element))
        element, place = element[order], place[order]
        ends = np.searchsorted(element, np.arange(len(known_ns)), side="right")
        # Counted from the end: an element that the last three reads show has its last three places in a row.
        from_end = ends[element] - np.arange(len(element))
        in_a_row = place + from_end == self._end[element]
        trailing = np.bincount(element[in_a_row], minlength=len(known_ns))
        last = self._end - 1 - trailing
        kept = removing_ns == NEVER
        for removed in np.flatnonzero(~kept & (known_ns < NEVER)):
            seen = set(place[element == removed].tolist())
            places = range(int(self._begin[removed]), int(self._end[removed]))
            lacking = [at for at in places if self._done[at] < removing_ns[removed] and at not in seen]
            last[removed] = max(lacking, default=-1)
        there = last >= self._begin
        late = there & (self._sent[np.maximum(last, 0)] > known_ns)
        return late, self._order[np.maximum(last, 0)]


def _deleted(keys: pd.Series, added_ns: Integers, deletes: pd.DataFrame) -> Booleans:
    """Which elements a delete of their set may have seen: one that was not over when their add was sent."""
    over = deletes.assign(key=deletes["key"].fillna(""), ends_ns=ends_ns(deletes)).groupby("key")["ends_ns"].max().to_dict()
    last_ns = np.array([over.get(key, -NEVER) for key in keys.fillna("").array], dtype=np.int64)
    deleted: Booleans = last_ns >= added_ns
    return deleted


def _least(values: pd.Series, element: pd.Series, total: int) -> Integers:
    """The least value of each element; `NEVER` if it has none."""
    least = np.full(total, NEVER)
    np.minimum.at(least, element.to_numpy(), values.to_numpy())
    return least


def _any(element: Integers, true: Booleans, total: int) -> Booleans:
    found: Booleans = np.bincount(element[true], minlength=total) > 0
    return found


def judges(ops: pd.DataFrame) -> pd.Series[bool]:
    """The calls on sets."""
    return on_keys_with(ops, (ADD, REMOVE), READ, DELETE)


def applies(history: History) -> bool:
    """Whether sets were added to, and read."""
    adds, reads = calls(history, [ADD], ("ok", "unknown", "failed")), calls(history, [READ])
    return bool(reads["key"].isin(adds["key"].unique()).any())
