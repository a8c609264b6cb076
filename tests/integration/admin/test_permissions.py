"""Who may do what: four roles, every address that does or shows something."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.admin import site
from django.test import Client
from django.urls import resolve, reverse

from scheduler.admin import addresses
from scheduler.models import Change, Job, Node, Run
from tests.integration.admin.runs import node, run
from tests.integration.admin.test_jobs import ADD, LIST, make, page

VIEWER = ("view_job", "view_run", "view_node")
OPERATOR = (
    *VIEWER,
    "view_queue",
    "pause_queue",
    "drain_node",
    "change_queue",
    "pause_job",
    "run_job",
    "cancel_run",
    "retry_run",
    "note_run",
    "view_run_output",
)
EDITOR = (*VIEWER, "add_job", "change_job", "delete_job")
STRANGER = ("view_rollup",)
ROLES = {"stranger": STRANGER, "viewer": VIEWER, "operator": OPERATOR, "editor": EDITOR}


def job_action(name: str) -> str:
    return addresses.job_action(name, "nightly")


def run_action(name: str) -> str:
    return reverse(f"admin:scheduler_run_{name}", args=[Run.objects.get().pk])


def node_action(name: str) -> str:
    return reverse(f"admin:scheduler_node_{name}", args=[(Node.objects.first() or node()).pk])


def restore() -> str:
    """Of a job that is not as it was: else there is nothing to ask."""
    Job.objects.update(priority=7)
    return reverse("admin:scheduler_change_restore", args=[Change.objects.order_by("id")[0].pk])


MATRIX = [
    # what, GET or POST, where, who may
    ("dashboard", "get", lambda: reverse("admin:scheduler_dashboard"), {"viewer", "operator", "editor"}),
    ("health", "get", lambda: reverse("admin:scheduler_health"), {"viewer", "operator", "editor"}),
    ("nodes", "get", lambda: reverse("admin:scheduler_node_changelist"), {"viewer", "operator", "editor"}),
    ("drain a node", "post", lambda: node_action("drain"), {"operator"}),
    ("fill a node", "post", lambda: node_action("undrain"), {"operator"}),
    ("queues", "get", lambda: reverse("admin:scheduler_queue_changelist"), {"operator"}),
    ("queue", "get", lambda: reverse("admin:scheduler_queue_page", args=["mail"]), {"operator"}),
    ("pause a queue", "post", lambda: reverse("admin:scheduler_queue_pause", args=["mail"]), {"operator"}),
    ("resume a queue", "post", lambda: reverse("admin:scheduler_queue_resume", args=["mail"]), {"operator"}),
    ("keep runs of a queue", "post", lambda: reverse("admin:scheduler_queue_keep", args=["mail"]), {"operator"}),
    (
        "task",
        "get",
        lambda: reverse("admin:scheduler_queue_task", args=["sample.nothing"]),
        {"viewer", "operator", "editor"},
    ),
    ("time zone", "get", lambda: reverse("admin:scheduler_zone"), {"stranger", "viewer", "operator", "editor"}),
    ("jobs", "get", lambda: LIST, {"viewer", "operator", "editor"}),
    ("job", "get", lambda: addresses.job("nightly"), {"viewer", "operator", "editor"}),
    ("add", "get", lambda: ADD, {"editor"}),
    ("edit", "post", lambda: page("nightly"), {"editor"}),
    ("delete", "get", lambda: job_action("delete"), {"editor"}),
    ("preview", "post", lambda: reverse("admin:scheduler_job_preview"), {"editor"}),
    ("arguments", "post", lambda: reverse("admin:scheduler_job_arguments"), {"editor"}),
    ("pause", "post", lambda: job_action("pause"), {"operator"}),
    ("resume", "post", lambda: job_action("resume"), {"operator"}),
    ("clone", "post", lambda: job_action("clone"), {"editor"}),
    ("detach", "get", lambda: job_action("detach"), {"editor"}),
    ("take the declared values", "post", lambda: job_action("take"), {"editor"}),
    ("keep the own values", "post", lambda: job_action("keep"), {"editor"}),
    ("detach from its template", "post", lambda: job_action("detach"), {"editor"}),
    ("export", "get", lambda: job_action("export"), {"viewer", "operator", "editor"}),
    ("run now", "post", lambda: job_action("run"), {"operator"}),
    ("backfill", "get", lambda: job_action("backfill"), {"operator"}),
    ("statistics", "get", lambda: job_action("statistics"), {"viewer", "operator", "editor"}),
    ("outlook", "get", lambda: reverse("admin:scheduler_outlook"), {"viewer", "operator", "editor"}),
    ("run with other arguments", "get", lambda: job_action("run_with"), set()),
    ("changes", "get", addresses.changes, {"viewer", "operator", "editor"}),
    ("pause everything", "get", lambda: reverse("admin:scheduler_job_pause_all"), {"operator"}),
    ("many runs", "get", lambda: reverse("admin:scheduler_run_many") + "?action=cancel&select_across=1", {"operator"}),
    ("restore", "post", restore, {"editor"}),
    ("runs", "get", addresses.runs, {"viewer", "operator", "editor"}),
    ("runs as CSV", "get", lambda: addresses.runs(format="csv"), {"viewer", "operator", "editor"}),
    ("run", "get", lambda: addresses.run(Run.objects.get().pk), {"viewer", "operator", "editor"}),
    ("log", "get", lambda: run_action("log"), {"operator"}),
    ("retry", "post", lambda: run_action("retry"), {"operator"}),
    # Other arguments are another definition: this takes the permissions of an operator and of an editor together.
    ("run again", "post", lambda: run_action("again"), set()),
    ("cancel", "post", lambda: run_action("cancel"), {"operator"}),
    ("note", "post", lambda: run_action("note"), {"operator"}),
    ("take on", "post", lambda: run_action("take"), {"operator"}),
    ("release", "post", lambda: run_action("release"), {"operator"}),
]


class TestMatrix:
    @pytest.mark.parametrize("role", ROLES)
    def test_opens_to_each_role_just_what_it_may(self, login: Callable[..., Client], role: str) -> None:
        run(job=make(), log="a line")
        client = login(*ROLES[role])

        wrong = []
        for what, method, where, roles in MATRIX:
            status = getattr(client, method)(where()).status_code
            if status != (200 if role in roles else 403):
                wrong.append(f"{what}: {status}")

        assert wrong == []
        assert (Job.objects.get().version, Run.objects.count()) == (2, 1), "restore() has made the second version"

    def test_has_every_address_of_ours(self, db: None) -> None:
        run(job=make())
        checked = {resolve(where().partition("?")[0]).url_name for _what, _method, where, _roles in MATRIX}

        own = {
            route.name
            for model in (Change, Job, Node, Run)
            for route in site.get_model_admin(model).get_urls()
            if route.name and not route.name.endswith(("_history", "_add", "_change", "_changelist", "_delete"))
        }

        assert own <= checked

    @pytest.mark.parametrize("what", [row[0] for row in MATRIX])
    def test_shows_nothing_to_those_who_are_not_logged_in(self, db: None, what: str) -> None:
        run(job=make(), log="a line")
        _what, method, where, _roles = next(row for row in MATRIX if row[0] == what)

        response = getattr(Client(), method)(where())

        assert (response.status_code, "/login/" in response.url) == (302, True)

    @pytest.mark.parametrize("what", ["pause", "resume", "clone", "run now", "retry", "run again", "cancel"])
    def test_takes_no_action_by_get(self, login: Callable[..., Client], what: str) -> None:
        run(job=make())
        _what, _method, where, _roles = next(row for row in MATRIX if row[0] == what)

        before = (list(Job.objects.values()), list(Run.objects.values()))

        answer = login(*OPERATOR, *EDITOR[3:]).get(where(), {"confirmed": "1"})

        assert answer.status_code == 200
        assert (list(Job.objects.values()), list(Run.objects.values())) == before
