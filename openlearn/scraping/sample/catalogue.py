"""The contents of the sample site. The texts are templates under ``templates/sample/``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    section: str
    slug: str
    title: str
    author: str
    summary: str
    published_at: datetime

    @property
    def template(self) -> str:
        return f"sample/{self.section}/{self.slug}.html"


def _at(year: int, month: int, day: int, hour: int) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


LESSONS = (
    Piece(
        section="lessons",
        slug="reading-a-crontab",
        title="Reading a crontab line",
        author="Mira Solberg",
        summary="Five fields decide when a line fires. Read them from left to right and you can read any of them.",
        published_at=_at(2026, 3, 2, 9),
    ),
    Piece(
        section="lessons",
        slug="the-hour-that-is-missing",
        title="The hour that is missing",
        author="Tomás Echeverría",
        summary="Once a year the clock jumps. What happens to an appointment at half past two?",
        published_at=_at(2026, 3, 30, 9),
    ),
    Piece(
        section="lessons",
        slug="counting-without-gaps",
        title="Counting without gaps",
        author="Mira Solberg",
        summary="A ledger has a row for everything that should have happened, also for what did not.",
        published_at=_at(2026, 4, 13, 9),
    ),
    Piece(
        section="lessons",
        slug="being-a-good-guest",
        title="Being a good guest on the web",
        author="Ngozi Adeyemi",
        summary="Programs that read other people's sites have manners too: who they are, how often, and when to leave.",
        published_at=_at(2026, 5, 4, 9),
    ),
)

NOTES = (
    Piece(
        section="notes",
        slug="why-utc",
        title="Why the ledger keeps UTC",
        author="Tomás Echeverría",
        summary="One clock without jumps for what is stored, everybody's own clock for what is shown.",
        published_at=_at(2026, 5, 18, 14),
    ),
    Piece(
        section="notes",
        slug="etags-in-a-minute",
        title="ETags in a minute",
        author="Ngozi Adeyemi",
        summary="How a server says “you have that already” in one line.",
        published_at=_at(2026, 6, 1, 14),
    ),
)

REFERENCE = (
    Piece(
        section="reference",
        slug="glossary",
        title="Glossary",
        author="The OpenLearn editors",
        summary="The words of this site, each in a sentence.",
        published_at=_at(2026, 2, 2, 8),
    ),
    Piece(
        section="reference",
        slug="about",
        title="About this site",
        author="The OpenLearn editors",
        summary="A site made to be scraped.",
        published_at=_at(2026, 2, 2, 8),
    ),
)

PIECES = {(piece.section, piece.slug): piece for piece in (*LESSONS, *NOTES, *REFERENCE)}
