"""Check that every object behaves as if it did one thing at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from harness.checkers._calls import spelled
from harness.checkers._objects import Judged, judge
from harness.checkers._registers import Found, contradictions, registers
from harness.checkers._search.problem import Numbers
from harness.checkers._search.rounds import MOST_EXPLORED
from harness.checkers._transactions.reading import KIND as TXN
from harness.checkers._transactions.reading import changed_by_transactions
from harness.checkers._wording import count, listed
from harness.checkers._zones import INITIAL, Booleans, Integers
from harness.model import objects
from harness.model.history import History
from harness.model.object_model import Model
from harness.model.objects.register import Register
from harness.model.verdict import Checker, Verdict
from harness.model.vocabulary import ADD, DELETE, ELSEWHERE, REMOVE

KINDS: Final = tuple(sorted({kind for name in objects.names() for kind in objects.named(name).kinds}))

_BY_DEFAULT: Final = ("register", "log", "text")
"""Objects of which nothing less than this is usually promised."""
_PLAIN: Final = frozenset({"read", "write"})
_BLIND: Final = ("write", "delete", "append", "increment", "decrement", "add", "remove", "enqueue")
"""Calls whose answer says nothing about what was there."""
_MOST_EXPLORED: Final = 3 * MOST_EXPLORED
_CALLS_AT_ONCE: Final = 500_000
"""Judging this many calls at once takes some 120 MB."""


def linearizable(history: History) -> Verdict:
    """Each call of an object seems to take effect at one moment between its call and its answer.

    Each key is an object, judged by itself (the whole is linearizable if each object is: M. Herlihy and J. Wing,
    "Linearizability", ACM TOPLAS 12(3), 1990, section 3.1). What an object is follows from the kinds of its calls: the model
    in `harness.model.objects` that knows them all. `linearizable_as` judges by a model of your choice.

    A failed call had no effect. A call of unknown outcome takes effect at any time after it was sent, or never. Calls whose
    times touch are concurrent. Calls of other kinds, which no model knows, may have changed their keys in any way: without an
    order, such a key is undecided.

    Registers that are read and written, with no value written twice, are judged in O(n log n): `harness.checkers._zones`. For
    everything else an order is searched for (J. Wing and C. Gong, "Testing and Verifying Concurrent Objects", JPDC 17, 1993),
    return by return, remembering the configurations already seen (G. Lowe, "Testing for linearizability", Concurrency and
    Computation 29(4), 2017): at worst exponential in the number of calls in flight. So the search covers at most 20 million
    configurations per key and 60 million in all (500,000 and 1.5 million without the compiled search), and keeps at most
    256 MB of them; beyond that the verdict is unknown and says how far the search got.

    An invalid verdict names the first contradiction: everything done before it has an order. `ops` are the calls that it
    consists of, none of which can be left out.
    """
    return _verdict(history, None)


def unasked() -> Checker:
    """The same check, of those objects alone of which nothing less is usually promised: registers, logs and texts.

    A counter or a set beside a register is judged as it would be alone.
    """

    def linearizable(history: History) -> Verdict:
        return _verdict(history, None, _by_default(history.ops))

    linearizable.__doc__ = _verdict.__doc__
    return linearizable


def linearizable_as(model: Model) -> Checker:
    """The same check, with all keys judged by this model."""

    def linearizable(history: History) -> Verdict:
        return _verdict(history, model)

    linearizable.__doc__ = _verdict.__doc__
    return linearizable


def _verdict(history: History, model: Model | None, chosen: Booleans | None = None) -> Verdict:
    """Each call of an object seems to take effect at one moment between its call and its answer."""
    ops = history.ops
    known = _is_of(ops, KINDS if model is None else model.kinds)
    if chosen is not None:
        known &= chosen
    answered = known & (ops["outcome"] == "ok").to_numpy(dtype=bool)
    if not (answered & ~_is_of(ops, _BLIND)).any():
        if (known & ~_is_of(ops, ("read", "write"))).any():
            return Verdict(valid=None, why="no call was answered that could show an order")
        return Verdict(valid=None, why="no read was answered, so nothing could show the order of the writes")
    effect = (ops["outcome"] != "failed").to_numpy(dtype=bool)
    other = effect & ~known & ~_is_of(ops, ELSEWHERE)
    parts = _Parts(ops, known & effect)
    changed_otherwise = parts.keys_of(other) | changed_by_transactions(ops, parts.names)
    models = _models(parts.kinds, model)
    plain = np.array([those <= _PLAIN and _is_register(models[those]) for those in parts.kinds], dtype=bool)[parts.kinds_of]
    write = _is_of(ops, ("write",))
    undecided: list[str] = []
    left, first = _MOST_EXPLORED, None
    found: list[Found] = []
    keys: list[str] = []
    for rows, key in parts:
        value, _ = pd.factorize(spelled(ops["value"].iloc[rows]))  # null becomes -1
        written = write[rows]
        quick = plain & ~changed_otherwise & ~_written_again(key[written], value[written], len(plain))
        mine = slice(None) if quick.all() else quick[key]  # usually there is nothing to copy
        of_part, names = contradictions(ops, registers(ops, rows[mine], key[mine], value[mine], parts.names))
        found += of_part
        keys += names
        for number, searched in _by_key(rows, key, ~quick).items():
            name, those = str(parts.names[number]), parts.kinds[parts.kinds_of[number]]
            if not models[those]:
                undecided.append(f"key {name} ({_without_model(those)})")
                continue
            judged = _judged(ops, name, searched, models[those], left)
            left -= judged.explored
            if judged.by_ns is not None and changed_otherwise[number]:
                kinds = ", ".join(parts.kinds_among(other, number)) or TXN
                undecided.append(f"key {name} (its calls have no order, but what {kinds} did to it is not known here)")
            elif judged.by_ns is not None:
                keys.append(name)
                first = min(first or judged, judged, key=lambda of: of.by_ns or 0)
            if judged.undecided is not None:
                undecided.append(judged.undecided)
    if first is not None and first.tell is not None:
        found.append(first.tell())
    registers_only = model is None and set(keys) <= set(map(str, parts.names[plain]))
    if found and registers_only and _reads_only_lists(ops[parts.calls_of(plain) & parts.counts]):
        return Verdict(valid=None, why="every read found a list or a map, and none was written, so this is no register")
    if found:
        by_ns, why, told = min(found)
        more = f" ({count(len(keys), 'key')} contradict themselves)" if len(keys) > 1 else ""
        return Verdict(valid=False, why=why + more, ops=told, explained_until_ns=by_ns)
    if undecided:
        return Verdict(valid=None, why=f"undecided: {listed(sorted(undecided))}")
    return Verdict(valid=True, why=f"one order in time explains all of {_told(ops, parts.counts, parts.keys)}")


def _judged(ops: pd.DataFrame, key: str, rows: Integers, models: Sequence[Model], left: int) -> Judged:
    """Judge one key: it contradicts itself only if it does by each of the models that it may be of."""
    first, *others = models
    found = judge(ops, key, rows, first, min(MOST_EXPLORED, left))
    for model in others:
        if found.by_ns is None:
            break
        explored = found.explored
        again = judge(ops, key, rows, model, max(0, min(MOST_EXPLORED, left - explored)))
        found = replace(again if again.by_ns is None and not again.malformed else found, explored=explored + again.explored)
    return found


class _Parts:
    """The calls that count, in parts small enough for memory: each holds all calls of some keys."""

    def __init__(self, ops: pd.DataFrame, counts: Booleans) -> None:
        self.counts = counts
        key, names = pd.factorize(ops["key"], use_na_sentinel=False)
        self._key = key.astype(np.int32)
        del key
        self.names = names
        self._kind = ops["kind"]
        there = self._kinds(ops["kind"])
        distinct, number = np.unique(there, axis=0, return_inverse=True)
        kinds = ops["kind"].cat.categories.astype(str).to_numpy()
        self.kinds = [frozenset(kinds[those].tolist()) for those in distinct]
        """Each set of kinds that the calls of some key have."""
        self.kinds_of = number.reshape(-1).astype(np.int32)
        """By key, the index of its set in `kinds`."""
        calls = np.bincount(self._key[counts], minlength=len(names))
        self.keys = int(np.count_nonzero(calls))
        """The number of keys with a call that counts."""
        self._part = ((np.cumsum(calls) - calls) // _CALLS_AT_ONCE).astype(np.int32)

    def __iter__(self) -> Iterator[tuple[Integers, Numbers]]:
        """Rows of `history.ops`, and the number of each one's key."""
        part = self._part[self._key]
        for number in range(int(self._part.max(initial=-1)) + 1):
            rows = np.flatnonzero(self.counts & (part == number))
            yield rows, self._key[rows]

    def keys_of(self, calls: Booleans) -> Booleans:
        """A mask of the keys of these calls."""
        found = np.zeros(len(self.names), dtype=bool)
        found[self._key[calls]] = True
        return found

    def calls_of(self, keys: Booleans) -> Booleans:
        """A mask of the calls of these keys."""
        found: Booleans = keys[self._key]
        return found

    def kinds_among(self, calls: Booleans, key: int) -> list[str]:
        """The kinds of this key's calls among `calls`."""
        return sorted(self._kind[calls & (self._key == key)].astype(str).unique())

    def _kinds(self, kind: pd.Series) -> Booleans:
        """A mask shaped (keys, kinds): whether a key has calls of a kind."""
        codes = kind.cat.codes.to_numpy()
        there = np.zeros((len(self.names), len(kind.cat.categories)), dtype=bool)
        for begin in range(0, len(codes), _CALLS_AT_ONCE):
            rows = begin + np.flatnonzero(self.counts[begin : begin + _CALLS_AT_ONCE])
            there[self._key[rows], codes[rows]] = True
        return there


def _by_default(ops: pd.DataFrame) -> Booleans:
    """A mask of the calls on keys that may be registers, logs or texts, or of which no model knows all calls."""
    kinds = {kind for name in _BY_DEFAULT for kind in objects.named(name).kinds}
    known = _is_of(ops, KINDS)
    if not (known & ~_is_of(ops, kinds)).any():
        return np.ones(len(ops), dtype=bool)
    parts = _Parts(ops, known & (ops["outcome"] != "failed").to_numpy(dtype=bool))
    models = [set(objects.that_know(_without_deletes_of_sets(those))) for those in parts.kinds]
    return parts.calls_of(np.array([not there or bool(there & set(_BY_DEFAULT)) for there in models])[parts.kinds_of])


def _without_deletes_of_sets(kinds: frozenset[str]) -> frozenset[str]:
    """These kinds without the deletes that `set_full` judges: no model of a set knows them."""
    return kinds - {DELETE} if kinds & {ADD, REMOVE} else kinds


def _is_of(ops: pd.DataFrame, kinds: Collection[str]) -> Booleans:
    kind = ops["kind"].cat  # a look at each category is much cheaper than one at each call
    is_of = np.array([name in kinds for name in kind.categories] + [False], dtype=bool)  # False: of no kind
    return is_of[kind.codes.to_numpy()]


def _models(kinds: list[frozenset[str]], model: Model | None) -> dict[frozenset[str], tuple[Model, ...]]:
    """The models that keys with calls of these kinds may be of; none if there is none, or several that disagree.

    If one model knows the calls of all keys, it may be that of each; or a key is what its own calls suggest.
    """
    if model is not None:
        return dict.fromkeys(kinds, (model,))
    every = _first_that_knows(frozenset().union(*kinds))
    found = {those: every if those == {"read"} else (*every, *_first_that_knows(those)) for those in set(kinds)}
    return {those: models[:1] if len({*map(type, models)}) == 1 else models for those, models in found.items()}


def _first_that_knows(kinds: frozenset[str]) -> tuple[Model, ...]:
    return tuple(objects.that_know(kinds).values())[:1]


def _is_register(models: Sequence[Model]) -> bool:
    return bool(models) and type(models[0]) is Register


def _without_model(kinds: frozenset[str]) -> str:
    if kinds == {"read"}:
        return "which is only read, so it may be any of the kinds of objects here"
    return f"no model knows all of {', '.join(sorted(kinds))}"


def _reads_only_lists(ops: pd.DataFrame) -> bool:
    """Whether all that these reads found are arrays or objects in JSON, and nothing that was written is: a register holds what
    was written to it, so the reads are of something else, such as of all rows of a table."""
    sure = (ops["outcome"] == "ok") | ((ops["outcome"] == "unknown") & (ops["kind"] == "write"))
    told = ops[(ops["value"].notna() & sure).to_numpy(dtype=bool)]
    structured = told["value"].str.startswith(("[", "{")).to_numpy(dtype=bool)
    read = (told["kind"] == "read").to_numpy(dtype=bool)
    return bool(read.any() and not read.all() and structured[read].all() and not structured[~read].any())


def _written_again(key: Numbers, value: Integers, keys: int) -> Booleans:
    """For each of `keys` keys whether a write may repeat another one's value, or write null, which the key holds at first.

    `value` numbers the values; null is -1.
    """
    twice = pd.Series(key * (value.max(initial=INITIAL) + 2) + value).duplicated().to_numpy()
    again = np.zeros(keys, dtype=bool)
    again[key[twice | (value < 0)]] = True
    return again


def _by_key(rows: Integers, key: Numbers, chosen: Booleans) -> dict[int, Integers]:
    """The rows of each of the chosen keys."""
    mine = chosen[key]
    rows, key = rows[mine], key[mine]
    order = np.argsort(key, kind="stable")
    keys, begins = np.unique(key[order], return_index=True)
    return dict(zip(keys.tolist(), np.split(rows[order], begins[1:]), strict=True)) if len(keys) else {}


def _told(ops: pd.DataFrame, counts: Booleans, keys: int) -> str:
    names, codes = ops["kind"].cat.categories.astype(str).to_numpy(), ops["kind"].cat.codes.to_numpy()
    by_kind = dict(zip(names.tolist(), np.bincount(codes[counts], minlength=len(names)).tolist(), strict=True))
    if {kind for kind, calls in by_kind.items() if calls} <= _PLAIN:
        reads = counts & _is_of(ops, ("read",)) & (ops["outcome"] == "ok").to_numpy(dtype=bool)
        return f"{count(int(reads.sum()), 'read')} and {count(by_kind.get('write', 0), 'write')} on {count(keys, 'key')}"
    calls, kinds = int(counts.sum()), sorted(kind for kind, calls in by_kind.items() if calls)
    return f"{count(calls, 'call')} ({', '.join(kinds)}) on {count(keys, 'key')}"


def judges(ops: pd.DataFrame) -> pd.Series[bool]:
    """The calls on objects that are judged unasked."""
    return pd.Series(_is_of(ops, KINDS) & _by_default(ops), index=ops.index)


def applies(history: History) -> bool:
    """Whether there are registers, logs or texts."""
    kinds = _without_deletes_of_sets(frozenset(str(kind) for kind in history.ops["kind"].unique() if kind in KINDS))
    if "read" in kinds and len(kinds) > 1:
        kinds -= {"read"}
    return any(kinds & objects.named(name).kinds for name in _BY_DEFAULT)
