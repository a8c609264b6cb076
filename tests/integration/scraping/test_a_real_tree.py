"""Pages that nobody wrote for these tests: the documentation of Python, as Debian packs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from openlearn.scraping import services
from openlearn.scraping.models import Document, Page, Source
from tests.websites import reply, reply_file, sitemap

PAGES = 150
"""Enough for a batch, few enough for a test."""

_LARGE = 300_000
"""Bytes. The table of contents is one page of 2.5 MB, and costs ten seconds alone."""

EXTRACTED = 30
"""Taking text out of pages of this size costs a fifth of a second each."""


@pytest.fixture(scope="module")
def tree() -> Path:
    """The folder with most pages of what python3-doc and its versioned packages install."""
    folders = [path for path in Path("/usr/share/doc").glob("python3*/html") if (path / "library").is_dir()]
    if folders:
        return max(folders, key=lambda folder: sum(1 for _ in folder.rglob("*.html")))
    missing = "The documentation of Python is not installed: apt-get install python3-doc"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture
def source(tree, allowed, db, settings) -> Source:
    settings.SCRAPING = {"ROBOTS_SECONDS": 60.0}
    files = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*.html") if path.stat().st_size < _LARGE)
    chosen = files[:: max(1, len(files) // PAGES)][:PAGES]
    allowed.routes |= {f"/{name}": reply_file(tree / name) for name in chosen}
    allowed.routes["/sitemap.xml"] = reply(sitemap(*((f"/{name}", "") for name in chosen)))
    source = Source(name="Python", kind="sitemap", url=allowed.url("/sitemap.xml"), page_limit=PAGES)
    services.save_source(source=source)
    return source


class TestTheDocumentationOfPython:
    def test_becomes_documents_and_stays_as_it_is(self, source):
        first = services.scrape_source(source_id=source.pk)

        assert (first.new, first.failed, first.skipped) == (PAGES, 0, 0)
        extracted = services.extract_documents(limit=EXTRACTED)
        assert (extracted.new, extracted.skipped) == (EXTRACTED, 0)
        documents = Document.objects.filter(source=source)
        assert documents.count() == EXTRACTED
        assert documents.exclude(title="").count() == documents.count()
        assert documents.exclude(text="").count() >= 0.9 * documents.count()
        assert documents.filter(language__startswith="en").count() == documents.count()

        stored = list(Page.objects.order_by("pk").values_list("pk", "body_hash", "fetched_at", "extracted_at"))
        second = services.scrape_source(source_id=source.pk)

        assert (second.new, second.changed, second.unchanged, second.failed) == (0, 0, PAGES, 0)
        assert list(Page.objects.order_by("pk").values_list("pk", "body_hash", "fetched_at", "extracted_at")) == stored
        assert Page.objects.unextracted().count() == PAGES - EXTRACTED
