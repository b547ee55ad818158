"""What `harness load` sends, and that it sends to other machines only with permission."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path

import pytest

from harness.cli.load_options import add_options, command_line
from harness.model.errors import UsageError
from workloads.load.target import bodies_of, expected_of, request_bytes, target_of


def test_a_url_is_resolved_to_the_address_that_was_checked() -> None:
    target = target_of("http://localhost:81/a/b?c=1", allow_remote=False)
    assert target.address[0] in ("127.0.0.1", "::1")
    assert (target.address[1], target.host, target.path) == (81, "localhost:81", "/a/b?c=1")


def test_a_remote_address_needs_leave() -> None:
    with pytest.raises(UsageError, match="not this machine"):
        target_of("http://192.0.2.1/", allow_remote=False)
    assert target_of("http://192.0.2.1/", allow_remote=True).address == ("192.0.2.1", 80)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:80",
        "https://localhost/",
        "http://",
        "http://u:p@localhost/",
        "http://localhost:99999/",
        "http://localhost:0/",
        "http://a..b/",
        f"http://{'a' * 64}.test/",
        "http://localhost/é",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        target_of(url, allow_remote=True)


def test_a_request_is_the_bytes_of_http() -> None:
    target = target_of("http://127.0.0.1:8000/x", allow_remote=False)
    assert request_bytes(target, "GET", [], None) == b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"
    for body in (b'{"name":"\xe9"}', b"[" * 20_000):  # Latin-1, and too deep to be decoded
        assert b"Content-Type" not in request_bytes(target, "POST", [], body)
    posted = request_bytes(target, "POST", ["Host: other", "A:b"], b"12345")
    assert posted == b"POST /x HTTP/1.1\r\nHost: other\r\nA: b\r\nContent-Length: 5\r\n\r\n12345"


def test_a_header_may_come_several_times_and_the_last_host_counts() -> None:
    target = target_of("http://127.0.0.1/", allow_remote=False)
    asked = request_bytes(target, "GET", ["Cookie: a", "Host: b", "Cookie: c", "host: d"], None)
    assert asked == b"GET / HTTP/1.1\r\nHost: d\r\nCookie: a\r\nCookie: c\r\n\r\n"


@pytest.mark.parametrize("header", ["", "no colon", "a b: c", "A: b\r\nC: d", "Content-Length: 3", "connection: close"])
def test_a_header_that_would_break_the_request_is_refused(header: str) -> None:
    with pytest.raises(UsageError, match="--header"):
        request_bytes(target_of("http://127.0.0.1/", allow_remote=False), "GET", [header], None)


def test_bodies_come_from_a_text_a_file_or_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "bodies"
    file.write_bytes(b"one\n\ntwo\n")
    assert bodies_of(None, None, None) == [None]
    assert bodies_of("x", None, None) == [b"x"]
    assert bodies_of(None, file, None) == [b"one\n\ntwo\n"]
    assert bodies_of(None, None, file) == [b"one", b"two"]
    with pytest.raises(UsageError, match="one of them"):
        bodies_of("x", file, None)
    with pytest.raises(UsageError, match=r"--body 'caf.* is not text in UTF-8"):
        bodies_of(os.fsdecode(b"caf\xe9"), None, None)
    with pytest.raises(UsageError, match="Cannot read"):
        bodies_of(None, tmp_path / "none", None)


def test_answers_are_expected_from_a_text_or_from_a_line_for_each_body(tmp_path: Path) -> None:
    file = tmp_path / "answers"
    file.write_bytes(b"1\n\n2\n")
    assert expected_of(None, None, 2) == [(), ()]
    assert expected_of("x", None, 2) == [(b"x",), (b"x",)]
    assert expected_of(None, file, 2) == [(b"1",), (b"2",)]
    with pytest.raises(
        UsageError, match=r"answers: lines 2, bodies 3\. Give --bodies and --expects the same number of lines\."
    ):
        expected_of(None, file, 3)
    with pytest.raises(UsageError, match="one of them"):
        expected_of("x", file, 2)
    with pytest.raises(UsageError, match="Cannot read"):
        expected_of(None, tmp_path / "none", 1)


def test_the_line_that_repeats_a_load_keeps_values_that_look_like_options() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    asked = parser.parse_args(["http://127.0.0.1/", "--body=--1", "--expect", "-5", "--header", "A: b", "--rate", "2k"])
    line = command_line(asked, 7)
    again = parser.parse_args(shlex.split(line)[2:])
    assert vars(again) == {**vars(asked), "seed": 7}
