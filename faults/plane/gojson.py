"""Reads JSON bodies as Go's `encoding/json` does, with the same error messages.

Clients show these messages to people. Two rules differ from Python's reader: only the first value of a body is read, and
anything may follow it; and a repeated key is allowed, with the last one winning.
"""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

MAX_DEPTH: Final = 200
"""Deeper nesting is refused. Nothing in the API nests deeper than three levels."""


class Number(NamedTuple):
    """A number as written. Whether it fits depends on the field."""

    text: str


class Object(NamedTuple):
    """Keys and values in their order."""

    pairs: list[tuple[str, Json]]


Json = None | bool | str | Number | Object | list["Json"]


class JsonError(Exception):
    """Invalid JSON. The message is Go's."""


def read(body: bytes) -> Json:
    """The first JSON value of a body. Raises `JsonError`."""
    text = body.decode("utf-8", "replace")
    start = _skip(text, 0)
    if start == len(text):
        raise JsonError("EOF")
    return _value(text, start, 0)[0]


_SPACE: Final = re.compile(r"[ \t\r\n]*")
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LITERALS: Final[dict[str, tuple[str, bool | None]]] = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _wrong(text: str, at: int, where: str) -> JsonError:
    if at >= len(text):
        return JsonError("unexpected EOF")
    return JsonError(f"invalid character {_quoted(text, at)} {where}")


def _quoted(text: str, at: int) -> str:
    character = text[at]
    if character == "'":
        return r"'\''"
    if character == "\\":
        return r"'\\'"
    if character < " ":
        return {"\n": r"'\n'", "\t": r"'\t'", "\r": r"'\r'"}.get(character, rf"'\x{ord(character):02x}'")
    return f"'{character}'"


def _value(text: str, at: int, depth: int) -> tuple[Json, int]:
    character = text[at : at + 1]
    if depth > MAX_DEPTH:
        raise JsonError("exceeded max depth")
    if character == "{":
        return _object(text, at + 1, depth)
    if character == "[":
        return _array(text, at + 1, depth)
    if character == '"':
        return _string(text, at)
    if character in _LITERALS:
        return _literal(text, at)
    if character == "-" or "0" <= character <= "9":
        return _number(text, at)
    raise _wrong(text, at, "looking for beginning of value")


def _object(text: str, at: int, depth: int) -> tuple[Json, int]:
    pairs: list[tuple[str, Json]] = []
    at = _skip(text, at)
    if text[at : at + 1] == "}":
        return Object(pairs), at + 1
    while True:
        if text[at : at + 1] != '"':
            raise _wrong(text, at, "looking for beginning of object key string")
        key, at = _string(text, at)
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise _wrong(text, at, "after object key")
        value, at = _value(text, _skip(text, at + 1), depth + 1)
        pairs.append((key, value))
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            return Object(pairs), at + 1
        if text[at : at + 1] != ",":
            raise _wrong(text, at, "after object key:value pair")
        at = _skip(text, at + 1)


def _array(text: str, at: int, depth: int) -> tuple[Json, int]:
    values: list[Json] = []
    at = _skip(text, at)
    if text[at : at + 1] == "]":
        return values, at + 1
    while True:
        value, at = _value(text, at, depth + 1)
        values.append(value)
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            return values, at + 1
        if text[at : at + 1] != ",":
            raise _wrong(text, at, "after array element")
        at = _skip(text, at + 1)


def _string(text: str, at: int) -> tuple[str, int]:
    found = _STRING.match(text, at)
    end = found.end() if found else at + 1
    if text[end : end + 1] == '"':
        decoded: str = json.loads(text[at : end + 1])
        return decoded.encode("utf-8", "replace").decode(), end + 1
    if text[end : end + 1] != "\\":
        raise _wrong(text, end, "in string literal")
    if text[end + 1 : end + 2] != "u":
        raise _wrong(text, end + 1, "in string escape code")
    end += 2
    while text[end : end + 1] in tuple("0123456789abcdefABCDEF"):
        end += 1
    raise _wrong(text, end, "in \\u hexadecimal character escape")


def _literal(text: str, at: int) -> tuple[Json, int]:
    word, value = _LITERALS[text[at]]
    for offset, expected in enumerate(word):
        if text[at + offset : at + offset + 1] != expected:
            raise _wrong(text, at + offset, f"in literal {word} (expecting '{expected}')")
    return value, at + len(word)


def _number(text: str, at: int) -> tuple[Json, int]:
    found = _NUMBER.match(text, at)
    if found is None:
        raise _wrong(text, at + 1, "in numeric literal")
    end = found.end()
    written = found.group()
    if text[end : end + 1] == "." and not set(written) & set(".eE"):
        raise _wrong(text, end + 1, "after decimal point in numeric literal")
    if text[end : end + 1] in ("e", "E") and not set(written) & set("eE"):
        sign = text[end + 1 : end + 2] in ("+", "-")
        raise _wrong(text, end + 2 if sign else end + 1, "in exponent of numeric literal")
    return Number(written), end
