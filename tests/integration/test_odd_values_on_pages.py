"""
Values that SQL can store and Python cannot hold, or JSON cannot say: pages, the API and commands answer beside them.

Every column of such a type gets one of them, past the services and their triggers.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import Error, connection, transaction
from django.test import Client
from django.utils import translation

from tests.crawling import crawl
from tests.integration.admin import every_kind
from tests.integration.test_words_of_a_newer_release import COMMANDS, PATHS

VALUES = {
    "timestamp with time zone": ("infinity", "-infinity", "20000-01-01", "0044-03-15 BC"),
    "date": ("infinity", "-infinity", "20000-01-01", "0044-03-15 BC"),
    "double precision": ("Infinity", "-Infinity", "NaN", "1e308"),
    "real": ("Infinity", "-Infinity", "NaN", "1e38"),
    "numeric": ("NaN", "1e400", "-1e400", "0"),
    "interval": ("178000000 years", "-178000000 years", "1 microsecond", "0"),
}
JSON = {
    "args": ("[1e400]", "[-1e400]", "[[1e400]]", "[]"),
    "kwargs": ('{"a": 1e400}', '{"a": -1e400}', '{"a": [1e400]}', "{}"),
    "result": ("1e400", "[-1e400]", '{"a": 1e400}', "null"),
    "progress": ('{"done": 1e400}', '{"done": -1e400}', '{"percent": 1e400}', '{"total": 1e400}'),
}
"""Columns with numbers of somebody else. Others say what a row is, which is another subject (``test_odd_rows``)."""


def write(place: int) -> int:
    """Write into each column the value at this place, where constraints allow it. Return in how many."""
    written = 0
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for model in apps.get_app_config("scheduler").get_models():
            cursor.execute(
                "SELECT column_name, data_type FROM information_schema.columns"
                " WHERE table_name = %s AND table_schema = current_schema()",
                [model._meta.db_table],
            )
            for column, kind in cursor.fetchall():
                values = JSON.get(column) if kind == "jsonb" else VALUES.get(kind)
                if values is None:
                    continue
                try:
                    with transaction.atomic():
                        cursor.execute(
                            f"UPDATE {model._meta.db_table} SET {column} = %s WHERE {column} IS NOT NULL",  # noqa: S608
                            [values[place]],
                        )
                        written += cursor.rowcount > 0
                except Error:
                    continue  # a constraint does not allow it
        cursor.execute("UPDATE django_apscheduler_djangojob SET next_run_time = %s", [VALUES["date"][place]])
        cursor.execute("SET session_replication_role = origin")
    return written


@pytest.mark.django_db
class TestOddValues:
    @pytest.fixture(autouse=True, params=range(4), ids=["for ever", "since ever", "far away", "long ago"])
    def rows(self, request: pytest.FixtureRequest) -> None:
        every_kind.fill()
        assert write(request.param) > 20

    @pytest.fixture
    def browser(self, admin_client: Client) -> Iterator[Client]:
        admin_client.raise_request_exception = False
        with translation.override("en"):
            yield admin_client

    def test_are_on_every_page(self, browser: Client) -> None:
        pages = crawl(browser, start="/admin/scheduler/")

        failed = {address: page.status_code for address, page in pages.items() if page.status_code >= 500}
        assert failed == {}
        assert len(pages) > 60

    def test_are_in_every_answer_of_the_api(self, browser: Client) -> None:
        answers = {path: browser.get(f"/api/v1/scheduler/{path}") for path in PATHS}

        failed = {path: answer.status_code for path, answer in answers.items() if answer.status_code >= 400}
        assert failed.pop("health", 503) == 503
        assert failed == {}

    @pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
    def test_are_printed_by_every_command(self, words: tuple[str, ...]) -> None:
        out = StringIO()

        call_command(*words, stdout=out, stderr=StringIO())

        assert out.getvalue()
