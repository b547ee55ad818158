"""Featured: its topology, and what it refuses."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from harness.model.codec import describe, restore
from harness.model.errors import UsageError
from harness.model.system import System, links_of
from systems.featured import Featured
from workloads.scores import Scores


def test_each_replica_has_a_link_of_its_own_to_the_features() -> None:
    featured = Featured(replicas=2)
    assert isinstance(featured, System)
    assert {link.name for link in links_of(featured)} == {"client>r1", "client>r2", "r1>features", "r2>features"}
    assert restore(describe(featured)) == featured


@pytest.mark.parametrize(("settings", "words"), [({"replicas": 0}, "replicas=0"), ({"bug": "no-braker"}, "no-breaker")])
def test_what_makes_no_sense_is_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Featured(**settings)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="users=0"):
        Scores(users=0)


def test_the_same_seed_asks_the_same() -> None:
    first, second = (list(islice(Scores().calls(Random(3)), 50)) for _ in range(2))
    assert first == second
    assert len({call.key for call in first}) > 1
