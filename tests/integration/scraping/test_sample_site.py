from __future__ import annotations

import threading
from collections.abc import Iterator
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.core.wsgi import get_wsgi_application

from openlearn.scraping import seeds, services
from openlearn.scraping.models import Document
from scheduler import conf


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def root(settings) -> Iterator[str]:
    """The project itself, served on loopback. The sample site needs no database."""
    server = make_server("127.0.0.1", 0, get_wsgi_application(), server_class=Server, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    settings.SCHEDULER = {**settings.SCHEDULER, "ALLOWED_HOSTS": (f"127.0.0.1:{server.server_port}",)}
    settings.SCRAPING = {"ROBOTS_SECONDS": 0.0}
    settings.SECURE_SSL_REDIRECT = False
    conf.get.cache_clear()
    yield f"http://127.0.0.1:{server.server_port}"
    conf.get.cache_clear()
    server.shutdown()
    server.server_close()
    thread.join(120)


@pytest.mark.django_db
class TestTheSampleSite:
    def test_is_scraped_by_what_is_seeded(self, root):
        sources = seeds.seed_sample(root)

        summaries = [services.scrape_source(source_id=source.pk) for source in sources]

        assert [(found.new, found.skipped, found.failed) for found in summaries] == [
            (4, 0, 0),
            (2, 0, 0),
            (2, 1, 0),
            (1, 0, 0),
        ]
        services.extract_documents()
        assert Document.objects.count() == 9
        assert not Document.objects.filter(text="").exists()
        assert not Document.objects.filter(title="").exists()
        lesson = Document.objects.get(url=f"{root}/sample/lessons/reading-a-crontab/")
        assert (lesson.title, lesson.authors, lesson.language) == ("Reading a crontab line", ["Mira Solberg"], "en")
        assert "There is one trap." in lesson.text
        assert lesson.published_at.isoformat() == "2026-03-02T09:00:00+00:00"

    def test_does_not_change_between_two_scrapes(self, root):
        sources = seeds.seed_sample(root)
        for source in sources:
            services.scrape_source(source_id=source.pk)
        services.extract_documents()

        again = [services.scrape_source(source_id=source.pk) for source in sources]

        assert all(found.not_modified for found in again)
        assert not any(found.new or found.changed or found.pages or found.failed for found in again)
        assert services.extract_documents() == services.ExtractionSummary()


class TestRobotsTxt:
    def test_speaks_for_the_host(self, client):
        answer = client.get("/robots.txt")

        assert answer["content-type"] == "text/plain; charset=utf-8"
        assert b"Disallow: /sample/private/" in answer.content
        assert client.post("/robots.txt").status_code == 405


class TestPages:
    def test_name_an_icon_so_that_browsers_ask_for_none(self, client):
        for page in ("/sample/", "/sample/lessons/reading-a-crontab/"):
            assert b'<link rel="icon" href="data:,">' in client.get(page).content, page


class TestPieces:
    def test_that_do_not_exist_are_not_found(self, client):
        assert client.get("/sample/lessons/glossary/").status_code == 404
        assert client.get("/sample/lessons/../../etc/").status_code == 404
