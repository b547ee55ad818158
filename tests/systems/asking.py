"""Ask a dispatcher of Serving, for tests."""

from __future__ import annotations

from typing import NamedTuple

from harness.deadlines import Deadline
from harness.pipelining import Head, Message
from systems.serving.dispatch import Dispatcher


class Answer(NamedTuple):
    """What one request was answered."""

    status: int
    body: bytes


async def ask(dispatcher: Dispatcher, *bodies: bytes, deadline: Deadline | None = None) -> list[Answer]:
    """Requests that came together, and what each was answered."""
    messages = [Message(Head("POST", "/predict"), body) for body in bodies]
    await dispatcher.predict(messages, deadline)
    answers = []
    for message in messages:
        head, _, body = message.answer.partition(b"\r\n\r\n")
        answers.append(Answer(int(head.split()[1]), body))
    return answers
