"""Group documents with (nearly) the same text: each copy names the one that was found first."""

from __future__ import annotations

from openlearn.scraping.models import Document
from openlearn.scraping.reading.similarity import is_near

_CANDIDATES = 200


def original_of(*, document_id: int, fingerprint: list[int]) -> int | None:
    """Return the oldest other document with nearly the same text that is not a copy itself, or ``None``."""
    likely = Document.objects.filter(fingerprint__overlap=fingerprint, duplicate_of__isnull=True, pk__lt=document_id)
    for candidate, other in likely.order_by("pk").values_list("pk", "fingerprint")[:_CANDIDATES]:
        if other is not None and is_near(fingerprint, other):
            return int(candidate)
    return None


def group(*, document_id: int, fingerprint: list[int] | None) -> None:
    """Note the fingerprint of a document's text, and of which other document it is a copy."""
    original = original_of(document_id=document_id, fingerprint=fingerprint) if fingerprint is not None else None
    known = Document.objects.filter(pk=document_id).values_list("fingerprint", "duplicate_of_id").first()
    if known != (fingerprint, original):
        Document.objects.filter(pk=document_id).update(fingerprint=fingerprint, duplicate_of_id=original)
