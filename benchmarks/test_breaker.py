"""How much a circuit breaker adds to a call, compared with pybreaker and purgatory, and where the three behave differently.

`pip install -e '.[benchmark]'`, then `pytest -p no:locust benchmarks/test_breaker.py -s` prints calls per second of processor
time: closed (plain and in coroutines) and open, the three in turn over several rounds, and ratios of the medians. Each is used
the way its documentation shows. pybreaker's own coroutines need Tornado; so its context manager is put around the `await`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import statistics
import threading
import time
from collections.abc import Awaitable, Callable

import pytest

from systems.parts.breaker import Breaker, BreakerOpen, Settings

pybreaker = pytest.importorskip("pybreaker", reason="pip install -e '.[benchmark]'")
purgatory = pytest.importorskip("purgatory", reason="pip install -e '.[benchmark]'")
OpenedState = pytest.importorskip("purgatory.domain.model").OpenedState

CALLS = 20_000
ROUNDS = 7
NAMES = ("ours", "pybreaker", "purgatory")


def work() -> None:
    """The call, which does nothing."""


async def work_async() -> None:
    """The same as a coroutine."""


def ours() -> Breaker:
    return Breaker(Settings(least_calls=5, open_s=3600), time.monotonic)


def test_cost_of_a_call() -> None:
    closed = _compared({"ours": _ours_closed(), "pybreaker": _pybreaker_closed(), "purgatory": _purgatory_closed()})
    in_tasks = _compared({"ours": _ours_async(), "pybreaker": _pybreaker_async(), "purgatory": _purgatory_async()})
    opened = _compared({"ours": _ours_open(), "pybreaker": _pybreaker_open(), "purgatory": _purgatory_open()})
    versions = {name: importlib.metadata.version(name) for name in NAMES[1:]}
    print(f"\ncalls per second of processor time, median of {ROUNDS} interleaved rounds of {CALLS:,}; {versions}")
    for title, rates in {"closed": closed, "closed, in coroutines": in_tasks, "open": opened}.items():
        ratios = ", ".join(f"{rates['ours'] / rates[name]:.2f}x {name}" for name in NAMES[1:])
        print(f"{title:>22}: " + "  ".join(f"{name} {rates[name]:>11,.0f}" for name in NAMES) + f"   ours is {ratios}")


def test_where_they_differ() -> None:
    rows = {
        "two calls at once, the first one waiting: the second one begins": (
            _overlap(_shared_ours()),
            _overlap(_shared_pybreaker()),
            _overlap(_shared_purgatory()),
        ),
        "half of all calls fail, never five in a row: opens": (
            _opens_ours(),
            _opens_pybreaker(),
            _opens_purgatory(),
        ),
    }
    print(f"\n{'':66}" + "".join(f"{name:>11}" for name in NAMES))
    for title, found in rows.items():
        print(f"{title:66}" + "".join(f"{'yes' if yes else 'no':>11}" for yes in found))
    assert all(found[0] for found in rows.values())


def _compared(kinds: dict[str, Callable[[int], None]]) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for round_number in range(ROUNDS + 1):
        for name, calls in kinds.items():
            begun_s = time.process_time()
            calls(CALLS)
            if round_number:  # the first one warms up
                taken[name].append(time.process_time() - begun_s)
    return {name: CALLS / statistics.median(seconds) for name, seconds in taken.items()}


# ------------------------------------------------------------------------------------------------------------- closed


def _ours_closed() -> Callable[[int], None]:
    breaker = ours()

    def calls(number: int) -> None:
        for _ in range(number):
            with breaker.call():
                work()

    return calls


def _pybreaker_closed() -> Callable[[int], None]:
    breaker = pybreaker.CircuitBreaker()

    def calls(number: int) -> None:
        for _ in range(number):
            breaker.call(work)

    return calls


def _purgatory_closed() -> Callable[[int], None]:
    breaker = purgatory.SyncCircuitBreakerFactory().get_breaker("it")

    def calls(number: int) -> None:
        for _ in range(number):
            with breaker:
                work()

    return calls


def _in_loop(calls: Callable[[int], Awaitable[None]]) -> Callable[[int], None]:
    async def all_calls(number: int) -> None:
        await calls(number)

    return lambda number: asyncio.run(all_calls(number))


def _ours_async() -> Callable[[int], None]:
    breaker = ours()

    async def calls(number: int) -> None:
        for _ in range(number):
            with breaker.call():
                await work_async()

    return _in_loop(calls)


def _pybreaker_async() -> Callable[[int], None]:
    breaker = pybreaker.CircuitBreaker()

    async def calls(number: int) -> None:
        for _ in range(number):
            with breaker.calling():
                await work_async()

    return _in_loop(calls)


def _purgatory_async() -> Callable[[int], None]:
    async def calls(number: int) -> None:
        breaker = await purgatory.AsyncCircuitBreakerFactory().get_breaker("it")
        for _ in range(number):
            async with breaker:
                await work_async()

    return _in_loop(calls)


# --------------------------------------------------------------------------------------------------------------- open


def _ours_open() -> Callable[[int], None]:
    breaker = ours()
    for _ in range(5):
        with contextlib.suppress(OSError), breaker.call():
            raise OSError
    assert breaker.state == "open"

    def calls(number: int) -> None:
        for _ in range(number):
            with contextlib.suppress(BreakerOpen), breaker.call():
                raise AssertionError("it was called")

    return calls


def _pybreaker_open() -> Callable[[int], None]:
    breaker = pybreaker.CircuitBreaker(reset_timeout=3600)
    breaker.open()

    def calls(number: int) -> None:
        for _ in range(number):
            with contextlib.suppress(pybreaker.CircuitBreakerError):
                breaker.call(work)

    return calls


def _purgatory_open() -> Callable[[int], None]:
    breaker = purgatory.SyncCircuitBreakerFactory(default_ttl=3600).get_breaker("it")
    for _ in range(6):
        with contextlib.suppress(OSError, OpenedState), breaker:
            raise OSError

    def calls(number: int) -> None:
        for _ in range(number):
            with contextlib.suppress(OpenedState), breaker:
                raise AssertionError("it was called")

    return calls


# --------------------------------------------------------------------------------------------------------- behaviours


def _in(around: contextlib.AbstractContextManager[object], call: Callable[[], None]) -> None:
    with around:
        call()


def _shared_ours() -> Callable[[Callable[[], None]], None]:
    breaker = ours()
    return lambda call: _in(breaker.call(), call)


def _shared_pybreaker() -> Callable[[Callable[[], None]], None]:
    breaker = pybreaker.CircuitBreaker()
    return lambda call: breaker.call(call)


def _shared_purgatory() -> Callable[[Callable[[], None]], None]:
    breaker = purgatory.SyncCircuitBreakerFactory().get_breaker("it")
    return lambda call: _in(breaker, call)


def _overlap(through: Callable[[Callable[[], None]], None]) -> bool:
    """Whether a second thread's call begins while the first one's has not ended."""
    first_began, second_began, end = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        first_began.set()
        end.wait(5)

    threads = [threading.Thread(target=through, args=(first,))]
    threads[0].start()
    first_began.wait(5)
    threads.append(threading.Thread(target=through, args=(second_began.set,)))
    threads[1].start()
    overlapped = second_began.wait(0.5)
    end.set()
    for thread in threads:
        thread.join()
    return overlapped


def _alternating(around: Callable[[], contextlib.AbstractContextManager[object]]) -> None:
    for turn in range(40):
        with contextlib.suppress(OSError), around():
            if turn % 2:
                raise OSError


def _opens_ours() -> bool:
    breaker = ours()
    with contextlib.suppress(BreakerOpen):
        _alternating(breaker.call)
    return breaker.state == "open"


def _opens_pybreaker() -> bool:
    breaker = pybreaker.CircuitBreaker()
    with contextlib.suppress(pybreaker.CircuitBreakerError):
        _alternating(breaker.calling)
    return bool(breaker.current_state == "open")


def _opens_purgatory() -> bool:
    breaker = purgatory.SyncCircuitBreakerFactory().get_breaker("it")
    try:
        _alternating(lambda: breaker)
    except OpenedState:
        return True
    return False
