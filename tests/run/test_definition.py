"""The digest that tells runs of an edited drill from earlier ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from faults.kill import Kill
from harness.checkers.balanced import balanced, balanced_within
from harness.model.drill import Drill
from harness.model.load import Load
from harness.run.definition import definition_of
from tests.helpers.echo import Echo, Numbers

DRILL = Drill(
    system=Echo(replicas=3),
    workload=Numbers(),
    load=Load(rate=10, seconds=5),
    faults=[Kill("n1").between(1, 2)],
    checks=[balanced_within(1.5)],
    slos=["p99 < 50ms"],
)


@pytest.mark.parametrize(
    "change",
    [
        {"system": Echo(replicas=5)},
        {"load": Load(rate=10, seconds=5, timeout_ms=900)},
        {"faults": [Kill("n1").between(1, 3)]},
        {"checks": [balanced]},
        {"checks": [balanced_within(1.6)]},
        {"slos": ["p99 < 51ms"]},
    ],
)
def test_an_edited_drill_has_another_digest(change: dict[str, object]) -> None:
    assert definition_of(replace(DRILL, **change)) != definition_of(DRILL)  # type: ignore[arg-type]


def test_the_same_values_have_the_same_digest_whenever_the_drill_runs() -> None:
    assert definition_of(replace(DRILL, checks=[balanced_within(1.5)], nightly=True)) == definition_of(DRILL)
