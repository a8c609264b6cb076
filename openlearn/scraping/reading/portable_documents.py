"""Read PDF: the text that is in it. Scanned pages are pictures, and have none."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime

from openlearn.scraping import dates, text

_PAGES = 500
_CHARACTERS = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PortableDocument:
    title: str
    authors: tuple[str, ...]
    text: str
    language: str
    created_at: datetime | None


def read(content: bytes) -> PortableDocument:
    """
    Return the text of the first 500 pages.

    :raises ValueError: it is damaged, or locked with a password
    """
    # Loaded here: only the processes that read pages need it.
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(io.BytesIO(content))
        about = reader.metadata
        pages: list[str] = []
        length = 0
        for page in reader.pages[:_PAGES]:
            pages.append(page.extract_text().strip())
            length += len(pages[-1])
            if length > _CHARACTERS:
                break
        author = text.line(about.author, most=500) if about is not None else ""
        return PortableDocument(
            title=text.line(about.title, most=500) if about is not None else "",
            authors=tuple(name for name in (text.line(part, most=200) for part in author.split(";")) if name),
            text="\n\n".join(page for page in pages if page),
            language=text.language(reader.root_object.get("/Lang")),
            created_at=dates.plausible(about.creation_date) if about is not None else None,
        )
    except PyPdfError as error:
        raise ValueError(f"it is a PDF that cannot be read ({text.line(error, most=200)})") from error
