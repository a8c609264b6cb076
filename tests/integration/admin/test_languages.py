"""Every page in a language that says each of our messages in brackets: what stands outside of them is hard-coded."""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import trans_real

from openlearn.scraping.models import Source
from scheduler.admin import addresses
from scheduler.models import Job, Rule
from scheduler.services import jobs
from tests.catalogues import CATALOGUES, read
from tests.integration.admin.runs import TRACEBACK, node, run
from tests.integration.admin.test_jobs import make
from tests.own_markup import IS_UNFOLD, OwnMarkup

ATTRIBUTES = ("aria-label", "placeholder", "title", "alt", "data-label", "data-title", "data-fresh", "data-stale")
_WORD = re.compile(r"[A-Za-z]{3,}")

NOT_OURS = re.compile(
    r"⟨.*⟩"  # what people or tasks wrote
    r"|(?:\d+ (?:d|h|min|s)\b ?)+"  # the signs of units are international
    r"|\d+ (?i:ene|feb|mar|abr|may|jun|jul|ago|sep|oct|nov|dic)\b"  # Django's, some of them called as in English
    r"|scheduler\.[\w.]+|python manage\.py runscheduler|cleanup_jobs|default|processpool|web-2|anna|\d+"
    r"|Añadir|Modificar|Por|Seleccione|a modificar|para ver|Administración de|Modelos en la aplicación"  # Django's
    r"|Pagination|\bRun\b"  # of Django 6.1, which has no Spanish for them yet
    r"|Auth tokens|Knox|Search|mon-fri|https://learn.example/feed|output_days|days|keep|shop.py"
    r"|Europe/Berlin|UTC|JSON|English|OpenLearn( Scheduler)?|ETag|Last-Modified|nightly|broken|paused|busy"
)


class _Texts(OwnMarkup):
    """
    The texts of a page that people read, by eye or by ear.

    Unfold has no Spanish for half of its own: of its pages only what is ours.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        super().handle_starttag(tag, attrs)
        self._silent += tag in ("script", "style", "code", "pre", "datalist", "textarea", "option")
        if not self.is_ours and IS_UNFOLD:
            return
        self.found |= {value for name, value in attrs if name in ATTRIBUTES and value}

    def handle_endtag(self, tag: str) -> None:
        super().handle_endtag(tag)
        self._silent -= tag in ("script", "style", "code", "pre", "datalist", "textarea", "option")

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip() and (self.is_ours or not IS_UNFOLD):
            self.found.add(data.strip())


def texts(page: bytes) -> set[str]:
    parser = _Texts()
    # Before it stand the lists of all apps, others' among them.
    parser.feed(page.decode().partition('id="content"')[2].partition(">")[2])
    return parser.found


def outside(text: str) -> str:
    """Return what stands outside of the brackets."""
    kept, depth = "", 0
    for letter in text:
        depth += (letter == "⟦") - (letter == "⟧")
        kept += letter if depth == 0 and letter != "⟧" else ""
    return kept


@pytest.fixture
def in_brackets() -> Iterator[None]:
    """Spanish, in which Django's own texts are known, says our messages in brackets."""
    ours = gettext.GNUTranslations()
    ours._catalog = {}  # type: ignore[attr-defined]
    ours.plural = lambda number: int(number != 1)  # type: ignore[attr-defined]
    for file in CATALOGUES:
        for entry in read(file):
            if entry.plural is None:
                ours._catalog[entry.key] = f"⟦{entry.msgid}⟧"  # type: ignore[attr-defined]
            else:
                for form, text in enumerate((entry.msgid, entry.plural)):
                    ours._catalog[(entry.key, form)] = f"⟦{text}⟧"  # type: ignore[attr-defined]
    trans_real.translation("es").merge(ours)
    yield
    trans_real._translations.pop("es", None)


@pytest.fixture
def things(db: None) -> dict[str, Any]:
    """One of each thing, in states that make the pages say what they can."""
    now = timezone.now()
    Rule.objects.filter(name="Any job cannot run").delete()
    Rule.objects.filter(kind="failing").update(name="⟨rule⟩")
    web = node()
    trigger = {"type": "cron", "expression": "*/15 9-17 * * mon-fri", "timezone": "Europe/Berlin"}
    job = make("nightly", name="⟨name⟩", description="⟨runbook⟩", trigger=trigger, kwargs={"days": 7}, max_retries=3)
    for number in range(1, 4):
        at = now - timedelta(hours=number)
        failed = run(
            job=job,
            job_name=job.name,
            at=at,
            node=web.pk,
            state="failed",
            error="⟨error⟩",
            traceback=TRACEBACK,
            log="⟨log⟩",
        )
    Job.objects.filter(pk=job.pk).update(consecutive_failures=3)
    make("paused", name="⟨paused⟩")
    jobs.pause(job=Job.objects.get(pk="paused"), actor="anna", reason="⟨reason⟩")
    busy = make("busy", name="⟨busy⟩")
    values = {"started_at": now, "finished_at": None, "progress": {"done": 4, "total": 10, "message": "⟨pages⟩"}}
    running = run(job=busy, job_name=busy.name, job_key="busy", at=now, state="running", node=web.pk, **values)
    make("broken", name="⟨broken⟩")
    Job.objects.filter(pk="broken").update(state="broken", reason_text="⟨reason⟩", next_run_time=None)
    source = Source.objects.create(name="⟨source⟩", url="https://learn.example/feed")
    return {"job": job, "failed": failed, "running": running, "source": source}


def _addresses(things: dict[str, Any]) -> dict[str, str]:
    job, failed, running = things["job"], things["failed"], things["running"]
    return {
        "index": reverse("admin:index"),
        "app": reverse("admin:app_list", args=["scheduler"]),
        "dashboard": reverse("admin:scheduler_dashboard"),
        "jobs": reverse("admin:scheduler_job_changelist"),
        "job": addresses.job(job.pk),
        "paused": addresses.job("paused"),
        "broken": addresses.job("broken"),
        "form": addresses.job_form(job.pk),
        "new": reverse("admin:scheduler_job_add"),
        "runs": addresses.runs(),
        "errors": addresses.runs(group="error"),
        "failed": addresses.run(failed.pk),
        "running": addresses.run(running.pk),
        "nodes": reverse("admin:scheduler_node_changelist"),
        "health": reverse("admin:scheduler_health"),
        "zone": reverse("admin:scheduler_zone"),
        "sources": reverse("admin:scraping_source_changelist"),
        "source": reverse("admin:scraping_source_change", args=[things["source"].pk]),
        "documents": reverse("admin:scraping_document_changelist"),
        "changes": reverse("admin:scheduler_change_changelist"),
    }


def _questions(things: dict[str, Any]) -> dict[str, str]:
    asked = {name: reverse(f"admin:scheduler_job_{name}", args=["nightly"]) for name in ("pause", "run", "clone")}
    return {
        **asked,
        "resume": reverse("admin:scheduler_job_resume", args=["paused"]),
        "cancel": reverse("admin:scheduler_run_cancel", args=[things["running"].pk]),
        "retry": reverse("admin:scheduler_run_retry", args=[things["failed"].pk]),
    }


class TestEveryPage:
    def test_can_be_said_in_another_language(self, client: Client, things: dict[str, Any], in_brackets: None) -> None:
        hard_coded: list[str] = []
        for name, address in {**_addresses(things), **_questions(things)}.items():
            ask = client.post if name in _questions(things) else client.get
            english = ask(address)
            other = ask(address, headers={"accept-language": "es"})
            assert (english.status_code, other.status_code) == (200, 200), name
            assert other.headers["Content-Language"] == "es"
            same = texts(english.content)
            wrong = {
                text
                for text in texts(other.content)
                if ("⟦" in text or text in same) and _WORD.search(NOT_OURS.sub("", outside(text)))
            }
            hard_coded += [f"{name}: {text}" for text in sorted(wrong)]

        assert hard_coded == []

    def test_is_read_in_spanish_by_those_who_ask_for_it(self, client: Client, things: dict[str, Any]) -> None:
        page = client.get(addresses.job("nightly"), headers={"accept-language": "es-MX,es;q=0.9,en;q=0.5"})

        shown = page.content.decode()
        assert page.headers["Content-Language"] == "es"
        assert "de lunes a viernes cada 15 minutos de 09:00 a 17:45, Europe/Berlin" in shown
        assert "Ejecutar ahora…" in shown

    def test_is_read_in_the_language_that_was_chosen(self, client: Client, things: dict[str, Any]) -> None:
        home = reverse("admin:scheduler_dashboard")

        client.post(reverse("set_language"), {"language": "es", "next": home})

        assert "Requiere atención" in client.get(home).content.decode()

    def test_of_the_api_is_english(self, client: Client, things: dict[str, Any]) -> None:
        answer = client.get("/api/v1/scheduler/jobs/none", headers={"accept-language": "es"})

        assert (answer.headers["Content-Language"], answer.json()["detail"]) == (
            "en",
            "There is no job with the id “none”.",
        )
