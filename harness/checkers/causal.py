"""Check that what clients see respects cause and effect."""

from __future__ import annotations

from typing import Final

import numpy as np

from harness.checkers._causality import Clocks, TooMany, clocks, latest_known
from harness.checkers._cycles import first_cycle
from harness.checkers._sessions import INITIAL, Overlapping, Sessions, Story, sessions
from harness.checkers._timeline import Integers
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import READ, WRITE

KINDS: Final = (READ, WRITE)


def causal(history: History) -> Verdict:
    """No client reads a value that, by what it and others did and read before, it can know to have been replaced.

    Judges `read` and `write` calls on registers whose values differ; a client is a session that makes one call at a time. One
    call comes before another in causal order if it was made earlier by the same client, or if it wrote what the other one
    read, or through others in between. Time does not count. A history is causally consistent exactly if it has none of four
    bad patterns:

    - ThinAirRead: a read of a value that was never written;
    - CyclicCO: a call that comes before itself;
    - WriteCOInitRead: a read of the initial value after a write of the key;
    - WriteCORead: a read of a value after another write of the key that itself comes after the one that was read.

    Writes of which neither comes before the other may be read in any order, even alternately: `causal_convergence` asks for
    more.

    O(n · clients · log n), and as much memory: unknown beyond two gigabytes. The patterns are those of A. Bouajjani, C. Enea,
    R. Guerraoui, J. Hamza, "On Verifying Causal Consistency", POPL 2017 (there called CC).
    """
    try:
        found = sessions(history)
        story = Story(history, found)
        if (first := story.first_of_causes()) is not None:
            return first
        order = clocks(found)
    except (Overlapping, TooMany) as error:
        return Verdict(valid=None, why=str(error))
    return cyclic(found, story) if order is None else replaced(found, order, story) or story.valid("causally consistent")


def cyclic(found: Sessions, story: Story) -> Verdict:
    """CyclicCO."""
    cycle = first_cycle(len(found.row), *found.edges())
    assert cycle is not None  # noqa: S101 - only calls on a cycle have no clocks
    return story.cycle("causally consistent", *cycle)


def replaced(found: Sessions, order: Clocks, story: Story) -> Verdict | None:
    """WriteCOInitRead and WriteCORead; None if there is neither."""
    reads = np.flatnonzero(~found.write)
    place, newer = latest_known(found, order, reads)
    source: Integers = found.source[reads[place]]
    initial = np.flatnonzero(source == INITIAL)
    if initial.size:
        at = initial[0]
        number = np.unique(place[initial]).size
        return story.initial("causally consistent", number, int(newer[at]), int(reads[place[at]]))
    apart = np.flatnonzero((source >= 0) & (source != newer))
    wrong = apart[order.before(source[apart], newer[apart])]
    if not wrong.size:
        return None
    read, older, late = (int(each[wrong[0]]) for each in (reads[place], source, newer))
    return Verdict(
        valid=False,
        why=f"{count(np.unique(place[wrong]).size, 'read')} of what had been replaced: {story.call(read)}, though it comes"
        f" after {story.call(late)}, which comes after {story.call(older)}",
        ops=story.rows([read, older, late]),
    )


def applies(history: History) -> bool:
    """Never by itself: `linearizable` is chosen for registers, and checks more."""
    return False
