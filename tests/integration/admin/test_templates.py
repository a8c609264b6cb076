"""Templates in the admin: the pages, what they refuse, and who may do what."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from scheduler import schedules
from scheduler.admin import addresses
from scheduler.core.states import JobState
from scheduler.models import BulkAction, Change, Job, Template, TemplateVersion
from scheduler.services import bulk, calendars, jobs, templates
from scheduler.services.templates import instances
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db

LIST = "/admin/scheduler/template/"
PARAMETERS = [
    {"name": "number", "type": "integer", "description": "What to square."},
    {"name": "hour", "type": "integer", "default": 5, "minimum": 0, "maximum": 23},
]
BODY = {
    "task": "sample.square",
    "trigger": "0 {hour} * * *",
    "timezone": "UTC",
    "kwargs": {"number": "{number}"},
    "name": "Square of {number}",
}


@pytest.fixture
def version() -> TemplateVersion:
    return templates.create(slug="squares", title="Squares", parameters=PARAMETERS, body=BODY)


def address(name: str, version: TemplateVersion) -> str:
    return reverse(f"admin:scheduler_template_{name}", args=[version.template_id])


def text(response: Any) -> str:
    return str(response.content.decode())


class TestPages:
    def test_list_templates_with_version_and_instances(self, client: Client, version: TemplateVersion) -> None:
        instances.create(version=version, key="three", values={"number": 3})

        page = text(client.get(LIST))

        assert "Squares" in page
        assert re.search(r'<td class="[^"]*field-instance_count[^"]*"[^>]*>\s*1\s*</td>', page)  # themes add classes

    def test_show_a_template_with_its_instances(self, client: Client, version: TemplateVersion) -> None:
        instances.create(version=version, key="three", values={"number": 3})

        page = text(client.get(address("change", version)))

        assert "/admin/scheduler/job/three/" in page
        assert "What to square." in page

    def test_create_a_template(self, client: Client) -> None:
        sent = {
            "slug": "new",
            "title": "New",
            "parameters": "[]",
            "body": '{"task": "sample.nothing", "trigger": "* * * * *"}',
        }
        response = client.post(f"{LIST}add/", sent)

        assert response.url == reverse("admin:scheduler_template_change", args=[Template.objects.get(slug="new").pk])

    def test_refuse_a_template_with_a_sentence(self, client: Client) -> None:
        sent = {"slug": "new", "title": "New", "parameters": "[]", "body": '{"task": "{x}", "trigger": "* * * * *"}'}

        page = text(client.post(f"{LIST}add/", sent))

        assert "The body uses {x}, and no parameter has this name." in page
        assert not Template.objects.exists()

    def test_save_a_new_version_and_leave_the_instances(self, client: Client, version: TemplateVersion) -> None:
        instances.create(version=version, key="three", values={"number": 3})
        page = client.get(address("version", version))
        assert "0 {hour} * * *" in text(page)

        body = '{"task": "sample.square", "trigger": "30 {hour} * * *", "kwargs": {"number": "{number}"}}'
        sent = {"parameters": str(PARAMETERS).replace("'", '"'), "body": body}
        shown = text(client.post(address("version", version), {**sent, "check": "1"}))
        assert "Next runs" in shown
        assert templates.version(template=version.template).number == 1
        response = client.post(address("version", version), {**sent, "create": "1"})

        assert response.url == address("upgrade", version)
        assert templates.version(template=version.template).number == 2
        assert Job.objects.get().trigger["expression"] == "0 5 * * *"


class TestInstances:
    def test_show_what_they_do_before_they_are_created(self, client: Client, version: TemplateVersion) -> None:
        sent = {"key": "three", "p-number": "3", "p-hour": "", "check": "1"}

        page = text(client.post(address("instance", version), sent))

        assert "Square of 3" in page
        assert "05:00" in page
        assert not Job.objects.exists()

    def test_are_created_as_jobs(self, client: Client, version: TemplateVersion) -> None:
        sent = {"key": "three", "p-number": "3", "p-hour": "7", "create": "1"}

        response = client.post(address("instance", version), sent)

        job = Job.objects.get(pk="three")
        assert (job.trigger["expression"], job.updated_by) == ("0 7 * * *", "anna")
        assert "/job/three/" in response.url

    def test_are_previewed_while_the_form_is_filled_in(self, client: Client, version: TemplateVersion) -> None:
        page = text(client.get(address("instance", version)))
        asked = re.search(r'data-preview-of-form="([^"]*)"', page)
        assert asked is not None
        assert "scheduler/preview.js" in page

        empty = text(client.post(asked[1], {"key": "three", "p-number": "x"}))
        full = text(client.post(asked[1], {"key": "three", "p-number": "3", "p-hour": "7"}))

        assert "Fill in the fields" in empty
        assert "Square of 3" in full
        assert full.count("<li>") == 8
        assert "07:00" in full
        assert not Job.objects.exists()

    def test_show_struck_through_what_a_calendar_leaves_out(self, client: Client) -> None:
        calendars.create(name="weekend", rules=["sat-sun Weekend"])
        body = {"task": "sample.nothing", "trigger": {"type": "cron", "expression": "0 9 * * *", "not_on": ["weekend"]}}
        version = templates.create(slug="working-days", title="Working days", body=body)

        page = text(client.post(address("instance", version) + "?part=live", {"key": "three"}))

        assert "<s>" in page
        assert "weekend: Weekend" in page

    def test_come_from_a_provider(
        self, client: Client, version: TemplateVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(schedules._providers, "pair", lambda: [("a", {"number": 1}), ("b", {"number": 2})])

        assert "is created: 2" in text(client.post(address("table", version), {"provider": "pair", "check": "1"}))
        client.post(address("table", version), {"provider": "pair", "create": "1"})
        both = text(client.post(address("table", version), {"provider": "pair", "table": "key\nc\n", "create": "1"}))

        assert set(Job.objects.values_list("pk", flat=True)) == {"a", "b"}
        assert "Paste a table, or choose rows from code." in both

    @pytest.mark.parametrize(
        ("sent", "expected"),
        [
            ({"key": "three", "p-number": "x"}, "Enter a whole number."),
            ({"key": "three", "p-number": ""}, "This field is required."),
            ({"key": "three", "p-number": "3", "p-hour": "24"}, "less than or equal to 23"),
            ({"key": "", "p-number": "3"}, "This field is required."),
        ],
    )
    def test_are_refused_beside_the_field(
        self, client: Client, version: TemplateVersion, sent: dict[str, str], expected: str
    ) -> None:
        assert expected in text(client.post(address("instance", version), {**sent, "create": "1"}))
        assert not Job.objects.exists()

    def test_an_id_that_is_taken_is_refused(self, client: Client, version: TemplateVersion) -> None:
        instances.create(version=version, key="three", values={"number": 3})
        jobs.create(id="four", task="sample.nothing", trigger={"type": "interval", "hours": 1})

        assert "exists already" in text(
            client.post(address("instance", version), {"key": "four", "p-number": "4", "create": "1"})
        )

    def test_come_from_a_table_after_a_plan(self, client: Client, version: TemplateVersion) -> None:
        table = "key,number\na,1\nb,2\n"

        page = text(client.post(address("table", version), {"table": table, "check": "1"}))
        assert "is created: 2" in page
        assert not Job.objects.exists()

        client.post(address("table", version), {"table": table, "create": "1"})
        assert Job.objects.count() == 2
        client.post(address("table", version), {"table": "key,number\nb,3\n", "create": "1"})
        assert Job.objects.get(pk="a").state == JobState.PAUSED
        assert "nmber" in text(client.post(address("table", version), {"table": "key,nmber\n", "check": "1"}))


def upgrade(client: Client, version: TemplateVersion, sent: dict[str, str]) -> BulkAction:
    """Apply a plan, and carry out what goes on in the background."""
    response = client.post(address("upgrade", version), {**sent, "apply": "1"})
    row = BulkAction.objects.latest("pk")
    assert response.url == f"/admin/scheduler/bulkaction/{row.pk}/change/"
    return bulk.step(id=row.pk, seconds=PATIENCE_SECONDS)


class TestUpgrades:
    def test_show_each_change_and_apply_it(self, client: Client, version: TemplateVersion) -> None:
        instances.create(version=version, key="three", values={"number": 3})
        job = instances.create(version=version, key="four", values={"number": 4})
        jobs.update(job=job, actor="ada", priority=9)
        body = {**BODY, "trigger": "30 {hour} * * *", "priority": 2}
        templates.add_version(template=version.template, parameters=PARAMETERS, body=body)

        page = text(client.get(address("upgrade", version)))
        assert "Next runs" in page
        assert "9 was set by a person and stays" in page

        upgrade(client, version, {"to": "2"})
        assert dict(Job.objects.values_list("pk", "priority")) == {"three": 2, "four": 9}
        upgrade(client, version, {"to": "1", "overwrite": "1"})
        assert set(Job.objects.values_list("priority", "trigger__expression")) == {(0, "0 5 * * *")}

    def test_go_on_in_the_background_and_name_what_is_refused(self, client: Client, version: TemplateVersion) -> None:
        for number in range(1, 6):
            instances.create(version=version, key=f"job-{number}", values={"number": number})
        strict = [{**PARAMETERS[0], "maximum": 4}, PARAMETERS[1]]
        templates.add_version(template=version.template, parameters=strict, body={**BODY, "priority": 2})

        row = upgrade(client, version, {"to": "2"})

        assert (row.total, row.done, row.refused, row.requested_by) == (5, 4, 1, "anna")
        page = text(client.get(f"/admin/scheduler/bulkaction/{row.pk}/change/"))
        assert "Finished: 4 of 5 done." in page
        assert addresses.job("job-5") in page
        assert address("change", version) in page
        assert Job.objects.filter(priority=2).count() == 4
        assert set(Change.objects.filter(action="edited").values_list("actor", "via")) == {("anna", "admin")}

    def test_name_what_is_refused_in_the_readers_language(self, client: Client, version: TemplateVersion) -> None:
        instances.create(version=version, key="nine", values={"number": 9})
        strict = [{**PARAMETERS[0], "maximum": 4}, PARAMETERS[1]]
        templates.add_version(template=version.template, parameters=strict, body=BODY)
        row = upgrade(client, version, {"to": "2"})
        client.cookies["django_language"] = "es"

        for page in (address("upgrade", version), f"/admin/scheduler/bulkaction/{row.pk}/change/"):
            shown = text(client.get(page))
            assert "number: «9» debe ser como máximo 4." in shown, page

    def test_are_shown_before_the_version_is_saved(self, client: Client, version: TemplateVersion) -> None:
        instances.create(version=version, key="three", values={"number": 3})
        paused = instances.create(version=version, key="four", values={"number": 4})
        jobs.pause(job=paused, actor="ada")
        sent = {"parameters": json.dumps(PARAMETERS), "body": json.dumps({**BODY, "trigger": "30 {hour} * * *"})}

        page = text(client.post(address("version", version), {**sent, "check": "1"}))

        assert page.count("Next runs") == 1, "of the paused one too"
        assert templates.version(template=version.template).number == 1
        same = client.post(address("version", version), {**sent, "body": json.dumps(BODY), "create": "1"})
        assert same.url == address("change", version)
        assert templates.version(template=version.template).number == 1

    def test_a_version_that_is_not_there_is_not_found(self, client: Client, version: TemplateVersion) -> None:
        assert client.get(address("upgrade", version), {"to": "7"}).status_code == 404


class TestPermissions:
    PAGES = ("version", "instance", "table", "upgrade")

    def test_a_viewer_sees_and_changes_nothing(self, login: Callable[..., Client], version: TemplateVersion) -> None:
        viewer = login("view_template", "view_job")

        page = text(viewer.get(address("change", version)))

        assert "New instance" not in page
        for name in self.PAGES:
            assert viewer.get(address(name, version)).status_code == 403
            assert viewer.post(address(name, version), {"create": "1", "apply": "1"}).status_code == 403
        assert viewer.get(f"{LIST}add/").status_code == 403

    def test_who_may_not_see_templates_sees_none(self, login: Callable[..., Client], version: TemplateVersion) -> None:
        other = login("view_job", "add_job", "change_job")

        for name in ("change", *self.PAGES):
            assert other.get(address(name, version)).status_code == 403

    def test_a_template_with_instances_cannot_be_deleted(self, client: Client, version: TemplateVersion) -> None:
        instances.create(version=version, key="three", values={"number": 3})

        assert client.post(address("delete", version), {"post": "yes"}).status_code == 403
        assert Template.objects.exists()


class TestThePageOfAnInstance:
    @pytest.fixture
    def job(self, version: TemplateVersion) -> Job:
        job = instances.create(version=version, key="three", values={"number": 3})
        return jobs.update(job=job, actor="ada", name="Mine")

    def test_names_its_template_and_what_a_person_changed(self, client: Client, job: Job) -> None:
        page = text(client.get(addresses.job("three")))

        assert "Instance of the template" in page
        assert "declared as Square of 3, set to Mine" in page

    def test_keeps_the_own_values_on_request(self, client: Client, job: Job) -> None:
        client.post("/admin/scheduler/job/three/keep/", {"confirmed": "1"})

        page = text(client.get(addresses.job("three")))
        assert "who keeps these values until the source changes them" in page
        assert "Keep these values" not in page
        assert Job.objects.get().name == "Mine"

        assert "set to Mine" in text(client.post("/admin/scheduler/job/three/take/"))
        client.post("/admin/scheduler/job/three/take/", {"confirmed": "1"})
        assert Job.objects.get().name == "Square of 3"

    def test_takes_the_declared_values_on_request(self, client: Client, job: Job) -> None:
        asked = text(client.post("/admin/scheduler/job/three/take/"))
        assert "declared as Square of 3, set to Mine" in asked

        client.post("/admin/scheduler/job/three/take/", {"confirmed": "1"})
        assert Job.objects.get().name == "Square of 3"

    def test_a_viewer_is_offered_neither(self, login: Callable[..., Client], job: Job) -> None:
        viewer = login("view_job")

        assert "Take the declared values" not in text(viewer.get(addresses.job("three")))
        for name in ("take", "keep"):
            assert viewer.post(f"/admin/scheduler/job/three/{name}/", {"confirmed": "1"}).status_code == 403

    def test_can_be_detached(self, client: Client, job: Job) -> None:
        assert "New versions of the template no longer change it." in text(
            client.post("/admin/scheduler/job/three/detach/")
        )

        client.post("/admin/scheduler/job/three/detach/", {"confirmed": "1"})

        assert "Instance of the template" not in text(client.get(addresses.job("three")))
        newest = Change.objects.latest("id")
        assert (newest.actor, newest.reason) == ("anna", "Detached from the template squares.")
        assert newest.changes == {"template": ["squares 1", None]}
        assert "Template" in text(client.get(addresses.changes(job="three")))

    def test_is_found_by_its_drift(self, client: Client, job: Job) -> None:
        jobs.create(task="sample.nothing", trigger={"type": "interval", "minutes": 5}, id="other", name="Other")

        page = text(client.get(addresses.jobs(drift="yes")))

        assert addresses.job("three") in page
        assert addresses.job("other") not in page


class TestMakingATemplateOfAJob:
    def test_begins_with_the_job(self, client: Client) -> None:
        definition = {"task": "sample.square", "kwargs": {"number": 3}, "trigger": {"type": "interval", "minutes": 5}}
        job = jobs.create(id="three", name="Three squared", **definition)
        link = re.search(r'href="([^"]*)" id="template"', text(client.get(addresses.job(job.pk))))
        assert link is not None

        form = text(client.get(link[1]))

        assert 'value="three-squared"' in form
        assert "{number}" in form

    def test_of_a_job_that_is_gone_begins_empty(self, client: Client) -> None:
        assert client.get(f"{LIST}add/?job=gone%00").status_code == 200

    def test_is_not_offered_without_the_permission(self, login: Callable[..., Client]) -> None:
        jobs.create(id="three", task="sample.nothing", trigger={"type": "interval", "minutes": 5})

        assert 'id="template"' not in text(login("view_job").get(addresses.job("three")))


class TestTemplatesThatShip:
    def test_are_in_the_list_at_once(self, client: Client) -> None:
        assert "Call a URL" in text(client.get(LIST))
