"""Fields, JSON, and what is saved are one value: changing how arguments are shown changes nothing that is stored."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler import sealing
from scheduler.models import Job
from scheduler.services import jobs
from tests.integration.api.conftest import EVERY_HOUR

ARGUMENTS = reverse("admin:scheduler_job_arguments")


TYPED = "governed.typed"


class Fields(HTMLParser):
    """Reads the fields of a form as a browser would send them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._area = self._select = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name = found.get("name") or ""
        if tag == "input" and name and (found.get("type") not in ("radio", "checkbox") or "checked" in found):
            kept = found.get("value") or ""
            # A browser takes line breaks out of a field of one line.
            self.values[name] = kept if found.get("type") == "hidden" else kept.replace("\n", "").replace("\r", "")
        elif tag == "textarea":
            self._area, self.values[name] = name, ""
        elif tag == "select":
            self._select = name
            self.values.setdefault(name, "")
        elif tag == "option" and "selected" in found:
            self.values[self._select] = found.get("value") or ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.values[self._area] += data.removeprefix("\n").replace("\n", "\r\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""
        elif tag == "select":
            self._select = ""


def form_of(client: Client, job: Job) -> dict[str, str]:
    html = client.get(reverse("admin:scheduler_job_change", args=[job.pk])).content.decode()
    return {name: value for name, value in Fields(html).values.items() if name and not name.startswith("_")}


def switch(client: Client, form: dict[str, str], want: str) -> dict[str, str]:
    shown = Fields(client.post(ARGUMENTS, {**form, "want": want}).content.decode()).values
    return {name: value for name, value in form.items() if not name.startswith("kwargs")} | shown


def save(client: Client, job: Job, form: dict[str, str]) -> Any:
    answer = client.post(reverse("admin:scheduler_job_change", args=[job.pk]), form)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    return Job.objects.get(pk=job.pk).kwargs


_TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=8)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | _TEXTS, lambda inner: st.lists(inner, max_size=2), max_leaves=3
)
ARGUMENT_VALUES = st.fixed_dictionaries(
    {},
    optional={
        "text": _TEXTS | st.sampled_from([" padded ", "two\nlines", "0", "•"]),
        "number": st.integers(-(2**40), 2**40),
        "share": st.floats(-1e6, 1e6, allow_nan=False),
        "flag": st.booleans(),
        "size": st.sampled_from(["small", "large"]),
        "word": st.sampled_from(["a", "b"]),
        "names": st.lists(_TEXTS | st.sampled_from([" a", "", "b"]), max_size=3),
        "mapping": st.dictionaries(st.sampled_from(["k", "l"]), _JSON, max_size=2),
        "maybe": st.none() | st.integers(-9, 9),
        "token": st.sampled_from(["hush", " spaced "]),
    },
)


WAYS = [(), ("json",), ("fields",), ("json", "fields"), ("json", "fields", "json")]
"""How the arguments are shown, one after the other."""


@pytest.mark.django_db
class TestTheArgumentsOfAJob:
    @given(way=st.sampled_from(WAYS), values=ARGUMENT_VALUES)
    @settings(
        max_examples=30,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    def test_stay_what_they_are_however_they_are_shown(
        self, client: Client, way: tuple[str, ...], values: dict[str, Any]
    ) -> None:
        Job.objects.all().delete()
        job = jobs.create(id="typed", task=TYPED, trigger=EVERY_HOUR, kwargs=values)
        before = Job.objects.get().kwargs

        form = form_of(client, job)
        for want in way:
            form = switch(client, form, want)
        after = save(client, job, form)

        assert json.dumps(after, sort_keys=True) == json.dumps(before, sort_keys=True)

    def test_keep_the_secret_that_was_stored(self, client: Client) -> None:
        job = jobs.create(id="typed", task=TYPED, trigger=EVERY_HOUR, kwargs={"token": "hush", "number": 1})

        form = switch(client, form_of(client, job), "json")

        assert '"token": "•••"' in form["kwargs"]
        assert sealing.unseal(save(client, job, form)["token"]) == "hush"

    def test_lose_the_secret_only_where_somebody_takes_it_out(self, client: Client) -> None:
        job = jobs.create(id="typed", task=TYPED, trigger=EVERY_HOUR, kwargs={"token": "hush", "number": 1})
        form = switch(client, form_of(client, job), "json")

        form = switch(client, {**form, "kwargs": '{"number": 1}'}, "fields")

        assert save(client, job, form) == {"number": 1}

    def test_carry_a_secret_that_was_typed_from_one_form_to_the_other(self, client: Client) -> None:
        job = jobs.create(id="typed", task=TYPED, trigger=EVERY_HOUR)
        form = {**form_of(client, job), "kwargs-value-token": "new"}

        form = switch(client, switch(client, form, "json"), "fields")

        assert sealing.unseal(save(client, job, form)["token"]) == "new"
