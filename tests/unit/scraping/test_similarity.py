"""Texts that are nearly the same have fingerprints that are."""

from __future__ import annotations

import hashlib
import random

import pytest

from openlearn.scraping.reading.similarity import fingerprint, is_near

WORDS = [f"word{number}" for number in range(3_000)]


def text(*, words: int, seed: int = 1) -> list[str]:
    return random.Random(seed).choices(WORDS, k=words)  # noqa: S311 - test data


class TestAFingerprint:
    @pytest.mark.parametrize("words", [200, 900, 1_001, 1_500, 5_000, 20_000])
    def test_is_near_after_a_word_more_at_the_beginning_and_a_line_at_the_end(self, words: int) -> None:
        body = text(words=words)
        changed = ["Updated", *body, *(["by", "the", "editors"] if words > 500 else [])]

        one, other = fingerprint(" ".join(body)), fingerprint(" ".join(changed))

        assert one is not None
        assert other is not None
        assert is_near(one, other)

    @pytest.mark.parametrize("words", [200, 1_500, 20_000])
    def test_of_another_text_is_far(self, words: int) -> None:
        one, other = (fingerprint(" ".join(text(words=words, seed=seed))) for seed in (1, 2))

        assert one is not None
        assert other is not None
        assert not is_near(one, other)

    def test_is_the_majority_of_each_bit(self) -> None:
        """As it was computed before, one bit of one shingle at a time: stored fingerprints stay comparable."""
        words = text(words=700)
        hashes = [
            int.from_bytes(hashlib.blake2b(" ".join(words[at : at + 3]).encode(), digest_size=8).digest(), "big")
            for at in range(len(words) - 2)
        ]
        whole = sum(1 << bit for bit in range(64) if sum(value >> bit & 1 for value in hashes) > len(hashes) / 2)

        assert fingerprint(" ".join(words)) == [(band << 16) | (whole >> band * 16 & 0xFFFF) for band in range(4)]

    def test_of_a_short_text_is_none(self) -> None:
        assert fingerprint("a few words " * 5) is None

    def test_of_a_long_text_that_repeats_itself_is_made(self) -> None:
        assert fingerprint("the same again " * 20_000) is not None
