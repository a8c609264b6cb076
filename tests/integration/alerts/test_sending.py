"""Messages reach real receivers, and what those answer is recorded."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import django
import jsonschema
import pytest
from django.core.mail.backends.base import BaseEmailBackend
from django.test import override_settings
from django.utils import translation

from scheduler import messages
from scheduler.core.alerts import answers
from scheduler.errors import DeliveryFailed, InvalidChannel
from scheduler.models import Channel, Incident, Job, Notification
from scheduler.services.alerts import channels, sentences
from scheduler.services.alerts.kinds import webhook as webhook_kind
from scheduler.services.alerts.kinds.kind import ChannelKind, Field
from scheduler.services.alerts.messages import Message
from scheduler.services.alerts.sender import Sender
from scheduler.signals import incident_closed, incident_opened
from scheduler.store.clock import database_now
from scheduler.store.sessions.connections import Connection
from tests.integration.alerts.happenings import (
    fail,
    job,
    mail,
    notifications,
    pass_time,
    rule,
    send,
    succeed,
    webhook,
)
from tests.ledger import add_node
from tests.receivers import MailServer, WebhookReceiver, status
from tests.waiting import wait_until

NASTY = "Nächtlich <script>alert(1)</script> 🦉\r\nBcc: evil@example.org"


def secret_of(channel: Channel) -> bytes:
    from scheduler.services.alerts.kinds.webhook import shown_secret

    return base64.b64decode(shown_secret(channel.config).removeprefix("whsec_"))


class TestAWebhook:
    def test_gets_json_with_a_signature_that_proves_it(
        self, session: Connection, node: str, receiver: WebhookReceiver
    ) -> None:
        channel = webhook(receiver)
        rule("failing", threshold=3, channels=(channel,), name="Any job")
        nightly = job(description="Call Ada.")
        fail(session, node, nightly, 3, error="ValueError: no row 17\nand more")

        send()

        (delivered,) = receiver.delivered
        (sent,) = notifications()
        assert delivered.id == str(sent.pk)
        signed = f"{delivered.id}.{delivered.headers['webhook-timestamp']}.".encode() + delivered.body
        digest = hmac.new(secret_of(channel), signed, hashlib.sha256).digest()
        assert delivered.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
        data = delivered.data
        assert data["type"] == "incident.opened"
        assert data["data"]["rule"] == "Any job"
        (incident,) = data["data"]["incidents"]
        assert incident["job"] == nightly.pk
        assert incident["what"] == "failed 3 times in a row"
        assert incident["detail"] == "ValueError: no row 17"
        assert incident["url"].startswith("https://jobs.example.org/")
        assert (sent.state, sent.attempts, sent.answer) == ("sent", 1, "204")

    def test_is_signed_with_both_secrets_during_a_rotation(
        self, session: Connection, node: str, receiver: WebhookReceiver
    ) -> None:
        old = "whsec_" + base64.b64encode(b"o" * 32).decode()
        channel = webhook(receiver, former_secret=old)
        rule("failing", channels=(channel,))
        fail(session, node, job())

        send()

        assert receiver.delivered[0].headers["webhook-signature"].count("v1,") == 2

    @pytest.mark.parametrize(
        ("answer", "text"),
        [
            (status(500, b"try later"), "500 try later"),
            (status(302, Location="http://127.0.0.1:1/"), "redirects are not followed"),
        ],
    )
    def test_that_refuses_is_tried_again_under_the_same_id(
        self, session: Connection, node: str, receiver: WebhookReceiver, answer: Any, text: str
    ) -> None:
        rule("failing", channels=(webhook(receiver),))
        fail(session, node, job())
        receiver.answer = answer
        send()
        (notification,) = notifications()
        assert (notification.state, notification.attempts) == ("pending", 1)
        assert text in notification.answer
        channel = Channel.objects.get()
        assert (channel.last_error, channel.failed) == (notification.answer, 1)
        for said, data in (
            (notification.answer, notification.answer_message),
            (channel.last_error, channel.last_error_message),
        ):
            assert isinstance(answers.read(text=said, data=data), messages.Message)

        receiver.answer = status(200)
        pass_time(seconds=30)
        send()

        assert len({delivered.id for delivered in receiver.delivered}) == 1
        assert len(receiver.delivered) == 2
        (notification,) = notifications()
        assert (notification.state, notification.answer, notification.answer_message) == ("sent", "200", None)
        assert Channel.objects.get().last_error_message is None

    def test_that_is_gone_is_switched_off(self, session: Connection, node: str, receiver: WebhookReceiver) -> None:
        rule("failing", channels=(webhook(receiver),))
        fail(session, node, job())
        receiver.answer = status(410)

        send()

        assert not Channel.objects.get().enabled
        assert notifications()[0].state == "failed"

    def test_that_answers_ten_megabytes_is_read_only_at_its_beginning(
        self, session: Connection, node: str, receiver: WebhookReceiver
    ) -> None:
        rule("failing", channels=(webhook(receiver),))
        fail(session, node, job())
        receiver.answer = status(200, b"x" * 10_000_000)

        send()

        (notification,) = notifications()
        assert notification.state == "sent"
        assert len(notification.answer) < 300

    def test_that_hangs_holds_up_no_other(
        self,
        session: Connection,
        node: str,
        receiver: WebhookReceiver,
        mail_server: MailServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(webhook_kind, "_TOTAL_SECONDS", 3600.0)
        limits = dataclasses.replace(webhook_kind._LIMITS, read_seconds=3600.0, total_seconds=3600.0)
        monkeypatch.setattr(webhook_kind, "_LIMITS", limits)
        hanging, working = webhook(receiver), mail()
        rule("failing", channels=(hanging, working))
        fail(session, node, job())
        receiver.answer = lambda _handler: receiver.stopping.wait() and None
        sender = Sender()
        sender.start()

        wait_until(lambda: any(each.state == "sent" for each in notifications(channel=working)))
        wait_until(lambda: receiver.delivered)
        unsent = notifications(channel=hanging)
        receiver.stopping.set()
        sender.stop(timeout=60.0)

        assert len(mail_server.mails) == 1
        assert [each.state for each in unsent] == ["pending"]

    @pytest.mark.parametrize("url", ["http://127.0.0.1:8000/hook", "http://169.254.169.254/", "file:///etc/passwd"])
    def test_may_not_be_in_a_private_network(self, db: None, url: str) -> None:
        with pytest.raises(InvalidChannel):
            channels.create(name="hook", kind="webhook", config={"url": url})


class Outbox(BaseEmailBackend):
    """A backend as a package such as django-anymail has one: it takes messages and knows nothing of SMTP."""

    sent: ClassVar[list[Any]] = []

    def send_messages(self, messages: Any) -> int:
        self.sent[:] = messages
        return len(messages)


class TestApprise:
    def test_sends_through_the_services_that_are_allowed(
        self, session: Connection, node: str, receiver: WebhookReceiver
    ) -> None:
        schemes = {"APPRISE_SCHEMES": ["json"]}
        with override_settings(SCHEDULER=schemes):
            chat = channels.create(name="chat", kind="apprise", config={"url": f"json://{receiver.host}/hook"})
            rule("failing", channels=(chat,))
            fail(session, node, job("nightly"), error="ValueError: no row 17")
            send()
            (delivered,) = receiver.delivered
            assert delivered.data["title"].endswith("nightly: failed 1 time in a row")
            assert "ValueError: no row 17" in delivered.data["message"]

            receiver.answer = status(500)
            with pytest.raises(DeliveryFailed):
                channels.test(channel=chat)

    def test_is_refused_at_the_next_message_once_its_service_is_not_allowed_any_more(
        self, session: Connection, receiver: WebhookReceiver
    ) -> None:
        with override_settings(SCHEDULER={"APPRISE_SCHEMES": ["json"]}):
            chat = channels.create(name="chat", kind="apprise", config={"url": f"json://{receiver.host}/hook"})

        with override_settings(SCHEDULER={}), pytest.raises(DeliveryFailed, match="APPRISE_SCHEMES"):
            channels.test(channel=chat)

        assert receiver.delivered == []


class TestTheOpenAPIDocument:
    def test_describes_every_message(self, session: Connection, node: str, receiver: WebhookReceiver) -> None:
        hook = webhook(receiver)
        rule("failing", channels=(hook,))
        nightly = job("nightly")
        fail(session, node, nightly)
        send()
        succeed(session, node, nightly)
        send()
        channels.test(channel=hook)
        Notification.objects.create(channel=hook, kind="digest", severity="info")
        send()
        document = json.loads((Path(__file__).parents[3] / "docs/openapi.json").read_text())
        schema = {"$ref": "#/components/schemas/WebhookMessage", "components": document["components"]}

        for delivered in receiver.delivered:
            jsonschema.validate(delivered.data, schema)
            asked = document["webhooks"]["message"]["post"]["parameters"]
            assert {parameter["name"] for parameter in asked} <= delivered.headers.keys()
        kinds = ["incident.opened", "incident.recovered", "alerts.test", "alerts.digest"]
        assert [delivered.data["type"] for delivered in receiver.delivered] == kinds


class TestMail:
    def test_has_text_and_html_and_is_one_thread(
        self, session: Connection, node: str, receiver: WebhookReceiver, mail_server: MailServer
    ) -> None:
        rule("failing", channels=(mail(),))
        nightly = job(description="Call Ada.")
        fail(session, node, nightly, error="ValueError: no row 17")
        send()
        succeed(session, node, nightly)
        send()

        opened, closed = mail_server.mails
        assert opened["To"] == "ada@example.org"
        assert opened["Subject"] == f"[warning] {nightly.name}: failed 1 time in a row (test)"
        assert closed["Subject"] == f"[over] {nightly.name}: failed 1 time in a row (test)"
        assert opened["List-Id"]
        assert closed["In-Reply-To"] == closed["References"] == opened["Message-ID"]
        plain = opened.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        for part in (
            "ValueError: no row 17",
            "Since",
            "Last success: never",
            "Call Ada.",
            "Its next run",
            "https://jobs",
        ):
            assert part in plain
        assert "<pre" in opened.get_body(("html",)).get_content()  # type: ignore[union-attr]
        assert "It has recovered." in closed.get_body(("plain",)).get_content()  # type: ignore[union-attr]

    def test_cannot_be_given_headers_or_markup_by_the_name_of_a_job(
        self, session: Connection, node: str, mail_server: MailServer
    ) -> None:
        rule("failing", channels=(mail(),))
        fail(session, node, job("nasty", name=NASTY), error="<b>bold</b>\x1b[31m")

        send()

        (arrived,) = mail_server.mails
        assert arrived["Bcc"] is None
        assert "\n" not in arrived["Subject"]
        html = arrived.get_body(("html",)).get_content()  # type: ignore[union-attr]
        assert "<script>" not in html
        assert "<b>bold" not in html
        assert "\x1b" not in arrived.get_body(("plain",)).get_content()  # type: ignore[union-attr]

    def test_after_an_outage_is_one_message_with_its_age(
        self, session: Connection, node: str, mail_server: MailServer
    ) -> None:
        rule("failing", channels=(mail(),))
        nightly = job()
        mail_server.stop()
        fail(session, node, nightly)
        send()
        for _ in range(3):
            pass_time(minutes=40)
            send()
        assert Notification.objects.get(kind="opened").attempts == 4
        assert mail_server.mails == []

        mail_server.start()
        pass_time(minutes=40)
        send()

        (arrived,) = mail_server.mails
        assert "delayed by 2 h" in arrived.get_body(("plain",)).get_content()  # type: ignore[union-attr]

    def test_names_twenty_jobs_and_counts_the_rest(
        self, session: Connection, node: str, mail_server: MailServer
    ) -> None:
        rule("failing", channels=(mail(),), name="Any job")
        for number in range(25):
            fail(session, node, job(f"job-{number:02}"))

        send()

        (arrived,) = mail_server.mails
        assert arrived["Subject"] == "[warning] 25 incidents: Any job"
        plain = arrived.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert plain.count("failed 1 time in a row") == 20
        assert "And 5 more." in plain

    def test_gives_the_reason_of_the_scheduler_in_the_language_of_its_channel(
        self, session: Connection, mail_server: MailServer
    ) -> None:
        channel = mail()
        channels.update(channel=channel, language="es")
        rule("system", channels=(channel,))
        add_node(beat_at=database_now() - timedelta(minutes=5))

        send()

        (arrived,) = mail_server.mails
        text = arrived.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert "Ningún nodo" in text or "ningún nodo" in text
        assert "No scheduler" not in text
        assert "No node" not in text

    def test_says_what_comes_next(self, session: Connection, node: str, mail_server: MailServer) -> None:
        rule("failing", channels=(mail(),))
        fail(session, node, job(max_retries=0, pause_after_failures=5))
        fail(session, node, job("retried", max_retries=2), 1)
        send()
        first = mail_server.mails[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]

        assert "Its next run is at" in first
        assert "It is paused after 5 failures in a row." in first
        with translation.override("en"):
            said = sentences.comes_next(Job.objects.get(pk="retried"), zone=ZoneInfo("UTC"))
        assert "A run that fails is tried again up to 2 times." in said

    def test_goes_through_any_backend_of_django(self, session: Connection, node: str, settings: Any) -> None:
        backend = f"{__name__}.Outbox"
        if django.VERSION >= (6, 1):
            settings.MAILERS = {"default": {"BACKEND": backend}}
        else:
            settings.EMAIL_BACKEND = backend
        rule("failing", channels=(mail(),))
        fail(session, node, job())

        send()

        assert [(each.to, bool(each.alternatives)) for each in Outbox.sent] == [(["ada@example.org"], True)]

    def test_is_in_the_language_of_its_channel(self, session: Connection, node: str, mail_server: MailServer) -> None:
        channel = mail()
        channels.update(channel=channel, language="es", zone="Europe/Madrid")
        rule("failing", channels=(channel,))
        fail(session, node, job())

        send()

        assert "(Europe/Madrid)" in mail_server.mails[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert "[warning]" not in mail_server.mails[0]["Subject"]


class TestATest:
    def test_goes_the_way_of_all_messages_and_says_the_answer(self, db: None, receiver: WebhookReceiver) -> None:
        channel = webhook(receiver)

        assert channels.test(channel=channel) == "204"

        assert receiver.delivered[0].data["type"] == "alerts.test"
        channel.refresh_from_db()
        assert channel.tested_at is not None
        assert channels.is_any_tested()

    def test_that_fails_says_why(self, db: None, receiver: WebhookReceiver) -> None:
        channel = webhook(receiver)
        receiver.answer = status(403, b"who are you?")

        with pytest.raises(DeliveryFailed, match="403 who are you"):
            channels.test(channel=channel)

        channel.refresh_from_db()
        assert channel.tested_at is None
        assert "403" in channel.last_error


class Letters(ChannelKind):
    """A kind as a project writes it."""

    name = "letters"
    label = "Letters"
    fields = (Field(name="street", label="Street", is_required=True),)
    sent: list[tuple[str, str]] = []

    def send(self, *, message: Message, config: Any) -> str:
        self.sent.append((config["street"], message.subject))
        return "posted"


class TestAKindOfOnesOwn:
    def test_is_a_class_with_one_method(self, session: Connection, node: str) -> None:
        with override_settings(SCHEDULER={"CHANNEL_KINDS": ["tests.integration.alerts.test_sending.Letters"]}):
            channel = channels.create(name="post", kind="letters", config={"street": "Main St 1"})
            rule("failing", channels=(channel,))
            fail(session, node, job())

            send()

        assert Letters.sent[-1][0] == "Main St 1"
        assert notifications()[0].answer == "posted"


class TestSignals:
    def test_let_the_projects_own_code_know(self, session: Connection, node: str) -> None:
        heard: list[tuple[str, str]] = []

        def opened(incident: Incident, **_: Any) -> None:
            heard.append(("opened", incident.job_key))

        def closed(incident: Incident, **_: Any) -> None:
            heard.append(("closed", incident.job_key))
            raise RuntimeError("A receiver that fails stops nothing.")

        incident_opened.connect(opened)
        incident_closed.connect(closed)
        try:
            rule("failing")
            nightly: Job = job("nightly")
            fail(session, node, nightly)
            send()
            succeed(session, node, nightly)
            send()
        finally:
            incident_opened.disconnect(opened)
            incident_closed.disconnect(closed)

        assert heard == [("opened", "nightly"), ("closed", "nightly")]
