"""
Every page of the admin, twice: on a site of a project's own, and in a language that writes numbers in another way.

The pages are found by following their links from the index on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from django.test import Client, override_settings
from django.utils import formats, timezone, translation
from django.utils.formats import number_format

from scheduler import conf
from scheduler.core.states import RunState
from scheduler.models import Change, Run
from tests.crawling import WORDS, crawl, read
from tests.integration.admin import every_kind
from tests.integration.admin.sources import add_source

pytestmark = pytest.mark.django_db


@pytest.fixture
def full(db: None) -> None:
    every_kind.fill()


@pytest.fixture
def spanish(settings: Any) -> Callable[[], None]:
    def switch() -> None:
        settings.LANGUAGE_CODE = "es"
        settings.USE_THOUSAND_SEPARATOR = True
        translation.activate("es")

    return switch


class TestASiteOfAProjectsOwn:
    @pytest.fixture(autouse=True)
    def own_site(self, settings: Any) -> None:
        settings.ROOT_URLCONF = "tests.integration.admin.own_sites"

    def test_opens_every_page_and_leads_to_no_other_site(self, client: Client, full: None) -> None:
        pages = crawl(client, start="/ops/")

        opened = {address for address, answer in pages.items() if answer.status_code == 200 and not answer.streaming}
        assert {a: page.status_code for a, page in pages.items() if page.status_code not in (200, 302, 405)} == {}
        for part in (
            *("job/", "run/", "node/", "node/health/", "change/", "rule/", "channel/", "incident/", "template/"),
            *("calendar/", "notification/"),
        ):
            assert f"/ops/scheduler/{part}" in opened, part
        wanted = {"/ops/scheduler/job/nightly/show/", "/ops/scheduler/run/#/change/"}
        assert set(map(_kind, opened)) >= wanted
        elsewhere = {
            (address, other)
            for address in opened
            for other in read(pages[address]).addresses
            if other.startswith("/admin/")
        }
        assert elsewhere == set()

    def test_keeps_the_zone_of_its_pages(self, client: Client) -> None:
        answer = client.post("/ops/scheduler/job/zone/", {"zone": "UTC", "next": "/ops/scheduler/job/"})

        assert answer.headers["Location"] == "/ops/scheduler/job/"
        assert {cookie["path"] for cookie in answer.cookies.values()} == {"/ops/"}

    def test_is_where_an_address_that_leads_nowhere_gets_its_page(self, client: Client) -> None:
        answer = client.get("/ops/scheduler/job/nothing/page/")

        assert answer.status_code in (302, 404)

    def test_is_where_messages_lead(self, settings: Any) -> None:
        from scheduler.services.alerts import links

        settings.SCHEDULER = {**settings.SCHEDULER, "SITE_URL": "https://shop.example"}
        conf.get.cache_clear()
        try:
            assert links.job("nightly") == "https://shop.example/ops/scheduler/job/nightly/show/"
        finally:
            conf.get.cache_clear()


def _kind(address: str) -> str:
    return re.sub(r"\d+", "#", urlsplit(address).path)


VOLATILE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.+-]+Z?|\b\d+(?:\.\d+)? ?(?:s|ms)\b|\b\d{10}\b|\b[0-9a-f]{32}\b")
"""Instants, ages and keys of forms, which differ from one look to the next."""


class TestNumbersForMachines:
    @pytest.fixture(autouse=True)
    def stands_still(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Drawings move on every five minutes: not between two looks."""
        now = timezone.now()
        monkeypatch.setattr(timezone, "now", lambda: now)

    def test_are_the_same_however_people_read_them(self, client: Client, full: None, settings: Any) -> None:
        pages = crawl(client, start="/admin/scheduler/")
        looked_at = 0

        different = {}
        for address, answer in pages.items():
            if not _is_ours(address, answer):
                continue
            before = _for_machines(client.get(address))
            with _other_numbers(settings):
                after = _for_machines(client.get(address))
            looked_at += len(before)
            if before - after:
                different[address] = sorted(before - after)[:5]

        assert different == {}
        assert looked_at > 1000

    def test_are_the_same_in_spanish(self, client: Client, full: None, settings: Any) -> None:
        pages = crawl(client, start="/admin/scheduler/run/", most=40)

        different = {}
        for address, answer in pages.items():
            if not _is_ours(address, answer):
                continue
            before = _for_machines(client.get(address), names=_TARGETS)
            with override_settings(LANGUAGE_CODE="es", USE_THOUSAND_SEPARATOR=True), translation.override("es"):
                after = _for_machines(client.get(address), names=_TARGETS)
            if before - after:
                different[address] = sorted(before - after)[:5]

        assert different == {}

    def test_follow_a_log_from_where_it_was(self, client: Client, full: None, spanish: Callable[[], None]) -> None:
        spanish()
        running = Run.objects.get(state=RunState.RUNNING)

        page = client.get(f"/admin/scheduler/run/{running.pk}/change/").content.decode()

        assert 'data-last="1203"' in page
        assert not re.search(r'(?:href|id|data-\w+)="[^"]*\d[.,]\d{3}', page)
        assert Change.objects.order_by("pk").last().pk > every_kind.MANY  # type: ignore[union-attr]


class TestNumbersForPeople:
    def test_are_spanish_in_spanish(self, client: Client, full: None, spanish: Callable[[], None]) -> None:
        spanish()
        add_source(consecutive_failures=every_kind.MANY, pages_known=54_321, pages_failing=1234)
        wrong: dict[str, list[str]] = {}
        looked_at = 0

        for start in ("/admin/scheduler/", "/admin/scraping/"):
            for address, answer in crawl(client, start=start).items():
                if answer.status_code != 200 or answer.streaming or "text/html" not in answer.headers["Content-Type"]:
                    continue
                texts = _Said.of(answer)
                looked_at += len(re.findall(r"\d", " ".join(texts)))
                if found := [text for text in texts if _ENGLISH_NUMBER.search(_OF_NO_LANGUAGE.sub("", text))]:
                    wrong[address] = found[:5]

        assert wrong == {}
        assert looked_at > 1000

    @pytest.mark.parametrize(
        ("text", "is_english"),
        [
            ("1,234 runs", True),
            ("84.6 %", True),
            ("12345", True),
            ("1.234", False),
            ("84,6 %", False),
            ("#12345", False),
        ],
    )
    def test_are_known_when_they_are_english(self, text: str, is_english: bool) -> None:
        assert bool(_ENGLISH_NUMBER.search(_OF_NO_LANGUAGE.sub("", text))) == is_english


_ENGLISH_NUMBER = re.compile(r"(?<![\w.,])(?:[1-9]\d{0,2}(?:,\d{3})+|\d+\.(?:\d{1,2}|\d{4,})|\d{5,})(?![\w.,]\d|\w)")
"""A comma between thousands, a point before decimals, or five digits and more in a row."""

_OF_NO_LANGUAGE = re.compile(
    r"#\d+|n\.º \d+|versión \d+|v\d[\d.]*|https?://\S+|\w+\.\w*[a-z_]\w*|\d+\.\d+\.\d+|[\w:.-]*\d{4}-\d\d[\w:.+-]*"
)
"""Ids, versions, addresses, names in code and instants."""


class _Said(HTMLParser):
    """What a person reads of a page, in texts and attributes, but for what is quoted."""

    QUOTED = frozenset({"script", "style", "code", "pre", "textarea", "option", "bdi", "kbd", "datalist"})

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._quoted = 0

    @classmethod
    def of(cls, answer: Any) -> list[str]:
        parser = cls()
        parser.feed(answer.content.decode().partition('id="content"')[2])
        return parser.texts

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._quoted += tag in self.QUOTED
        read = WORDS - {"content", "placeholder", *(["title"] if tag == "time" else [])}
        self.texts += [value for name, value in attrs if name in read and value]

    def handle_endtag(self, tag: str) -> None:
        self._quoted -= tag in self.QUOTED

    def handle_data(self, data: str) -> None:
        if not self._quoted and data.strip():
            self.texts.append(data.strip())


_TARGETS = frozenset({"href", "id", "for", "max", "data-last", "data-tail", "action"})


@contextmanager
def _other_numbers(settings: Any) -> Iterator[None]:
    """Let numbers be written as 1.234,5, and words stay what they are."""
    with override_settings(FORMAT_MODULE_PATH=["tests.formats"], USE_THOUSAND_SEPARATOR=True):
        formats.reset_format_cache()
        assert number_format(1234.5) == "1.234,5"
        yield
    formats.reset_format_cache()


def _is_ours(address: str, answer: Any) -> bool:
    is_page = answer.status_code == 200 and not answer.streaming and "text/html" in answer.headers["Content-Type"]
    return is_page and address.startswith("/admin/scheduler/")


def _for_machines(answer: Any, *, names: frozenset[str] | None = None) -> Counter[tuple[str, str, str]]:
    """Count the attributes with a number, of these names or of all. Lists may be in another order."""
    found = ((tag, name, VOLATILE.sub("#", unquote(value))) for tag, name, value in read(answer).attributes)
    return Counter(each for each in found if re.search(r"\d", each[2]) and (names is None or each[1] in names))


@pytest.fixture(autouse=True)
def afterwards() -> Iterator[None]:
    yield
    translation.activate("en")
    formats.reset_format_cache()
