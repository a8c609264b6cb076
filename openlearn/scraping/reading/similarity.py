"""Recognise texts that are nearly the same, by a similarity hash (simhash) of 64 bits."""

from __future__ import annotations

import hashlib
import re

_WORD = re.compile(r"\w+")
_SHINGLE = 3
_MOST_SHINGLES = 1_000
_SHORTEST_WORDS = 40
"""Shorter texts are alike by chance."""

_BANDS, _BAND_BITS = 4, 16
_NEAR_BITS = 3
"""Hashes of nearly the same text differ in at most so many bits. Then at least one of four quarters is equal."""


def fingerprint(words: str) -> list[int] | None:
    """
    Return the four quarters of the text's similarity hash, each with its place in the upper bits.

    ``None`` for a text that is too short.
    """
    found = _WORD.findall(words[:200_000].lower())
    if len(found) < _SHORTEST_WORDS:
        return None
    count = len(found) - _SHINGLE + 1
    step = -(-count // _MOST_SHINGLES)
    hashes = [_hash(" ".join(found[at : at + _SHINGLE])) for at in range(0, count, step)]
    half = len(hashes) / 2
    whole = sum(1 << bit for bit in range(64) if sum(value >> bit & 1 for value in hashes) > half)
    return [(band << _BAND_BITS) | (whole >> band * _BAND_BITS & 0xFFFF) for band in range(_BANDS)]


def is_near(one: list[int], other: list[int]) -> bool:
    return sum((left ^ right).bit_count() for left, right in zip(one, other, strict=True)) <= _NEAR_BITS


def _hash(shingle: str) -> int:
    return int.from_bytes(hashlib.blake2b(shingle.encode(), digest_size=8).digest(), "big")
