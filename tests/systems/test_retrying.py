"""Clients that retry: how often, how long they wait, and what they finally report."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from harness.model.errors import UsageError
from harness.model.system import Answer, Call, CallFailed
from systems.serving.retrying import RetriedServing, RetryingClient

_CALL = Call(kind="predict", key="1")


class Scripted:
    """A client that does what its script says next: answer, raise, or stay silent (None)."""

    def __init__(self, *script: Answer | Exception | None) -> None:
        self.script = list(script)
        self.closed = False

    async def invoke(self, call: Call) -> Answer:
        step = self.script.pop(0)
        if step is None:
            await asyncio.Event().wait()
        if isinstance(step, Exception):
            raise step
        assert isinstance(step, Answer)
        return step

    async def close(self) -> None:
        self.closed = True


def _ask(inner: Scripted, attempts: int = 3) -> Answer:
    return asyncio.run(RetryingClient(inner, attempts=attempts, patience_s=0.01).invoke(_CALL))


def test_first_answer_is_the_answer() -> None:
    inner = Scripted(Answer("7"), Answer("8"))
    assert _ask(inner) == Answer("7")
    assert inner.script == [Answer("8")]


def test_refused_broken_and_silent_attempts_are_made_again() -> None:
    assert _ask(Scripted(CallFailed("busy"), OSError("reset"), None, Answer("7")), attempts=4) == Answer("7")


@pytest.mark.parametrize(
    ("script", "attempts"),
    [([Answer("7")], 1), ([OSError("1"), CallFailed("2"), Answer("7")], 3), ([OSError("1"), OSError("2"), OSError("3")], 3)],
)
def test_it_says_how_often_the_last_call_was_asked(script: list[Answer | Exception], attempts: int) -> None:
    async def scenario() -> tuple[int, int]:
        client = RetryingClient(Scripted(*script, Answer("8")), attempts=3, patience_s=60)
        with contextlib.suppress(OSError):
            await client.invoke(_CALL)
        first = client.attempts
        await client.invoke(_CALL)
        return first, client.attempts

    assert asyncio.run(scenario()) == (attempts, 1)


def test_call_surely_failed_only_where_every_attempt_did() -> None:
    with pytest.raises(CallFailed, match="third"):
        _ask(Scripted(CallFailed("first"), CallFailed("second"), CallFailed("third")))
    with pytest.raises(TimeoutError):
        _ask(Scripted(CallFailed("first"), None, CallFailed("third")))


def test_client_is_asked_no_more_often_than_allowed() -> None:
    inner = Scripted(OSError("1"), OSError("2"), Answer("7"))
    with pytest.raises(OSError, match="2"):
        _ask(inner, attempts=2)
    assert len(inner.script) == 1


def test_call_that_is_given_up_from_outside_is_not_made_again() -> None:
    inner = Scripted(None, Answer("7"))

    async def scene() -> None:
        async with asyncio.timeout(0.01):
            await RetryingClient(inner, attempts=3, patience_s=60).invoke(_CALL)

    with pytest.raises(TimeoutError):
        asyncio.run(scene())
    assert inner.script == [Answer("7")]


def test_an_attempt_that_is_over_leaves_no_request_under_way() -> None:
    class Hanging:
        under_way = 0

        async def invoke(self, call: Call) -> Answer:
            self.under_way += 1
            try:
                await asyncio.Event().wait()
            finally:
                self.under_way -= 1
            return Answer()

        async def close(self) -> None: ...

    async def scenario() -> int:
        client = RetryingClient(Hanging(), attempts=3, patience_s=0.01)
        with contextlib.suppress(TimeoutError):
            await client.invoke(_CALL)
        return client.under_way

    assert asyncio.run(scenario()) == 0
    assert RetryingClient(Scripted(), attempts=3, patience_s=60).under_way == 0


def test_inner_client_is_closed_with_it() -> None:
    inner = Scripted()
    asyncio.run(RetryingClient(inner, attempts=1, patience_s=1).close())
    assert inner.closed


@pytest.mark.parametrize(("attempts", "patience_ms"), [(0, 100.0), (3, 0.0), (3, float("inf")), (3, float("nan"))])
def test_policy_that_makes_no_sense_is_refused(attempts: int, patience_ms: float) -> None:
    with pytest.raises(UsageError, match="RetriedServing"):
        RetriedServing(attempts=attempts, patience_ms=patience_ms)
