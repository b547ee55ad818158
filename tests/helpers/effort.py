"""How many random cases a test tries: all of them in CI, a sixth in the default run, which people wait for."""

from __future__ import annotations

import os


def cases(in_ci: int) -> int:
    """The number of cases to try here, if CI tries `in_ci`."""
    return in_ci if os.environ.get("CI") == "true" else -(-in_ci // 6)
