"""What of a test is left to CI, which tries everything: people wait for the default run."""

from __future__ import annotations

import os

import pytest


def cases(in_ci: int) -> int:
    """The number of random cases to try here, if CI tries `in_ci`: a sixth."""
    return in_ci if os.environ.get("CI") == "true" else -(-in_ci // 6)


def left_to_ci(*values: object, id: str | None = None) -> object:  # noqa: A002 - as pytest calls it
    """Parameters of a case that takes long; others like it are tried by default."""
    return pytest.param(*values, id=id, marks=pytest.mark.slow)
