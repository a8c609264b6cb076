"""Sources for the tests of their pages."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from openlearn.scraping import services
from openlearn.scraping.models import Source

SOURCES = reverse("admin:scraping_source_changelist")


def add_source(name: str = "Planet", **values: Any) -> Source:
    source = Source(name=name, url=f"https://example.org/{name}", **values)
    services.save_source(source=source)
    return source
