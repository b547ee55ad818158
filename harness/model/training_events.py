"""What a training tells of itself, as rows of the history's `events`: `kind`, and `detail` as JSON.

| kind | who tells it, and when | `detail` |
| --- | --- | --- |
| `membership` | a master took a worker in, or left it out | `{"term": 2, "step": 120, "worker": "worker1", "present": true}` |

`step` is how many steps were done by then.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    term: int
    step: int
    worker: str
    present: bool


MEMBERSHIP: Final = "membership"
