"""A prefix of a name, in words of a control page: the number of its bytes, then the bytes."""

from __future__ import annotations

from typing import Final

from harness.model.moment import MATCH_BYTES

_BYTES_A_WORD: Final = 8
WORDS: Final = 1 + MATCH_BYTES // _BYTES_A_WORD


def put(words: memoryview[int], at: int, match: str) -> None:
    """Write the prefix `match` at the word `at`."""
    encoded = match.encode()
    words[at] = len(encoded)
    padded = encoded.ljust(MATCH_BYTES, b"\0")
    for word in range(WORDS - 1):
        part = padded[word * _BYTES_A_WORD : (word + 1) * _BYTES_A_WORD]
        words[at + 1 + word] = int.from_bytes(part, "little", signed=True)


def matches(words: memoryview[int], at: int, name: str) -> bool:
    """Whether a name begins with the prefix at the word `at`."""
    return name.encode().startswith(words[at + 1 : at + WORDS].tobytes()[: words[at]])
