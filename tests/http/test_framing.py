"""What is left of a head that has been read."""

from __future__ import annotations

import gc
import weakref

import httptools

from harness.http.framing import HeadReader


def test_a_head_is_freed_as_soon_as_it_was_read() -> None:
    was = gc.isenabled()
    gc.disable()
    try:
        reader = HeadReader(httptools.HttpRequestParser)
        reader.feed_whole(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        freed = weakref.ref(reader)
        del reader
        assert freed() is None
    finally:
        if was:
            gc.enable()
