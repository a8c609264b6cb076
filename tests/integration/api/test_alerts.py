"""Rules, channels and incidents over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.test import override_settings

from scheduler import sealing
from scheduler.models import AlertChange, Incident, Mute, Rule, Switch
from scheduler.store.clock import database_now
from tests.integration.alerts.happenings import EVERY_KIND
from tests.integration.api.conftest import Caller
from tests.integration.services.nightly import make
from tests.receivers import WebhookReceiver, status

RULE = {"name": "Billing", "kind": "failing", "scope": "tag", "target": "billing", "threshold": 3}


@pytest.fixture
def incident(db: None) -> Incident:
    job = make()
    rule = Rule.objects.create(name="Any job", kind="failing", threshold=1)
    return Incident.objects.create(
        rule=rule,
        rule_name=rule.name,
        kind="failing",
        severity="warning",
        subject=f"job:{job.pk}",
        job_key=job.pk,
        job_name=job.name,
        measured=3,
        count=3,
        text="Boom",
    )


class TestRules:
    def test_are_created_read_changed_and_deleted(self, api: Caller) -> None:
        made = api.send("post", "rules", RULE)
        assert made.status_code == 201, made.data
        path = f"rules/{made.data['id']}"
        assert api.get(path).data == made.data
        assert made.data in api.get("rules").data["results"]

        changed = api.send("patch", path, {"threshold": 5})
        assert {**made.data, "threshold": 5} == changed.data
        assert api.send("delete", path).status_code == 204
        assert api.get(path).status_code == 404
        actions = AlertChange.objects.filter(key=made.data["id"], about="rule").order_by("id")
        assert [(change.action, change.via) for change in actions] == [
            ("created", "api"),
            ("edited", "api"),
            ("deleted", "api"),
        ]

    @pytest.mark.parametrize(
        ("given", "pointer"),
        [
            ({"target": ""}, "/target"),
            ({"threshold": 0}, "/threshold"),
            ({"kind": "loud"}, "/kind"),
            ({"kind": "result", "path": "new", "operator": "<", "value": "many"}, "/value"),
            ({"channels": [999999]}, "/channels"),
            ({"colour": "red"}, "/colour"),
        ],
    )
    def test_refuse_what_cannot_be_by_name(self, api: Caller, given: dict[str, object], pointer: str) -> None:
        refused = api.send("post", "rules", {**RULE, **given})

        assert refused.status_code == 400
        assert [error["pointer"] for error in refused.data["errors"]] == [pointer]

    @pytest.mark.parametrize("kind", sorted(EVERY_KIND))
    def test_of_every_kind_come_back_as_they_were_sent(self, api: Caller, kind: str) -> None:
        given = {"name": kind, "kind": kind, **EVERY_KIND[kind]}

        made = api.send("post", "rules", given)

        assert made.status_code == 201, made.data
        assert {name: made.data[name] for name in given} == given
        changed = api.send("patch", f"rules/{made.data['id']}", {"severity": "critical", "description": "Call Ada."})
        assert changed.data == {**made.data, "severity": "critical", "description": "Call Ada."}

    def test_have_names_of_their_own(self, api: Caller) -> None:
        api.send("post", "rules", RULE)

        assert api.send("post", "rules", RULE).status_code == 409

    def test_are_previewed(self, api: Caller) -> None:
        make(tags=["billing"])

        assert api.send("post", "rules/preview", RULE).data == {"incidents": 0, "jobs": 1}
        assert api.send("post", "rules/preview", {"kind": "system"}).data["incidents"] is None

    @pytest.mark.parametrize("kind", ["failing", "broken", "late", "deadline", "silent", "dropped"])
    def test_of_every_kind_can_be_previewed(self, api: Caller, kind: str) -> None:
        make()

        assert api.send("post", "rules/preview", {"kind": kind}).data["incidents"] is not None


SWITCH = {"name": "all", "url": "https://hc.example.org/abc", "every_seconds": 30}


class TestSwitches:
    @pytest.fixture(autouse=True)
    def allowed(self) -> Iterator[None]:
        with override_settings(SCHEDULER={"ALLOWED_HOSTS": ["hc.example.org"]}):
            yield

    def test_are_created_read_changed_and_deleted(self, api: Caller) -> None:
        make()
        made = api.send("post", "switches", SWITCH)
        assert made.status_code == 201, made.data
        path = f"switches/{made.data['id']}"
        assert api.get(path).data == made.data
        assert api.get("switches").data["results"] == [made.data]
        assert "hc.example.org" not in str(made.data)

        changed = api.send("patch", path, {"job": "nightly", "url": made.data["url"], "enabled": False})
        assert changed.data == {**made.data, "job": "nightly", "enabled": False}
        assert sealing.unseal(Switch.objects.get().url) == SWITCH["url"]
        assert api.send("delete", path).status_code == 204
        assert api.get(path).status_code == 404

    @pytest.mark.parametrize(
        ("given", "pointer"),
        [
            ({"url": "http://127.0.0.1:9/"}, "/url"),
            ({"url": "not an address"}, "/url"),
            ({"every_seconds": 1}, "/every_seconds"),
            ({"job": "nowhere"}, "/job"),
            ({"name": "two\nlines"}, "/name"),
            ({"interval": 60}, "/interval"),
        ],
    )
    def test_refuse_what_cannot_be_by_name(self, api: Caller, given: dict[str, object], pointer: str) -> None:
        refused = api.send("post", "switches", {**SWITCH, **given})

        assert refused.status_code == 400
        assert refused.data["errors"][0]["pointer"] == pointer

    def test_have_names_of_their_own(self, api: Caller) -> None:
        api.send("post", "switches", SWITCH)

        assert api.send("post", "switches", SWITCH).status_code == 409


class TestChannels:
    def test_are_created_tested_changed_and_deleted(self, api: Caller) -> None:
        with WebhookReceiver() as receiver, override_settings(SCHEDULER={"ALLOWED_HOSTS": [receiver.host]}):
            made = api.send("post", "channels", {"name": "hook", "kind": "webhook", "config": {"url": receiver.url}})
            assert made.status_code == 201, made.data
            assert made.data["config"] == {"url": "•••", "secret": "•••", "former_secret": ""}
            path = f"channels/{made.data['id']}"
            assert api.send("post", f"{path}/test").data == {"answer": "204"}
            receiver.answer = status(500)
            assert api.send("post", f"{path}/test").status_code == 502
        changed = api.send("patch", path, {"name": "renamed", "config": made.data["config"], "quiet_from": "22:00"})
        assert (changed.data["name"], changed.data["quiet_from"]) == ("renamed", "22:00")
        assert changed.data["tested_at"] is not None
        assert api.send("delete", path).status_code == 204

    def test_do_not_let_a_secret_follow_to_another_address(self, api: Caller) -> None:
        with override_settings(SCHEDULER={"ALLOWED_HOSTS": ["a.example.org", "b.example.org"]}):
            config = {"url": "https://a.example.org/"}
            made = api.send("post", "channels", {"name": "hook", "kind": "webhook", "config": config})
            moved = {**made.data["config"], "url": "https://b.example.org/"}

            refused = api.send("patch", f"channels/{made.data['id']}", {"config": moved})

        assert refused.status_code == 400
        assert refused.data["errors"][0]["pointer"] == "/secret"

    def test_of_apprise_need_a_permission(self, login: Callable[..., Caller]) -> None:
        given = {"name": "chat", "kind": "apprise", "config": {"url": "ntfy://topic"}}

        assert login("add_channel").send("post", "channels", given).status_code == 403
        bob = login("add_channel", "enter_apprise_url", name="bob")
        assert bob.send("post", "channels", given).status_code == 201

    @pytest.mark.parametrize(
        ("given", "pointer"),
        [
            ({"kind": "pigeon"}, "/kind"),
            ({"config": {"to": ["nobody"]}}, "/to"),
            ({"config": {}}, "/to"),
            ({"config": {"cc": "ada@example.org"}}, "/cc"),
            ({"zone": "Mars/Base"}, "/zone"),
            ({"quiet_from": "29:00"}, "/quiet_from"),
            ({"language": "tlh"}, "/language"),
        ],
    )
    def test_refuse_what_cannot_be_by_name(self, api: Caller, given: dict[str, object], pointer: str) -> None:
        mail = {"name": "mail", "kind": "mail", "config": {"to": ["ada@example.org"]}}

        refused = api.send("post", "channels", {**mail, **given})

        assert refused.status_code == 400
        assert refused.data["errors"][0]["pointer"] == pointer


class TestIncidents:
    def test_are_listed_and_read(self, api: Caller, incident: Incident) -> None:
        (listed,) = api.get("incidents", {"state": "open", "job": incident.job_key}).data["results"]

        assert listed == api.get(f"incidents/{incident.pk}").data
        assert listed["what"] == "failed 3 times in a row"
        assert listed["detail"] == "Boom"
        assert api.get("incidents", {"state": "closed"}).data["results"] == []
        assert api.get("incidents/99999999999999999999").status_code == 404

    def test_are_acknowledged_snoozed_and_closed(self, api: Caller, incident: Incident) -> None:
        path = f"incidents/{incident.pk}"
        until = (database_now() + timedelta(hours=2)).isoformat(timespec="seconds")

        assert api.send("post", f"{path}/acknowledge", {"note": "On it."}).data["acknowledged_by"] == "anna"
        assert api.send("post", f"{path}/snooze", {"until": until}).data["snoozed_until"] is not None
        assert api.send("post", f"{path}/snooze", {"until": "2020-01-01T00:00:00Z"}).status_code == 400
        assert api.send("post", f"{path}/close").data["closed_because"] == "closed_by_hand"
        assert api.send("post", f"{path}/acknowledge").status_code == 409

    def test_need_a_permission_to_be_dealt_with(self, login: Callable[..., Caller], incident: Incident) -> None:
        viewer = login("view_incident")

        assert viewer.get(f"incidents/{incident.pk}").status_code == 200
        assert viewer.send("post", f"incidents/{incident.pk}/acknowledge").status_code == 403

    def test_of_a_job_are_muted(self, api: Caller, incident: Incident) -> None:
        until = (database_now() + timedelta(hours=2)).isoformat(timespec="seconds")

        muted = api.send("post", f"jobs/{incident.job_key}/mute", {"until": until, "reason": "Moving."})

        assert muted.data["muted_by"] == "anna"
        assert api.send("delete", f"jobs/{incident.job_key}/mute").status_code == 204
        assert not Mute.objects.exists()
