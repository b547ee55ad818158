"""Small random histories of one register: right ones, spoilt ones, and ones made of noise. Equal times are common."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tests.helpers.search import Op

LATEST = 12


def any_history(random: Random) -> list[Op]:
    """One of the three kinds, up to nine calls, written values unique."""
    return random.choices([right, noise, spoilt], weights=[1, 3, 4])[0](random)


def right(random: Random) -> list[Op]:
    """Calls answered by an atomic register, each at a separate moment between sending and completion."""
    latest = random.choice([4, LATEST, 40])
    moments = sorted(random.randint(0, latest) for _ in range(random.randint(1, 9)))
    ops, holds = [], None
    for number, moment in enumerate(moments):
        sent, done = max(0, moment - random.randint(0, 5)), moment + random.randint(0, 5)
        outcome = random.choice(["ok", "ok", "ok", "ok", "unknown", "failed"])
        if random.random() < 0.4:
            if outcome == "unknown":  # given up at a time that says nothing about when, or whether, it takes effect
                done = random.randint(sent, latest + 5)
            if outcome == "ok" or (outcome == "unknown" and random.random() < 0.7):
                holds = str(number)
            ops.append(Op("write", str(number), sent, done, outcome))
        else:
            answer = holds if outcome == "ok" else random.choice([None, holds, "7"])
            ops.append(Op("read", answer, sent, done, outcome))
    random.shuffle(ops)
    return ops


def spoilt(random: Random) -> list[Op]:
    """A right history with up to four things changed; by chance it may still be right."""
    ops = right(random)
    written = [op.value for op in ops if op.kind == "write"]
    for _ in range(random.randint(1, 4)):
        number = random.randrange(len(ops))
        op, change = ops[number], random.randrange(4)
        if change == 0 and op.kind == "read":
            ops[number] = replace(op, value=random.choice([None, "99", *written]))
        elif change == 1:
            ops[number] = replace(op, outcome=random.choice(["ok", "unknown", "failed"]))
        elif change == 2:
            shift = random.randint(-8, 8)
            ops[number] = replace(op, sent=op.sent + shift, done=op.done + shift)
        else:
            ops[number] = replace(op, done=random.randint(int(op.sent), int(op.done)))
    return ops


def noise(random: Random) -> list[Op]:
    """Calls at random times; reads return a written value, nothing, or a made-up value."""
    latest, longest = random.choice([(3, 3), (LATEST, LATEST), (40, 10)])
    writes = random.randint(0, 4)
    ops = []
    for number in range(random.randint(max(1, writes), 9)):
        sent = random.randint(0, latest)
        done = random.randint(sent, sent + longest)
        outcome = random.choice(["ok", "ok", "ok", "ok", "ok", "unknown", "failed"])
        if number < writes:
            ops.append(Op("write", str(number), sent, done, outcome))
        else:
            value = random.choice([None, *map(str, range(writes)), *map(str, range(writes)), *["99"][: random.random() < 0.1]])
            ops.append(Op("read", value, sent, done, outcome))
    random.shuffle(ops)
    return ops
