"""Small random histories of objects of every kind: right ones, spoilt ones, and ones made of noise. Equal times are common."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from random import Random

from harness.model import objects
from harness.model.object_model import REFUSED, Call, Refused, State

LATEST = 12
OUTCOMES = ["ok", "ok", "ok", "ok", "ok", "unknown", "failed"]


@dataclass(frozen=True)
class Op:
    """One call as it is recorded, and its times and outcome."""

    call: Call
    sent: int
    done: int
    outcome: str


def any_history(name: str, random: Random) -> list[Op]:
    """Up to eight calls of an object of that name."""
    return random.choice([right, noise, spoilt, spoilt])(name, random)


def right(name: str, random: Random) -> list[Op]:
    """Calls answered by an object that does one thing at a time."""
    model, latest = objects.named(name), random.choice([4, LATEST, 40])
    ops: list[Op] = []
    state: State = model.initial
    for moment in sorted(random.randint(0, latest) for _ in range(random.randint(1, 8))):
        sent, done = max(0, moment - random.randint(0, 5)), moment + random.randint(0, 5)
        for _ in range(50):
            outcome = random.choice(OUTCOMES)
            asked = call(name, random, client=_client(name, random, len(ops)), answered=outcome == "ok")
            after: State | Refused = model.step(state, asked)
            if outcome == "failed" or after is not REFUSED:
                if outcome == "ok" or (outcome == "unknown" and random.random() < 0.7):
                    state = after
                if outcome == "unknown":  # given up at a time that says nothing about when, or whether, it takes effect
                    done = random.randint(sent, max(sent, latest) + 5)
                ops.append(Op(asked, sent, done, outcome))
                break
    random.shuffle(ops)
    return ops


def spoilt(name: str, random: Random) -> list[Op]:
    """A right history with up to three things changed; by chance it may still be right."""
    ops = right(name, random)
    for _ in range(random.randint(1, 3) if ops else 0):
        number = random.randrange(len(ops))
        op, change = ops[number], random.randrange(4)
        if change == 0:
            op = replace(op, call=call(name, random, client=op.call.client, answered=op.outcome == "ok"))
        elif change == 1:
            outcome = random.choice(["ok", "unknown", "failed"])
            op = replace(op, outcome=outcome, call=replace(op.call, answered=outcome == "ok"))
        elif change == 2:
            shift = random.randint(-8, 8)
            op = replace(op, sent=op.sent + shift, done=op.done + shift)
        else:
            op = replace(op, done=random.randint(op.sent, op.done))
        ops[number] = op
    return ops


def noise(name: str, random: Random) -> list[Op]:
    """Calls at random times with random answers."""
    latest, longest = random.choice([(3, 3), (LATEST, LATEST), (40, 10)])
    ops = []
    for number in range(random.randint(1, 8)):
        sent, outcome = random.randint(0, latest), random.choice(OUTCOMES)
        asked = call(name, random, client=_client(name, random, number), answered=outcome == "ok")
        ops.append(Op(asked, sent, random.randint(sent, sent + longest), outcome))
    return ops


def call(name: str, random: Random, *, client: int, answered: bool) -> Call:
    """A call of an object of that name, as it might be answered."""
    kind, value = _asked(name, random)
    return Call(client=client, kind=kind, value=value, answered=answered)


def _client(name: str, random: Random, number: int) -> int:
    return random.randrange(3) if name == "lock" else number


def _asked(name: str, random: Random) -> tuple[str, str | None]:
    def one() -> str:
        return str(random.randrange(3))

    def some() -> list[str]:
        return [one() for _ in range(random.randrange(4))]

    kind = random.choice(
        {
            "register": ["read", "read", "write", "cas", "cas", "delete"],
            "counter": ["increment", "increment", "decrement", "read", "read"],
            "set": ["add", "add", "remove", "contains", "read"],
            "queue": ["enqueue", "dequeue"],
            "lock": ["acquire", "release"],
            "log": ["append", "append", "read"],
            "text": ["append", "append", "write", "read", "read"],
        }[name]
    )
    match kind:
        case "cas":
            answer: list[object] = random.choice([[], [], [False], [False, random.choice([None, one()])]])
            return kind, json.dumps([random.choice([None, one(), one()]), one(), *answer])
        case "contains":
            return kind, json.dumps([one(), random.random() < 0.5])
        case "acquire" | "release":
            return kind, random.choice([None, None, None, "false"])
        case "increment" | "decrement":
            return kind, random.choice([None, "1", "2"])
        case "delete":
            return kind, None
        case "read" if name == "set":
            return kind, json.dumps(sorted(set(some())))
        case "read" if name == "log":
            return kind, json.dumps(some())
        case "read" if name == "text":
            return kind, "".join(some())
        case "read" | "dequeue" | "write" if name != "text":
            return kind, random.choice([None, one(), one(), one()])
    return kind, one()
