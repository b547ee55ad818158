"""What all tests share: hypothesis without deadlines, and signals as they are at first."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import hypothesis
import pytest

hypothesis.settings.register_profile("any machine", deadline=None)  # how long an example takes is the machine's business
hypothesis.settings.load_profile("any machine")


@pytest.fixture
def hangup_not_ignored() -> Iterator[None]:
    """What this test starts hears SIGHUP, though the tests may run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)
