"""Exit codes in words, real-time signals included."""

from __future__ import annotations

import pytest

from harness.model.exit_code import end_of


@pytest.mark.parametrize(
    ("code", "text"),
    [(0, "exit code 0"), (3, "exit code 3"), (-9, "SIGKILL"), (-34, "SIGRTMIN"), (-35, "signal 35"), (-63, "signal 63")],
)
def test_an_exit_code_says_how_the_process_ended(code: int, text: str) -> None:
    assert end_of(code) == text
