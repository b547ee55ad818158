"""What tests of several folders share: the echo system, importable wherever a test stands, and what signals do at first."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("any machine", deadline=None)  # how long an example takes is the machine's business
hypothesis.settings.load_profile("any machine")

sys.path.append(str(Path(__file__).parent / "harness"))


@pytest.fixture
def hangup_not_ignored() -> Iterator[None]:
    """What this test starts hears SIGHUP, though the tests may run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)
