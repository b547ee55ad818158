"""The checker `starts_differ`."""

from __future__ import annotations

import pytest

from harness.checkers.starts_differ import applies, starts_differ
from harness.model.history import History


def history(*starts: tuple[str, str]) -> History:
    return History.of(
        [],
        events=[
            {"at_ns": at, "node": node, "kind": "numbered", "detail": detail}
            for at, (node, detail) in enumerate(starts, start=1)
        ],
    )


@pytest.mark.parametrize(
    ("starts", "valid"),
    [
        ([("n1", '{"start": 1}'), ("n2", '{"start": 1}')], True),
        ([("n1", '{"start": 1}'), ("n1", '{"start": 2}'), ("n2", '{"start": 1}')], True),
        ([("n1", '{"start": 1}'), ("n1", '{"start": 2}'), ("n1", '{"start": 1}')], False),
        ([("n1", '{"start": 1}'), ("n1", "{}")], None),
    ],
)
def test_no_number_comes_twice_on_a_node(starts: list[tuple[str, str]], valid: bool | None) -> None:
    assert applies(history(*starts))
    assert starts_differ(history(*starts)).valid is valid


def test_without_starts_nothing_is_known() -> None:
    assert not applies(history())
    assert starts_differ(history()).valid is None
