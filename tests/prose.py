"""Sentences of docstrings and docs, and the patterns that plain English avoids."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]

PATTERNS = {
    "negation": re.compile(r"\b(?:is|are|was|were|be) no (?!longer\b|more\b)|\b(?:nobody|nothing|none of)\b", re.I),
    "question word": re.compile(r"^(?:What|Who|Whoever|Whatever|Whose|Whom|How|Whether)\b(?!.*\?$)"),
    "semicolon": re.compile(r";"),
}
"""What a sentence should rarely be: one without a positive statement, without a subject, or two in one."""

_CODE = re.compile(r"```.*?```|``[^`]*``|`[^`]*`|<[^>]+>", re.DOTALL)
_FIELD = re.compile(r"^\s*:\w+ ?[\w, ]*:", re.MULTILINE)
_LINK = re.compile(r"\]\([^)]*\)")
_REFERENCES = re.compile(r"CODE;(?=\s*(?:CODE|\[))")
_END = re.compile(r"(?<=[.!?:])[\"”)*]*\s+(?=[^a-z\s])|\n\s*\n|\n\s*(?:[-*]|\d+\.) |\n#+ |\s*\|\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    text: str
    place: str


def sentences_of(text: str, *, place: str) -> Iterator[Sentence]:
    """Yield the sentences of a text in reStructuredText or Markdown; code is left out."""
    plain = _LINK.sub("", _FIELD.sub("\n\n", _REFERENCES.sub("CODE,", _CODE.sub("CODE", text))))
    for part in _END.split("\n" + plain):
        words = " ".join(part.split()).strip("#*-[]>_ ")
        if len(words.split()) > 1 and re.search(r"[A-Za-z]{2}", words.replace("CODE", "")):
            yield Sentence(text=words, place=place)


def of_docstrings(*, root: Path = CHECKOUT, folders: tuple[str, ...] = ("scheduler", "openlearn")) -> list[Sentence]:
    """Return the sentences of all docstrings, those below attributes included."""
    found: list[Sentence] = []
    for folder in folders:
        for file in sorted((root / folder).rglob("*.py")):
            if "migrations" in file.parts:
                continue
            place = str(file.relative_to(root))
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                for child in getattr(node, "body", None) or [] if not isinstance(node, ast.Lambda | ast.IfExp) else []:
                    if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                        value = child.value.value
                        if isinstance(value, str):
                            found += sentences_of(value, place=f"{place}:{child.lineno}")
    return found


def of_docs(*, root: Path = CHECKOUT) -> list[Sentence]:
    """Return the sentences of the pages for people."""
    pages = [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]
    return [
        sentence
        for page in pages
        for sentence in sentences_of(page.read_text(encoding="utf-8"), place=str(page.relative_to(root)))
    ]


def found_in(sentences: list[Sentence]) -> dict[str, list[Sentence]]:
    """Return the sentences that each pattern matches."""
    return {name: [each for each in sentences if pattern.search(each.text)] for name, pattern in PATTERNS.items()}


if __name__ == "__main__":
    import sys

    for title, sentences in (("docstrings", of_docstrings()), ("docs", of_docs())):
        for name, matched in found_in(sentences).items():
            print(f"{title}: {name}: {len(matched)} of {len(sentences)} ({100 * len(matched) / len(sentences):.1f} %)")
            if "-v" in sys.argv:
                for each in matched:
                    print(f"   {each.place}: {each.text[:150]}")
