"""What all tests share: settings of hypothesis, default signal handlers, and transcripts to compare with."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from harness.node.open_files import allow_most
from tests.helpers.effort import cases

hypothesis.settings.register_profile(  # how long an example takes is the machine's business
    "any machine", deadline=None, max_examples=cases(100)
)
hypothesis.settings.load_profile("any machine")


_TRANSCRIPTS = Path(__file__).parent / "transcripts"


def pytest_configure() -> None:
    """Let this process and those that tests start keep compiled modules, even if `PYTHONDONTWRITEBYTECODE` is set.

    Each would compile all that it imports otherwise. Some tests open more files than the usual soft limit of 1,024.
    """
    allow_most()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def pytest_collection_finish() -> None:
    """Keep garbage collections, which may fall into a timed part of a test, from traversing thousands of collected tests."""
    gc.collect()
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-transcripts", action="store_true", help="write tests/transcripts anew instead of comparing")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List skipped tests by reason; each reason says how to run them."""
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    if reasons:
        terminalreporter.section("skipped")
        for reason, count in reasons.most_common():
            terminalreporter.write_line(f"{count:5}  {reason}")


def _reason(report: pytest.TestReport) -> str:
    return report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else str(report.longrepr)


@pytest.fixture
def matches_transcript(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with `tests/transcripts/NAME.txt`; with `--update-transcripts`, write it there."""

    def matches(name: str, text: str) -> None:
        file = _TRANSCRIPTS / f"{name}.txt"
        if request.config.getoption("--update-transcripts"):
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        assert file.exists(), f"no transcript {file}: run pytest --update-transcripts, and read what it wrote"
        assert text == file.read_text(), "it changed: run pytest --update-transcripts, and read the difference"

    return matches


@pytest.fixture
def hangup_not_ignored() -> Iterator[None]:
    """Processes that this test starts receive SIGHUP, even if the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)
