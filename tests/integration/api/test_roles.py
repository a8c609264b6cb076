"""Every address and verb, over roles: who may do what, and that nobody else can."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser
from django.test import Client, RequestFactory
from django.utils import timezone
from knox.models import AuthToken

from scheduler import conf
from scheduler.api import urls
from scheduler.api.throttling import PerMinute, address_of
from scheduler.models import BulkAction, Job, Run
from scheduler.services import bulk, jobs
from scheduler.services.bulk import Selection
from tests.integration.api.conftest import BASE, EVERY_HOUR, Caller

JOB = {"task": "sample.nothing", "trigger": EVERY_HOUR}
NODE = "00000000-0000-0000-0000-000000000000"
NOT_THERE = 2**40
VERBS = ("get", "post", "put", "patch", "delete", "options")


@dataclass(frozen=True)
class Door:
    """One verb at one address, what opens it, and what the answer is then."""

    verb: str
    path: str
    needs: tuple[str, ...]
    answers: int = 200
    body: Any = None
    name: str = field(default="")


DOORS = (
    Door("get", "status", ("view_job",)),
    Door("get", "metrics", ("view_job",)),
    Door("get", "/metrics", ("view_job",)),
    Door("get", "jobs", ("view_job",)),
    Door("post", "jobs", ("add_job",), 201, JOB),
    Door("post", "jobs/preview", ("view_job",), 200, {"trigger": EVERY_HOUR}),
    Door("post", "jobs/bulk", ("view_job", "pause_job"), 200, {"action": "pause", "ids": ["j"]}),
    Door("post", "jobs/bulk", ("view_job", "pause_job"), 200, {"action": "resume", "ids": ["j"]}),
    Door("post", "jobs/bulk", ("view_job", "delete_job"), 200, {"action": "delete", "ids": ["j"]}),
    Door("post", "jobs/bulk", ("view_job", "run_job"), 200, {"action": "run", "ids": ["j"]}),
    Door("post", "jobs/bulk", ("view_job", "change_job"), 200, {"action": "add_tags", "ids": ["j"], "tags": ["a"]}),
    Door("post", "jobs/bulk", ("view_job", "change_job"), 200, {"action": "remove_tags", "ids": ["j"], "tags": ["a"]}),
    Door("post", "declarations", ("view_job", "add_job", "change_job", "pause_job"), 200, {"dry_run": True}),
    Door("get", "jobs/j/declaration", ("view_job",), 404),
    Door("post", "jobs/j/declaration/take", ("change_job",), 404),
    Door("post", "jobs/j/declaration/keep", ("change_job",), 404),
    Door("get", "jobs/j/template", ("view_job", "view_template")),
    Door("delete", "jobs/j/template", ("change_job",), 404),
    Door("get", "calendars", ("view_calendar",)),
    Door("post", "calendars", ("add_calendar",), 201, {"name": "weekend", "rules": ["sat-sun"]}),
    Door("post", "calendars/file", ("view_calendar",), 400, {"file": "nothing"}),
    Door("get", "calendars/nowhere", ("view_calendar",), 404),
    Door("get", "calendars/nowhere/entries", ("view_calendar",), 404),
    Door("patch", "calendars/nowhere", ("change_calendar",), 404, {"title": "t"}),
    Door("delete", "calendars/nowhere", ("delete_calendar",), 404),
    Door("get", "templates", ("view_template",)),
    Door("post", "templates", ("add_template",), 201, {"slug": "t", "title": "T", "body": JOB}),
    Door("get", "templates/nowhere", ("view_template",), 404),
    Door("delete", "templates/nowhere", ("delete_template",), 404),
    Door("post", "templates/nowhere/versions", ("change_template",), 404, {"body": JOB}),
    Door("post", "templates/nowhere/versions/plan", ("view_template", "view_job"), 404, {"body": JOB}),
    Door("post", "templates/nowhere/instances", ("view_template", "add_job"), 404, {"key": "k"}),
    Door("post", "templates/nowhere/upgrade", ("view_template", "change_job"), 404, {}),
    Door("post", "templates/nowhere/sync", ("view_template", "add_job", "change_job"), 404, {"rows": []}),
    Door("post", "jobs/j/pause", ("pause_job",), 200, {}),
    Door("post", "jobs/j/resume", ("pause_job",), 200, {}),
    Door("post", "jobs/j/run", ("run_job",), 202, {}),
    Door("post", "jobs/j/run", ("run_job", "change_job"), 202, {"kwargs": {}}),
    Door("post", "jobs/j/clone", ("add_job",), 201, {}),
    Door("get", "jobs/j/next", ("view_job",)),
    Door("get", "jobs/j/changes", ("view_job",)),
    Door("get", "changes", ("view_job",)),
    Door("post", "jobs/j/restore", ("change_job",), 404, {"change": 2**40}),
    Door("get", "jobs/j/runs", ("view_run",)),
    Door("get", "jobs/j", ("view_job",)),
    Door("patch", "jobs/j", ("change_job",), 200, {"priority": 1}),
    Door("delete", "jobs/j", ("delete_job",), 204),
    Door("get", "runs", ("view_run",)),
    Door("get", "runs/{run}", ("view_run",)),
    Door("get", "runs/{run}/log", ("view_run", "view_run_output")),
    Door("get", "runs/{run}/traceback", ("view_run", "view_run_output")),
    Door("post", "runs/{run}/cancel", ("cancel_run",), 202),
    Door("post", "runs/{run}/retry", ("retry_run",), 409),
    Door("post", "jobs/bulk/background", ("view_job", "pause_job"), 202, {"action": "pause", "ids": ["j"]}),
    Door("post", "jobs/bulk/background", ("view_job", "add_job"), 202, {"action": "clone", "ids": ["j"]}),
    Door(
        "post",
        "jobs/bulk/background",
        ("view_job", "change_job"),
        202,
        {"action": "edit", "ids": ["j"], "changes": {"timeout": 5}},
    ),
    Door(
        "post",
        "jobs/j/backfill",
        ("view_job", "run_job"),
        202,
        {"since": "2026-01-01T00:00:00Z", "until": "2026-01-01T02:00:00Z"},
    ),
    Door("post", "runs/bulk", ("view_run", "cancel_run"), 202, {"action": "cancel", "ids": [1]}),
    Door("post", "runs/bulk", ("view_run", "retry_run"), 202, {"action": "retry", "ids": [1]}),
    Door("post", "runs/bulk", ("view_run", "delete_run"), 202, {"action": "delete", "ids": [1]}),
    Door("get", "bulk/{many}", ("view_run",)),
    Door("post", "bulk/{many}/stop", ("view_run", "delete_job")),
    Door("get", "bulk/{many_jobs}", ("view_job",)),
    Door("post", "bulk/{many_jobs}/stop", ("view_job", "delete_job")),
    Door(
        "post",
        "runs/bulk",
        ("view_run", "cancel_run", "view_run_output"),
        202,
        {"action": "cancel", "filter": {"log": "a"}},
    ),
    Door("get", "runs/{run}/notes", ("view_run",)),
    Door("post", "runs/{run}/notes", ("view_run", "note_run"), 201, {"text": "Seen."}),
    Door("post", "runs/{run}/take", ("view_run", "note_run"), 201, {}),
    Door("post", "runs/{run}/release", ("view_run", "note_run"), 409, {}),
    Door("get", "nodes", ("view_node",)),
    Door("get", f"nodes/{NODE}", ("view_node",), 404),
    Door("post", f"nodes/{NODE}/drain", ("view_node", "drain_node"), 404),
    Door("post", f"nodes/{NODE}/undrain", ("view_node", "drain_node"), 404),
    Door("get", "tasks", ("view_job",)),
    Door("get", "tasks/sample.nothing", ("view_job",)),
    Door("post", "tasks/sample.nothing/enqueue", ("run_job", "add_job"), 202, {}),
    Door("get", "queues", ("view_run",)),
    Door("get", "queues/mail", ("view_run",)),
    Door("post", "queues/mail/pause", ("pause_queue",), 200, {}),
    Door("post", "queues/mail/resume", ("pause_queue",), 409),
    Door("put", "queues/mail/retention", ("change_queue",), 200, {"successes_days": 2, "failures_days": None}),
    Door("post", "triggers/describe", ("view_job",), 200, {"trigger": EVERY_HOUR}),
    Door("post", "jobs/j/mute", ("view_incident", "acknowledge_incident"), 400, {"until": "2001-01-01T00:00:00Z"}),
    Door("delete", "jobs/j/mute", ("view_incident", "acknowledge_incident"), 204),
    Door("get", "incidents", ("view_incident",)),
    Door("get", "incidents/{run}", ("view_incident",), 404),
    Door("post", "incidents/{run}/acknowledge", ("view_incident", "acknowledge_incident"), 404, {}),
    Door("post", "incidents/{run}/close", ("view_incident", "acknowledge_incident"), 404, {}),
    Door(
        "post",
        "incidents/{run}/snooze",
        ("view_incident", "acknowledge_incident"),
        404,
        {"until": "2999-01-01T00:00:00Z"},
    ),
    Door("get", "rules", ("view_rule",)),
    Door("post", "rules", ("add_rule",), 201, {"name": "r", "kind": "failing"}),
    Door("post", "rules/preview", ("view_rule",), 200, {"kind": "broken"}),
    Door("get", f"rules/{NOT_THERE}", ("view_rule",), 404),
    Door("patch", f"rules/{NOT_THERE}", ("change_rule",), 404, {"threshold": 2}),
    Door("delete", f"rules/{NOT_THERE}", ("delete_rule",), 404),
    Door("get", "channels", ("view_channel",)),
    Door("post", "channels", ("add_channel",), 201, {"name": "c", "kind": "mail", "config": {"to": ["a@example.org"]}}),
    Door("get", f"channels/{NOT_THERE}", ("view_channel",), 404),
    Door("patch", f"channels/{NOT_THERE}", ("change_channel",), 404, {"per_minute": 2}),
    Door("delete", f"channels/{NOT_THERE}", ("delete_channel",), 404),
    Door("post", f"channels/{NOT_THERE}/test", ("change_channel",), 404),
    Door("get", "switches", ("view_switch",)),
    Door("post", "switches", ("add_switch",), 400, {"name": "s", "url": "http://127.0.0.1:9/"}),
    Door("get", f"switches/{NOT_THERE}", ("view_switch",), 404),
    Door("patch", f"switches/{NOT_THERE}", ("change_switch",), 404, {"enabled": False}),
    Door("delete", f"switches/{NOT_THERE}", ("delete_switch",), 404),
)
OPEN = {"health", "health/live", "health/ready", "problems/<word:code>"}
OWN = {"tokens", "tokens/<word:id>"}
VIEWER = ("view_job", "view_run", "view_node")
EVERYTHING = sorted({codename for door in DOORS for codename in door.needs})

doors = pytest.mark.parametrize(
    "door", DOORS, ids=lambda door: f"{door.verb} {door.path} {(door.body or {}).get('action', '')}"
)


@pytest.fixture
def run(db: None) -> Run:
    return jobs.run_now(job=jobs.create(id="j", **JOB))


def many(subject: str = "runs", action: str = "cancel") -> int:
    """An action on many that somebody else has begun."""
    found = BulkAction.objects.filter(subject=subject).first() or bulk.begin(
        subject=subject, action=action, selection=Selection(ids=(1,)), actor="somebody"
    )
    return int(found.pk)


def path_of(door: Door, run: Run) -> str:
    return door.path.format(run=run.pk, many=many(), many_jobs=many("jobs", "pause"))


def knock(caller: Caller, door: Door, run: Run) -> Any:
    return caller.send(door.verb, path_of(door, run), door.body)


class TestEachDoor:
    @doors
    def test_opens_with_just_the_permissions_it_needs(self, door: Door, run: Run, login: Callable[..., Caller]) -> None:
        assert knock(login(*door.needs), door, run).status_code == door.answers

    @doors
    def test_stays_shut_when_one_of_them_lacks_though_all_others_are_there(
        self, door: Door, run: Run, login: Callable[..., Caller]
    ) -> None:
        for lacking in door.needs:
            caller = login(*(name for name in EVERYTHING if name != lacking), name=f"without {lacking}")
            answer = knock(caller, door, run)
            assert answer.status_code == 403
            assert answer["Content-Type"] == "application/problem+json"
            assert f"scheduler.{lacking}" in answer.json()["detail"]

    @doors
    def test_asks_strangers_who_they_are(self, door: Door, run: Run) -> None:
        answer = knock(Caller(), door, run)

        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")

    def test_is_in_the_table(self) -> None:
        """An address that somebody adds is here, or it is said to be open."""
        known = {
            door.path.replace("{run}", "<run_id:id>")
            .replace("{many}", "<run_id:id>")
            .replace("{many_jobs}", "<run_id:id>")
            .replace("/j", "/<job_id:id>")
            .replace(NODE, "<uuid:id>")
            .replace(f"{NOT_THERE}", "<run_id:id>")
            .replace("sample.nothing", "<word:name>")
            .replace("queues/mail", "queues/<str:name>")
            .replace("calendars/nowhere", "calendars/<word:name>")
            .replace("nowhere", "<word:slug>")
            for door in DOORS
        }
        assert {route for route, _, _ in urls._ROUTES} - OPEN - OWN == known - {"/metrics"}


class TestAMethodThatIsNotThere:
    @pytest.mark.parametrize(("verb", "path"), [("PUT", "jobs"), ("POST", "/metrics"), ("PUT", "/metrics")])
    def test_is_refused_with_those_that_are(self, verb: str, path: str, login: Callable[..., Caller]) -> None:
        answer = login("view_job").generic(verb, path)

        assert (answer.status_code, "GET" in answer["Allow"]) == (405, True)


class TestOptions:
    @pytest.mark.parametrize("path", ["jobs", "jobs/none", "/metrics"])
    def test_name_the_methods_to_anybody(self, path: str, db: None) -> None:
        answer = Caller().generic("OPTIONS", path)

        assert (answer.status_code, "GET" in answer["Allow"], "OPTIONS" in answer["Allow"]) == (204, True, True)


class TestAViewOnlyUser:
    def test_changes_nothing_by_any_verb(self, run: Run, login: Callable[..., Caller]) -> None:
        caller = login(*VIEWER)
        before = (list(Job.objects.values()), list(Run.objects.values()))

        answers = {}
        for path in {path_of(door, run) for door in DOORS}:
            for verb in VERBS:
                ids: list[Any] = [1] if "runs" in path else ["j"]
                body = {"action": "delete", "ids": ids} if "bulk" in path else JOB
                answers[verb, path] = caller.send(verb, path, body).status_code

        assert (list(Job.objects.values()), list(Run.objects.values())) == before
        assert not {key: status for key, status in answers.items() if status >= 500}
        allowed = {(door.verb, path_of(door, run)) for door in DOORS if set(door.needs) <= set(VIEWER)}
        done = {key for key, status in answers.items() if status not in (403, 405)}
        assert {(verb, path) for verb, path in done if verb != "options"} <= allowed


class TestTokens:
    def test_do_what_their_user_may_until_they_are_revoked(self, login: Callable[..., Caller], db: None) -> None:
        anna = login("view_job")
        made = anna.send("post", "tokens", {"days": 2})
        assert made.status_code == 201
        token = made.json()
        caller = Caller(headers={"Authorization": f"Bearer {token['token']}"})

        assert caller.get("jobs").status_code == 200
        assert caller.send("post", "jobs", JOB).status_code == 403
        assert token["token"] not in str(AuthToken.objects.values())
        assert [item["id"] for item in caller.get("tokens").json()["results"]] == [token["id"]]
        assert login("view_job", name="vera").send("delete", f"tokens/{token['id']}").status_code == 404
        assert caller.send("delete", f"tokens/{token['id']}").status_code == 204
        assert caller.get("jobs").status_code == 401

    def test_make_no_other_tokens_that_would_outlive_them(self, login: Callable[..., Caller]) -> None:
        token = login("view_job").send("post", "tokens", {"days": 1}).json()["token"]

        answer = Caller(headers={"Authorization": f"Bearer {token}"}).send("post", "tokens", {"days": 3650})

        assert (answer.status_code, AuthToken.objects.count()) == (403, 1)
        assert "A token cannot make tokens" in answer.json()["detail"]

    def test_are_refused_when_they_are_over_or_nonsense(self, login: Callable[..., Caller]) -> None:
        token = login("view_job").send("post", "tokens", {}).json()["token"]
        AuthToken.objects.update(expiry="2020-01-01T00:00:00Z")

        for text in (token, "ols_nonsense", "ü", "a b"):
            answer = Caller().get("jobs", headers={"Authorization": f"Bearer {text}"})
            assert answer.status_code == 401, text
            assert answer.json()["type"].endswith("/authentication-failed")


WRITES = (
    *(door for door in DOORS if door.verb != "get"),
    Door("post", "tokens", (), 201, {"days": 1}),
)
writes = pytest.mark.parametrize(
    "door", WRITES, ids=lambda door: f"{door.verb} {door.path} {(door.body or {}).get('action', '')}"
)


def browser(caller: Caller) -> Client:
    """A browser in which the caller is logged in, and that has the CSRF cookie as after any page with a form."""
    found = Client(enforce_csrf_checks=True)
    found.cookies = caller.cookies
    found.cookies["csrftoken"] = "k" * 32
    return found


def write(client: Client, door: Door, run: Run, **headers: str) -> Any:
    path = f"{BASE}/{path_of(door, run)}"
    body = json.dumps(door.body if door.body is not None else {})
    return client.generic(door.verb.upper(), path, body, content_type="application/json", headers=headers)


class TestSessions:
    """A logged-in browser, as the page of the API's documentation is one."""

    @writes
    def test_open_each_door_with_the_csrf_token_and_json(
        self, door: Door, run: Run, login: Callable[..., Caller]
    ) -> None:
        client = browser(login())

        answer = write(client, door, run, **{"X-CSRFToken": client.cookies["csrftoken"].value})

        assert answer.status_code == door.answers, answer.content

    @writes
    def test_need_the_csrf_token_to_change_something(self, door: Door, run: Run, login: Callable[..., Caller]) -> None:
        before = (list(Job.objects.values()), list(Run.objects.values()))

        answer = write(browser(login()), door, run)

        assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
        assert (list(Job.objects.values()), list(Run.objects.values())) == before

    @writes
    def test_are_refused_what_their_user_may_not(self, door: Door, run: Run, login: Callable[..., Caller]) -> None:
        if not door.needs:
            return
        client = browser(login("view_node"))

        answer = write(client, door, run, **{"X-CSRFToken": client.cookies["csrftoken"].value})

        assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")

    @writes
    def test_read_forms_as_what_they_are_not(self, door: Door, run: Run, login: Callable[..., Caller]) -> None:
        client = browser(login())

        answer = client.generic(
            door.verb.upper(),
            f"{BASE}/{path_of(door, run)}",
            "a=b",
            content_type="application/x-www-form-urlencoded",
            headers={"X-CSRFToken": client.cookies["csrftoken"].value},
        )

        assert answer.status_code < 500


class TestThrottling:
    @pytest.fixture(autouse=True)
    def one_minute(self) -> Iterator[None]:
        """However long the requests of a test take, they come within a minute."""
        with time_machine.travel(timezone.now(), tick=False):
            yield

    def test_says_when_to_come_back(self, api: Caller, settings: Any) -> None:
        settings.SCHEDULER = {**settings.SCHEDULER, "API_READS_PER_MINUTE": 3}
        conf.get.cache_clear()
        try:
            answers = [api.get("tasks") for _ in range(4)]
        finally:
            conf.get.cache_clear()

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert 0 < int(answers[-1]["Retry-After"]) <= 60
        assert api.get("health/live").status_code == 200

    def test_counts_those_who_are_not_known_by_their_address(self, db: None) -> None:
        answers = [Caller().get("jobs", headers={"Authorization": "Bearer ols_guess"}).status_code for _ in range(61)]

        assert answers == [401] * 60 + [429]

    @pytest.mark.parametrize(("path", "status", "most"), [("schema", 200, 3), ("jobs", 401, 60)])
    def test_counts_strangers_who_invent_addresses_and_tokens(
        self, db: None, settings: Any, path: str, status: int, most: int
    ) -> None:
        settings.SCHEDULER = {**settings.SCHEDULER, "API_READS_PER_MINUTE": 3}
        conf.get.cache_clear()
        try:
            answers = [
                Caller()
                .get(path, headers={"X-Forwarded-For": f"192.0.2.{number}", "Authorization": f"Bearer ols_{number}"})
                .status_code
                for number in range(most + 2)
            ]
        finally:
            conf.get.cache_clear()

        assert answers == [status] * most + [429] * 2

    def test_lets_strangers_choose_no_address(self) -> None:
        answers = []
        for number in range(62):
            request: Any = RequestFactory().get("/", headers={"X-Forwarded-For": f"192.0.2.{number}"})
            request.user = AnonymousUser()
            answers.append(PerMinute().allow_request(request, None))

        assert answers == [True] * 60 + [False] * 2

    def test_believes_as_many_proxies_as_the_project_has(self, settings: Any) -> None:
        settings.SCHEDULER = {**settings.SCHEDULER, "API_PROXIES": 1}
        request = RequestFactory().get("/", headers={"X-Forwarded-For": "192.0.2.1, 198.51.100.7"})

        assert address_of(request) == "198.51.100.7"


class TestArgumentsOfARun:
    def test_need_the_right_to_change_the_job(self, login: Callable[..., Caller], run: Run) -> None:
        answer = login("run_job").send("post", "jobs/j/run", {"kwargs": {"days": 1}})

        assert answer.status_code == 403
        assert "scheduler.change_job" in answer.json()["detail"]
