"""Recognise texts that are nearly the same, by a similarity hash (simhash) of 64 bits."""

from __future__ import annotations

import hashlib
import re
import zlib

_WORD = re.compile(r"\w+")
_MOST_SHINGLES = 1_000
_SHORTEST_WORDS = 40
"""Shorter texts are alike by chance."""

_BANDS, _BAND_BITS = 4, 16
_NEAR_BITS = 3
"""Hashes of nearly the same text differ in at most so many bits. Then at least one of four quarters is equal."""


_ONE_BIT = [bytes(byte >> bit & 1 for byte in range(256)) for bit in range(8)]
"""Tables that leave one bit of each byte."""


def fingerprint(words: str) -> list[int] | None:
    """
    Return the four quarters of the text's similarity hash, each with its place in the upper bits.

    ``None`` for a text that is too short.
    """
    found = _WORD.findall(words[:200_000].lower())
    if len(found) < _SHORTEST_WORDS:
        return None
    hashes = b"".join(
        map(_hash, _sample([" ".join(shingle) for shingle in zip(found, found[1:], found[2:], strict=False)]))
    )
    half = len(hashes) // 8 / 2
    # Bit 0 is the lowest of the last of eight bytes: hashes are big-endian.
    counts = (hashes[7 - bit // 8 :: 8].translate(_ONE_BIT[bit % 8]).count(1) for bit in range(64))
    whole = sum(1 << bit for bit, count in enumerate(counts) if count > half)
    return [(band << _BAND_BITS) | (whole >> band * _BAND_BITS & 0xFFFF) for band in range(_BANDS)]


def is_near(one: list[int], other: list[int]) -> bool:
    return sum((left ^ right).bit_count() for left, right in zip(one, other, strict=True)) <= _NEAR_BITS


def _sample(shingles: list[str]) -> list[str]:
    """
    Choose ``_MOST_SHINGLES`` of a long text: those of the lowest checksums, wherever they are.

    A word more somewhere then changes a few of them, and not all that follow.
    """
    if len(shingles) <= _MOST_SHINGLES:
        return shingles
    return sorted(shingles, key=lambda shingle: zlib.crc32(shingle.encode()))[:_MOST_SHINGLES]


def _hash(shingle: str) -> bytes:
    return hashlib.blake2b(shingle.encode(), digest_size=8).digest()
