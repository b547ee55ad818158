"""The images that break a pass in which they are not alone: few, and none that a health check uses."""

from __future__ import annotations

from collections import Counter

from systems.serving import artifacts
from systems.serving.deep_check import KNOWN_IMAGES
from systems.serving.fragile import FragileServing
from systems.serving.known_bad.fragile_replica import MOST_INK


def test_every_replica_is_fragile() -> None:
    codes = Counter(node.code for node in FragileServing(replicas=3).nodes())
    assert codes == {"systems.serving.known_bad.fragile_replica": 3, "systems.serving.balancer": 1}


def test_one_image_in_fifty_is_heavy_and_none_of_a_health_check() -> None:
    FragileServing().prepare()
    heavy = [sum(digit.pixels) > MOST_INK for digit in artifacts.digits(artifacts.folder())]
    assert not any(heavy[:KNOWN_IMAGES])
    assert 45 < len(heavy) / sum(heavy) < 55
