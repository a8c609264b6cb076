"""Templates that ship: created when templates are first used, changed by releases, and left as people changed them."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler import schedules
from scheduler.errors import DuplicateTask, TemplateNotFound
from scheduler.models import Job, Template
from scheduler.schedules import ShippedTemplate
from scheduler.services import templates
from scheduler.services.templates import instances, predefined, upgrades

pytestmark = pytest.mark.django_db

BODY = {"task": "sample.nothing", "trigger": {"type": "interval", "minutes": 5}}
SHOP = ShippedTemplate(slug="shop", title="Shop", body=BODY, module="shop.tasks")


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A template of an app, in one release after the other."""
    monkeypatch.setattr(schedules, "_templates", {})
    monkeypatch.setattr(predefined, "SHIPPED", ())

    def release(version: str, **changes: Any) -> None:
        monkeypatch.setattr(predefined, "__version__", version)
        schedules.ship_template(ShippedTemplate(**{"slug": "shop", "title": "Shop", "body": BODY, **changes}))
        predefined.ensure()

    return release


class TestThoseOfTheScheduler:
    def test_are_there_when_templates_are_first_used(self) -> None:
        assert {each.slug for each in predefined.SHIPPED} <= set(
            templates.all_templates().values_list("slug", flat=True)
        )
        assert Template.objects.filter(is_predefined=False).count() == 0

    def test_are_there_when_one_of_them_is_asked_for(self) -> None:
        assert templates.get(slug="clean-up").is_predefined

    def test_are_left_alone_by_the_other_templates(self) -> None:
        with pytest.raises(TemplateNotFound):
            templates.get(slug="mine")

        assert not Template.objects.exists()

    @pytest.mark.parametrize(
        ("slug", "values"),
        [
            ("call-a-url", {"name": "Ask", "url": "https://example.org/health", "token": "s3cret"}),
            ("run-a-command", {"command": "check", "args": ["--deploy"]}),
            ("clean-up", {}),
            ("ping-a-dead-mans-switch", {"url": "https://example.org/ping"}),
        ],
    )
    def test_make_jobs(self, slug: str, values: dict[str, Any]) -> None:
        job = instances.create(version=templates.current(slug=slug), key="made", values=values)

        assert job.next_run_time is not None
        assert "s3cret" not in str(job.kwargs)

    def test_are_all_tried_by_the_test_above(self) -> None:
        assert len(predefined.SHIPPED) == 4


class TestReleases:
    def test_the_same_again_is_no_new_version(self, shop: Any) -> None:
        shop("1.0")
        shop("1.1")

        assert templates.current(slug="shop").number == 1

    def test_another_body_is_a_new_version_and_leaves_the_instances(self, shop: Any) -> None:
        shop("1.0")
        job = instances.create(version=templates.current(slug="shop"), key="one", values={})

        shop("1.1", body={**BODY, "priority": 3})

        assert templates.current(slug="shop").number == 2
        assert Job.objects.get(pk=job.pk).priority == 0

    def test_an_older_one_beside_it_changes_nothing_back(self, shop: Any) -> None:
        shop("1.9")
        shop("1.10", body={**BODY, "priority": 3})
        shop("1.9")

        assert templates.current(slug="shop").body["priority"] == 3
        assert templates.current(slug="shop").number == 2

    def test_what_a_person_changed_stays(self, shop: Any) -> None:
        shop("1.0")
        templates.add_version(template=templates.get(slug="shop"), body={**BODY, "priority": 7}, actor="ada")

        shop("1.1", body={**BODY, "priority": 3}, title="The shop")

        newest = templates.current(slug="shop")
        assert (newest.body["priority"], newest.created_by) == (7, "ada")
        assert newest.template.title == "The shop"

    def test_what_a_person_deleted_stays_deleted_until_it_is_restored(self, shop: Any) -> None:
        shop("1.0")
        templates.remove(template=templates.get(slug="shop"))

        shop("1.1", body={**BODY, "priority": 3})
        assert not Template.objects.exists()
        predefined.restore(slug="shop")

        assert templates.current(slug="shop").body["priority"] == 3

    def test_the_shipped_definition_comes_back_as_a_new_version(self, shop: Any) -> None:
        shop("1.0")
        templates.add_version(template=templates.get(slug="shop"), body={**BODY, "priority": 7}, actor="ada")

        predefined.restore(slug="shop")

        newest = templates.current(slug="shop")
        assert (newest.number, newest.body) == (3, BODY)

    def test_a_template_of_a_person_with_the_same_slug_is_left_alone(self, shop: Any) -> None:
        templates.create(slug="shop", title="Mine", body=BODY, actor="ada")

        shop("1.0", body={**BODY, "priority": 3})

        assert Template.objects.get().title == "Mine"
        assert not Template.objects.get().is_predefined


def test_two_apps_with_one_slug_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "_templates", {})
    schedules.ship_template(SHOP)

    with pytest.raises(DuplicateTask, match="shop"):
        schedules.ship_template(ShippedTemplate(slug="shop", title="Shop", body=BODY, module="other.tasks"))


def test_what_is_not_shipped_cannot_be_restored() -> None:
    with pytest.raises(TemplateNotFound, match="call-a-url"):
        predefined.restore(slug="nothing")


def test_a_value_that_was_left_out_follows_the_default_of_the_next_version() -> None:
    def parameters(minutes: int) -> list[dict[str, Any]]:
        return [{"name": "minutes", "type": "integer", "default": minutes}]

    body = {"task": "sample.nothing", "trigger": {"type": "interval", "minutes": "{minutes}"}}
    first = templates.create(slug="often", title="Often", parameters=parameters(5), body=body)
    instances.create(version=first, key="follows", values={})
    instances.create(version=first, key="own", values={"minutes": 7})

    upgrades.apply(version=templates.add_version(template=first.template, parameters=parameters(9), body=body))

    assert Job.objects.get(pk="follows").trigger["minutes"] == 9
    assert Job.objects.get(pk="own").trigger["minutes"] == 7
