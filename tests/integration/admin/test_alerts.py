"""The pages of alerts: rules, channels, incidents, messages, and their parts of other pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from scheduler.core.alerts import answers
from scheduler.core.request_messages import REDIRECTED_TOO_OFTEN
from scheduler.messages import Message
from scheduler.models import AlertChange, Channel, Incident, Mute, Notification, Rule, Switch
from scheduler.services.alerts import channels, links, rules, switches
from tests.integration.alerts.happenings import EVERY_KIND
from tests.integration.services.nightly import make
from tests.receivers import MailServer, WebhookReceiver, status

RULE = {
    "name": "Billing fails",
    "kind": "failing",
    "scope": "tag",
    "target": "billing",
    "severity": "critical",
    "threshold": "3",
    "enabled": "on",
}
MAIL = {
    "name": "Team",
    "kind": "mail",
    "enabled": "on",
    "zone": "Europe/Madrid",
    "per_minute": "30",
    "digest_at": "08:00",
    "mail.to": "ada@example.org, bob@example.org",
}

ADDRESSES = {"to": ["ada@example.org", "bob@example.org"]}


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
        text="<b>Boom</b>",
    )


def errors(page: Any) -> str:
    return str(page.context["adminform"].form.errors)


class TestRules:
    def test_are_added_and_changed_by_the_services(self, client: Client) -> None:
        client.post(reverse("admin:scheduler_rule_add"), RULE)
        rule = Rule.objects.get(name="Billing fails")
        assert (rule.kind, rule.threshold, rule.scope, rule.target) == ("failing", 3, "tag", "billing")

        client.post(reverse("admin:scheduler_rule_change", args=[rule.pk]), {**RULE, "threshold": "5"})

        rule.refresh_from_db()
        assert rule.threshold == 5
        changes = AlertChange.objects.filter(about="rule", key=rule.pk)
        assert [(change.action, change.actor, change.via) for change in changes] == [
            ("edited", "anna", "admin"),
            ("created", "anna", "admin"),
        ]
        assert changes[0].changes == {"threshold": [3, 5]}

    @pytest.mark.parametrize("kind", sorted(EVERY_KIND))
    def test_of_every_kind_are_added_and_saved_as_they_are(self, client: Client, kind: str) -> None:
        given = {name: str(value) for name, value in EVERY_KIND[kind].items() if value is not None}
        scope = {"scope": "everything", "severity": "warning"}
        page = client.post(
            reverse("admin:scheduler_rule_add"), {"name": kind, "kind": kind, "enabled": "on", **scope, **given}
        )
        assert page.status_code == 302, errors(page)
        rule = Rule.objects.get(name=kind)
        before = rules.represent(rule)
        assert {name: before[name] for name in EVERY_KIND[kind]} == EVERY_KIND[kind]

        address = reverse("admin:scheduler_rule_change", args=[rule.pk])
        form = client.get(address).context["adminform"].form
        typed = {name: form[name].value() for name in form.fields}
        client.post(address, {name: value for name, value in typed.items() if value not in (None, False)})

        assert rules.represent(Rule.objects.get(name=kind)) == before

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"target": ""}, "target"),
            ({"threshold": "0"}, "threshold"),
            ({"kind": "result", "path": "a..b", "operator": "=", "value": "1"}, "path"),
            ({"kind": "slow"}, "seconds"),
        ],
    )
    def test_say_what_is_wrong_at_its_field(self, client: Client, given: dict[str, str], field: str) -> None:
        page = client.post(reverse("admin:scheduler_rule_add"), {**RULE, **given})

        assert field in page.context["adminform"].form.errors
        assert not Rule.objects.filter(name="Billing fails").exists()

    def test_take_and_show_durations_as_text(self, client: Client) -> None:
        given = {**RULE, "kind": "late", "threshold": "", "seconds": "1 h 30 min", "escalate_after": "45 min"}
        client.post(reverse("admin:scheduler_rule_add"), given)

        rule = Rule.objects.get(name="Billing fails")
        assert (rule.seconds, rule.escalate_after) == (5400, 2700)
        page = client.get(reverse("admin:scheduler_rule_change", args=[rule.pk]))
        assert 'value="1 h 30 min"' in page.text
        assert 'value="45 min"' in page.text

    def test_say_which_kinds_take_a_field_and_what_was_edited(self, client: Client) -> None:
        client.post(reverse("admin:scheduler_rule_add"), RULE)
        rule = Rule.objects.get(name="Billing fails")
        address = reverse("admin:scheduler_rule_change", args=[rule.pk])
        client.post(address, {**RULE, "threshold": "5"})

        page = client.get(address).text

        assert "For: failing, skips runs, returns a value." in page
        assert "Times: 3 → 5" in page
        assert "threshold: " not in page

    def test_show_what_they_would_have_told(self, client: Client) -> None:
        make(tags=["billing"])

        answer = client.post(reverse("admin:scheduler_rule_preview"), RULE)

        assert answer.json()["text"] == ("It watches 1 job now. It would have opened 0 incidents in the last 7 days.")
        rule = rules.create(name="Late", kind="late", seconds=60)
        page = client.get(reverse("admin:scheduler_rule_change", args=[rule.pk]))
        assert "It would have opened" in page.text

    def test_are_deleted_with_their_incidents_closed(self, client: Client, incident: Incident) -> None:
        client.post(reverse("admin:scheduler_rule_delete", args=[incident.rule_id]), {"post": "yes"})

        incident.refresh_from_db()
        assert (incident.closed_because, incident.closed_by, incident.rule_id) == ("rule_deleted", "anna", None)

    def test_are_shown_to_those_who_may_only_look(self, login: Callable[..., Client], db: None) -> None:
        rule = rules.create(name="Billing fails", kind="failing", scope="everything", threshold=3)

        answer = login("view_rule").get(reverse("admin:scheduler_rule_change", args=[rule.pk]))

        assert answer.status_code == 200
        assert "Billing fails" in answer.text

    def test_are_listed(self, client: Client, incident: Incident) -> None:
        page = client.get(reverse("admin:scheduler_rule_changelist"))

        assert "Any job" in page.text


class TestChannels:
    def test_are_added_with_the_fields_of_their_kind(self, client: Client) -> None:
        page = client.post(reverse("admin:scheduler_channel_add"), MAIL)

        assert page.status_code == 302, errors(page)
        channel = Channel.objects.get(name="Team")
        assert channel.config == {"to": ["ada@example.org", "bob@example.org"], "admins": False}
        assert channel.zone == "Europe/Madrid"

    def test_keep_their_secrets_to_themselves(self, client: Client) -> None:
        with override_settings(SCHEDULER={"ALLOWED_HOSTS": ["hooks.example.org"]}):
            channel = channels.create(
                name="hook", kind="webhook", config={"url": "https://hooks.example.org/very-secret"}
            )
        address = reverse("admin:scheduler_channel_change", args=[channel.pk])

        page = client.get(address)
        assert "very-secret" not in page.text
        assert "$sealed" not in page.text
        form = {name: value for name, value in page.context["adminform"].form.initial.items() if value is not None}
        sent = {**form, "webhook.url": "•••", "webhook.secret": "•••", "name": "renamed", "enabled": "on"}
        saved = client.post(address, {name: value for name, value in sent.items() if not isinstance(value, bool)})

        assert saved.status_code == 302, errors(saved)
        channel.refresh_from_db()
        assert channel.name == "renamed"
        assert channel.config["url"].keys() == {"$sealed"}
        (change,) = AlertChange.objects.filter(about="channel", action="edited")
        assert change.changes == {"name": ["hook", "renamed"]}

    def test_refuse_what_cannot_be_at_its_field(self, client: Client) -> None:
        page = client.post(reverse("admin:scheduler_channel_add"), {**MAIL, "mail.to": "nobody at home"})

        assert "mail.to" in page.context["adminform"].form.errors

    def test_let_only_holders_of_a_permission_enter_addresses_of_apprise(self, login: Callable[..., Client]) -> None:
        given = {**MAIL, "kind": "apprise", "apprise.url": "ntfy://topic"}
        page = login("add_channel", "view_channel").post(reverse("admin:scheduler_channel_add"), given)

        assert "enter_apprise_url" in errors(page)

    def test_send_a_test_and_show_the_answer(self, client: Client) -> None:
        with (
            WebhookReceiver() as receiver,
            override_settings(SCHEDULER={"ALLOWED_HOSTS": [receiver.host]}),
        ):
            channel = channels.create(name="hook", kind="webhook", config={"url": receiver.url})
            address = reverse("admin:scheduler_channel_test", args=[channel.pk])
            assert client.get(address)["Location"] == reverse("admin:scheduler_channel_change", args=[channel.pk])

            assert "accepted: 204" in client.post(address, follow=True).text
            receiver.answer = status(500, b"<i>down</i>")
            page = client.post(address, follow=True)

        assert "was not delivered" in page.text
        assert "<i>down</i>" not in page.text

    def test_answer_in_the_language_of_the_reader(self, client: Client) -> None:
        channel = channels.create(name="Team", kind="mail", config=ADDRESSES)
        spanish = {"accept-language": "es"}
        address = reverse("admin:scheduler_channel_test", args=[channel.pk])

        with MailServer() as server, override_settings(**server.settings):
            accepted = client.post(address, follow=True, headers=spanish)

        words = "Destinatarios que aceptó el servidor de correo: 2."
        assert words in accepted.text
        pages = (
            reverse("admin:scheduler_notification_changelist"),
            reverse("admin:scheduler_notification_change", args=[Notification.objects.get().pk]),
        )
        assert all(words in client.get(page, headers=spanish).text for page in pages)
        assert all("mail server accepted: 2." in client.get(page).text for page in pages)

    def test_tell_their_last_error_in_the_language_of_the_reader(self, client: Client, incident: Incident) -> None:
        with WebhookReceiver() as receiver, override_settings(SCHEDULER={"ALLOWED_HOSTS": [receiver.host]}):
            channel = channels.create(name="hook", kind="webhook", config={"url": receiver.url})
            receiver.answer = status(302, Location=receiver.url)
            client.post(
                reverse("admin:scheduler_channel_test", args=[channel.pk]),
                headers={"accept-language": "es"},
                follow=True,
            )
        batch = uuid4()
        Notification.objects.update(kind="opened", batch=batch)
        Incident.objects.update(opened_in=batch)
        pages = (
            reverse("admin:scheduler_channel_changelist"),
            reverse("admin:scheduler_channel_change", args=[channel.pk]),
            reverse("admin:scheduler_incident_change", args=[incident.pk]),
            reverse("admin:scheduler_notification_changelist"),
        )

        spanish = [client.get(page, headers={"accept-language": "es"}).text for page in pages]
        assert [text.count("no se siguen redirecciones") for text in spanish] == [1, 1, 1, 1]
        assert "redirects are not followed" not in "".join(spanish)
        assert all("redirects are not followed" in client.get(page).text for page in pages)

    def test_show_the_text_that_an_older_release_recorded(self, client: Client) -> None:
        channel = channels.create(name="Team", kind="mail", config=ADDRESSES)
        with MailServer() as server, override_settings(**server.settings):
            channels.test(channel=channel)
        Notification.objects.update(answer="Refused by hand.")  # as a node of an older release does
        Channel.objects.update(last_error="Refused by hand.", last_error_message={"code": "of_a_newer_release"})

        for page in ("notification", "channel"):
            text = client.get(reverse(f"admin:scheduler_{page}_changelist"), headers={"accept-language": "es"}).text
            assert "Refused by hand." in text


class TestAnIncident:
    def test_has_a_page_and_a_place_in_the_list(self, client: Client, incident: Incident) -> None:
        page = client.get(reverse("admin:scheduler_incident_change", args=[incident.pk]))
        listed = client.get(reverse("admin:scheduler_incident_changelist"), {"state": "open"})

        assert "failed 3 times in a row" in page.text
        assert "<b>Boom</b>" not in page.text
        assert "failed 3 times in a row" in listed.text
        assert "failed 3" not in client.get(reverse("admin:scheduler_incident_changelist"), {"state": "closed"}).text

    def test_is_acknowledged_after_a_question(self, client: Client, incident: Incident) -> None:
        address = reverse("admin:scheduler_incident_acknowledge", args=[incident.pk])
        assert "Acknowledge" in client.post(address).text
        incident.refresh_from_db()
        assert incident.acknowledged_at is None

        client.post(address, {"confirmed": "k1", "reason": "On it."})

        incident.refresh_from_db()
        assert (incident.acknowledged_by, incident.note) == ("anna", "On it.")

    def test_is_snoozed_until_a_time(self, client: Client, incident: Incident) -> None:
        address = reverse("admin:scheduler_incident_snooze", args=[incident.pk])
        assert "Enter an end time." in client.post(address, {"confirmed": "k1"}).text

        client.post(address, {"confirmed": "k2", "ends": "hour"})

        incident.refresh_from_db()
        assert incident.snoozed_until is not None
        assert incident.remind_at == incident.snoozed_until

    def test_is_closed_by_hand(self, client: Client, incident: Incident) -> None:
        address = reverse("admin:scheduler_incident_close", args=[incident.pk])
        client.post(address, {"confirmed": "k1"})
        again = client.post(address, {"confirmed": "k2"}, follow=True)

        incident.refresh_from_db()
        assert (incident.closed_because, incident.closed_by) == ("closed_by_hand", "anna")
        assert "already closed" in again.text

    def test_is_found_by_the_link_of_its_message(self, client: Client, incident: Incident) -> None:
        incident.opened_in = "6b6f3a4e-35b3-4a5e-8a79-3f3d6f0a3e11"
        incident.save()
        with override_settings(SCHEDULER={"SITE_URL": "http://testserver"}):
            address = links.silence(thread=str(incident.opened_in))

        assert "Acknowledge…" in client.get(address).text
        assert client.get(address[:-3] + "xx/").status_code == 404
        assert Client().get(address).status_code == 302

    def test_may_be_dealt_with_only_by_those_who_may(self, login: Callable[..., Client], incident: Incident) -> None:
        viewer = login("view_incident")
        page = viewer.get(reverse("admin:scheduler_incident_change", args=[incident.pk]))

        assert "Acknowledge…" not in page.text
        for name in ("acknowledge", "snooze", "close"):
            address = reverse(f"admin:scheduler_incident_{name}", args=[incident.pk])
            assert viewer.post(address, {"confirmed": "k"}).status_code == 403


class TestOtherPages:
    def test_have_a_bell_with_the_open_incidents(self, client: Client, incident: Incident) -> None:
        for name in ("job_changelist", "run_changelist", "node_changelist", "dashboard", "health", "rule_changelist"):
            assert "1 open incident" in client.get(reverse(f"admin:scheduler_{name}")).text, name

    def test_have_no_bell_for_those_who_may_not_see_incidents(
        self, login: Callable[..., Client], incident: Incident
    ) -> None:
        assert "open incident" not in login("view_job").get(reverse("admin:scheduler_dashboard")).text

    def test_show_the_incidents_and_whether_a_channel_was_tested(self, client: Client, incident: Incident) -> None:
        page = client.get(reverse("admin:scheduler_dashboard"))

        assert "Open incidents" in page.text
        assert "No channel was tested" in page.text

    def test_of_a_job_have_its_rules_and_incidents(self, client: Client, incident: Incident) -> None:
        page = client.get(reverse("admin:scheduler_job_page", args=[incident.job_key]))

        assert "Any job" in page.text
        assert "failed 3 times in a row" in page.text

    def test_of_a_job_mute_it(self, client: Client, incident: Incident) -> None:
        address = reverse("admin:scheduler_incident_mute", args=[incident.job_key])
        client.post(address, {"confirmed": "k1", "ends": "hour", "reason": "Moving house."})

        assert Mute.objects.get().muted_by == "anna"
        assert "Muted until" in client.get(reverse("admin:scheduler_job_page", args=[incident.job_key])).text
        client.post(address, {"confirmed": "k2"})
        assert not Mute.objects.exists()


class TestAMessage:
    def test_has_a_page_and_can_be_sent_again(self, client: Client, db: None) -> None:
        channel = Channel.objects.create(name="hook", kind="webhook")
        message = Notification.objects.create(
            channel=channel, kind="opened", state="failed", attempts=20, answer="<b>no</b>", rule_name="Any job"
        )
        page = client.get(reverse("admin:scheduler_notification_change", args=[message.pk]))
        assert "Send it now" in page.text
        assert "<b>no</b>" not in page.text

        again = reverse("admin:scheduler_notification_again", args=[message.pk])
        after_a_login = client.get(again)
        assert after_a_login["Location"] == reverse("admin:scheduler_notification_change", args=[message.pk])
        client.post(again)

        message.refresh_from_db()
        assert (message.state, message.attempts) == ("pending", 0)
        assert "hook" in client.get(reverse("admin:scheduler_notification_changelist")).text


class TestASwitch:
    def test_shows_its_answer_in_the_language_of_the_reader(self, client: Client, db: None) -> None:
        switch = Switch.objects.create(name="hc", url={})
        ping = switches.Ping(switch=switch.pk, url="https://hc.example.org/abc")
        refusal = REDIRECTED_TOO_OFTEN(url="https://hc.example.org", most=3, target="https://hc.example.org/b")
        switches.record(answered=[(ping, refusal)])
        address = reverse("admin:scheduler_switch_changelist")

        assert "was redirected more than 3 times" in client.get(address).text
        shown = client.get(address, headers={"accept-language": "es"}).text
        assert "was redirected" not in shown
        assert "se redirigió más de 3 veces" in shown

        Switch.objects.update(answer="503")  # as a node of an older release does
        assert "se redirigió" not in client.get(address, headers={"accept-language": "es"}).text

    @override_settings(SCHEDULER={"ALLOWED_HOSTS": []})
    def test_keeps_why_it_was_not_requested(self, db: None) -> None:
        switch = Switch.objects.create(name="hc", url={})
        ping = switches.Ping(switch=switch.pk, url="http://127.0.0.1:9/")

        switches.record(answered=[(ping, switches.send(ping))])

        switch.refresh_from_db()
        said = answers.read(text=switch.answer, data=switch.answer_message)
        assert isinstance(said, Message)
        assert said == switch.answer

    def test_keeps_its_address_to_itself(self, client: Client, db: None) -> None:
        given = {"name": "hc", "job_key": "", "address": "https://hc.example.org/abc", "every_seconds": "60"}
        with override_settings(SCHEDULER={"ALLOWED_HOSTS": ["hc.example.org"]}):
            page = client.post(reverse("admin:scheduler_switch_add"), {**given, "enabled": "on"})
        assert page.status_code == 302, errors(page)
        switch = Switch.objects.get()
        address = reverse("admin:scheduler_switch_change", args=[switch.pk])

        assert "hc.example.org" not in client.get(address).text
        client.post(address, {**given, "address": "•••", "every_seconds": "120", "enabled": "on"})
        switch.refresh_from_db()
        assert switch.every_seconds == 120
        assert switch.url.keys() == {"$sealed"}

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"address": "http://127.0.0.1:9/"}, "address"),
            ({"job_key": "nowhere"}, "job_key"),
            ({"every_seconds": "1"}, "every_seconds"),
        ],
    )
    def test_says_what_is_wrong_at_its_field(self, client: Client, db: None, wrong: dict[str, str], field: str) -> None:
        given = {"name": "hc", "job_key": "", "address": "https://hc.example.org/abc", "every_seconds": "60"}
        with override_settings(SCHEDULER={"ALLOWED_HOSTS": ["hc.example.org"]}):
            page = client.post(reverse("admin:scheduler_switch_add"), {**given, **wrong})

        assert field in page.context["adminform"].form.errors
        assert not Switch.objects.exists()
