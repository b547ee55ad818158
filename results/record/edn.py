"""EDN, Clojure's data notation, as far as recorded histories use it.

No library for it is maintained, strict, and fast enough for histories of a million lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from harness.model.canonical import canonical

_TOKEN: Final = re.compile(
    r"""[\s,]+ | ;[^\n]*
    | (?P<open> \#\{ | [\[({] )
    | (?P<close> [\])}] )
    | (?P<text> " (?: [^"\\] | \\. )* " )
    | (?P<discard> \#_ )
    | (?P<tag> \# [A-Za-z] [^\s,;"()\[\]{}]* )
    | (?P<character> \\ (?: u[0-9a-fA-F]{4} | [a-z]{2,} | \S ) )
    | (?P<atom> [^\s,;"()\[\]{}\#\\] [^\s,;"()\[\]{}]* )
    """,
    re.VERBOSE | re.DOTALL,
)
_CLOSES: Final = {"[": "]", "(": ")", "{": "}", "#{": "}"}
_INTEGER: Final = re.compile(r"[+-]?\d+N?\Z")
_FLOAT: Final = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?M?\Z")
_DIGITS_AT_MOST: Final = 4000
"""Python refuses to convert longer ones: the time that it takes grows with the square of their length."""
_NAMED: Final = {"newline": "\n", "space": " ", "tab": "\t", "return": "\r"}
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)


class EDNError(ValueError):
    """The text is not EDN; the message says why, and on which line."""


def forms(text: str) -> Iterator[object]:
    """The values in a text, one after another. If one vector or list encloses all of them, its items are yielded.

    nil is None; keywords, symbols and characters are strings without a colon; vectors, lists and sets are lists, those of sets
    sorted; tags are left out. A map's keys are strings or numbers; any other key becomes its JSON text. Raises `EDNError`.
    """
    stack: list[tuple[str, list[object], int]] = []
    around, begun = "", 0
    discards: dict[int, int] = {}
    position, found_any = 0, False
    for match in _TOKEN.finditer(text):
        if match.start() > position:
            break
        position = match.end()
        kind = match.lastgroup
        if kind is None or kind == "tag":
            continue
        if kind == "discard":
            discards[len(stack)] = discards.get(len(stack), 0) + 1
            continue
        if kind == "open":
            opener = match[0]
            if not stack and not around and not found_any and opener in "[(" and not discards.get(0):
                around, begun = opener, match.start()
            else:
                stack.append((opener, [], match.start()))
            continue
        if kind == "close":
            if not stack:
                if around and match[0] == _CLOSES[around]:
                    around, found_any = "", True
                    continue
                raise EDNError(f"line {_line(text, match.start())}: {match[0]!r} closes nothing")
            opener, items, start = stack.pop()
            if match[0] != _CLOSES[opener]:
                raise EDNError(
                    f"line {_line(text, match.start())}: {match[0]!r} closes {opener!r} of line {_line(text, start)}"
                )
            if opener == "{" and len(items) % 2:
                raise EDNError(f"line {_line(text, start)}: a map whose last key has no value")
            value: object = _map(items) if opener == "{" else sorted(items, key=canonical) if opener == "#{" else items
        else:
            value = _scalar(kind, match[0], text, match.start())
        if discards.get(len(stack)):
            discards[len(stack)] -= 1
        elif stack:
            stack[-1][1].append(value)
        else:
            found_any = True
            yield value
    if position < len(text):
        raise EDNError(f"line {_line(text, position)}: cannot read {text[position : position + 20]!r}")
    if stack or around:
        opener, start = (stack[0][0], stack[0][2]) if stack else (around, begun)
        raise EDNError(f"the {opener!r} of line {_line(text, start)} is not closed")


def _map(items: list[object]) -> dict[object, object]:
    keys = iter(items)
    return {key if isinstance(key, str | int | float) else _text(key): value for key, value in zip(keys, keys, strict=True)}


def _text(key: object) -> str:
    return msgspec.json.encode(key).decode()


def _scalar(kind: str, token: str, text: str, start: int) -> object:
    if kind == "text":
        body = token[1:-1]
        return _joined(_ESCAPE.sub(_unescaped, body), text, start) if "\\" in body else body
    if kind == "character":
        name = token[1:]
        return _NAMED.get(name) or (_joined(chr(int(name[1:], 16)), text, start) if len(name) == 5 and name[0] == "u" else name)
    first = token[0]
    if first == ":":
        return token[1:]
    if first in "0123456789+-":
        integer = _INTEGER.match(token)
        if integer and len(token) <= _DIGITS_AT_MOST:
            return int(token.rstrip("N"))
        if _FLOAT.match(token) and not integer:
            if not token.endswith("M"):
                return float(token)
            exact = Decimal(token[:-1])
            if abs(exact.adjusted()) <= _DIGITS_AT_MOST:
                return _decimal(exact)
        if first not in "+-" or integer:
            raise EDNError(f"line {_line(text, start)}: cannot read the number {token[:40]!r}")
    return _CONSTANTS.get(token, token)


def _decimal(exact: Decimal) -> object:
    """A whole number, or a floating-point number that says the same; a text if none does, so that no two numbers become one."""
    if exact == exact.to_integral_value():
        return int(exact)
    close = float(exact)
    return close if Decimal(repr(close)) == exact else f"{exact:f}".rstrip("0")


_CONSTANTS: Final[dict[str, object]] = {"nil": None, "true": True, "false": False}


def _unescaped(match: re.Match[str]) -> str:
    found = match[1]
    return chr(int(found[1:], 16)) if len(found) == 5 else _ESCAPES.get(found, found)


def _joined(value: str, text: str, start: int) -> str:
    """The value with its surrogate pairs, of which Java's escapes consist, as characters."""
    try:
        return value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise EDNError(f"line {_line(text, start)}: half a character") from error


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
