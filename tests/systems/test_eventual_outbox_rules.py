"""What a node knows of its writes that no other replica has: outboxes that keep account, and one that loses it."""

from __future__ import annotations

from systems.eventual.outbox import Outbox
from systems.eventual.outbox_rules import UntoldWhileAllLackIt
from systems.eventual.shown import Shown
from systems.parts.hints import Hint

BREACH = "n1 has a hint of its last write of key k for every peer, and takes it for known to one"
NOW_S = 1.0


class TakesOlderForNewer(Outbox):
    """An outbox that takes a write for known elsewhere once a peer has an older one of the key."""

    def delivered(self, peer: str, hint: Hint[bytes], now_s: float) -> None:
        super().delivered(peer, hint, now_s)
        self._untold.pop(hint.key, None)


def found(outbox: Outbox) -> str | None:
    return UntoldWhileAllLackIt().broken({"n1": Shown(states={}, outbox=outbox)})


def outbox(kind: type[Outbox] = Outbox, *, most: int = 9) -> Outbox:
    return kind(["n2", "n3"], most=most, keep_s=60)


def test_a_write_that_a_peer_has_is_known_elsewhere() -> None:
    kept = outbox()
    assert found(kept) is None
    kept.leave("k", b"old", NOW_S)
    assert found(kept) is None
    [hint] = kept.oldest("n2", 9)
    kept.delivered("n2", hint, NOW_S)
    assert not kept.untold
    assert found(kept) is None
    kept.leave("k", b"new", NOW_S)
    assert found(kept) is None


def test_a_newer_write_of_the_key_is_not() -> None:
    for kind, why in ((Outbox, None), (TakesOlderForNewer, BREACH)):
        kept = outbox(kind)
        kept.leave("k", b"old", NOW_S)
        [hint] = kept.oldest("n2", 9)
        kept.leave("k", b"new", NOW_S)
        kept.delivered("n2", hint, NOW_S)
        assert found(kept) == why


def test_what_fits_into_one_queue_only_and_what_a_node_without_peers_has_break_nothing() -> None:
    kept = outbox(TakesOlderForNewer, most=1)
    kept.leave("l", b"first", NOW_S)
    [hint] = kept.oldest("n2", 9)
    kept.delivered("n2", hint, NOW_S)
    kept.leave("k", b"old", NOW_S)  # n3 still waits for the first one
    kept._untold.clear()
    assert found(kept) is None
    assert found(Outbox([], most=9, keep_s=60)) is None
    assert UntoldWhileAllLackIt().broken({"n1": Shown(states={})}) is None
