"""A store between gloo and the real store that redirects each dialler to its link."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from torch._C._distributed_c10d import Store

from torch_drills.addresses import Address, address, is_address, moved


class LinkStore(Store):
    """Forwards everything to another store, replacing the addresses that gloo processes announce to each other.

    `published` is called with this process's own listen address. `route` returns the address to dial instead of one that was
    read; None leaves it unchanged. Keep a reference to the store for as long as a process group uses it: torch does not.
    """

    def __init__(
        self, inner: Store, *, published: Callable[[Address], None], route: Callable[[Address], Address | None]
    ) -> None:
        super().__init__()
        self._inner = inner
        self._published = published
        self._route = route

    def set(self, key: str, value: str | bytes) -> None:
        data = value.encode() if isinstance(value, str) else value
        if is_address(key, data):
            self._published(address(data))
        self._inner.set(key, value)  # type: ignore[arg-type] # torch passes bytes and declares texts

    def get(self, key: str) -> bytes:
        value = self._inner.get(key)
        to = self._route(address(value)) if is_address(key, value) else None
        return value if to is None else moved(value, to)

    def wait(self, keys: list[str], timeout: timedelta | None = None) -> None:
        if timeout is None:
            self._inner.wait(keys)
        else:
            self._inner.wait(keys, timeout)

    def add(self, key: str, value: int) -> int:
        return self._inner.add(key, value)

    def check(self, keys: list[str]) -> bool:
        return self._inner.check(keys)

    def compare_set(self, key: str, expected_value: str, desired_value: str) -> bytes:
        return self._inner.compare_set(key, expected_value, desired_value)

    def delete_key(self, key: str) -> bool:
        return self._inner.delete_key(key)

    def set_timeout(self, timeout: timedelta) -> None:
        self._inner.set_timeout(timeout)

    def has_extended_api(self) -> bool:
        """False, since this store would not see what torch appends or queues through the extended API."""
        return False
