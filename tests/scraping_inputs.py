"""Small inputs that feeds, sitemaps and pages of the field look like, and that were read wrongly once."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "inputs" / "scraping"


def content_of(name: str) -> bytes:
    return (FOLDER / name).read_bytes()
