"""Docstrings and docs are written in plain English: three patterns stay as rare as in Django's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests import prose
from tests.prose import Sentence

LIMITS = {
    "docstrings": {"negation": 1.0, "question word": 0.8, "semicolon": 2.0},
    "docs": {"negation": 1.0, "question word": 1.0, "semicolon": 2.0},
}
"""Percent of the sentences. ``python -m tests.prose -v`` lists those that match."""


READ: dict[str, Callable[[], list[Sentence]]] = {"docstrings": prose.of_docstrings, "docs": prose.of_docs}


@pytest.mark.parametrize("place", LIMITS)
class TestProse:
    def test_is_plain(self, place: str) -> None:
        sentences = READ[place]()

        for pattern, found in prose.found_in(sentences).items():
            share = 100 * len(found) / len(sentences)
            assert share <= LIMITS[place][pattern], "\n".join(f"{each.place}: {each.text}" for each in found)


class TestSentencesOf:
    def test_leaves_code_out_and_finds_each_sentence(self) -> None:
        text = (
            "Return ``a; b``. What it does is `nothing`:\n\n* one thing; another thing\n\n:raises Error: it is no job"
        )

        found = [each.text for each in prose.sentences_of(text, place="here")]

        assert found == ["Return CODE.", "What it does is CODE:", "one thing; another thing", "it is no job"]
        counted = prose.found_in(list(prose.sentences_of(text, place="here")))
        assert {name: len(matched) for name, matched in counted.items()} == {
            "negation": 1,
            "question word": 1,
            "semicolon": 1,
        }
