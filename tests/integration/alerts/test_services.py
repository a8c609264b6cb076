"""Rules that change while incidents are open, digests, switches, export and import, and the commands."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from openlearn.scraping.models import Document, Source
from scheduler.core.states import RunState
from scheduler.models import Channel, Incident, Mute, Notification, Switch
from scheduler.services import retention
from scheduler.services.alerts import DigestPart, channels, digests, rules, switches
from scheduler.services.alerts import incidents as incident_services
from scheduler.services.alerts.sender import Sender
from scheduler.store import outbox
from scheduler.store.clock import database_now
from scheduler.store.sessions.connections import Connection
from tests.integration.alerts.happenings import channel, fail, incidents, job, notifications, pass_time, rule, tell
from tests.ledger import add_node, add_run
from tests.receivers import WebhookReceiver


class TestARule:
    def test_opens_incidents_for_what_it_finds_when_it_is_made(self, session: Connection, node: str) -> None:
        failing = job("failing")
        fail(session, node, failing, 3)

        rules.create(name="Any job", kind="failing", threshold=2)

        assert [incident.job_key for incident in incidents()] == ["failing"]

    def test_that_is_edited_closes_what_does_not_fit_it_any_more(self, session: Connection, node: str) -> None:
        made = rules.create(name="Any job", kind="failing", threshold=2)
        for each, times in (("twice", 2), ("often", 5)):
            fail(session, node, job(each), times)

        rules.update(rule=made, threshold=4, actor="ada")

        closed = [(each.job_key, each.closed_because, each.closed_by) for each in incidents(closed_at__isnull=False)]
        assert closed == [("twice", "rule_changed", "ada")]
        assert [each.job_key for each in incidents(closed_at=None)] == ["often"]

    def test_that_is_renamed_keeps_its_incidents(self, session: Connection, node: str) -> None:
        made = rules.create(name="Any job", kind="failing")
        fail(session, node, job())

        rules.update(rule=made, name="Every job")

        assert incidents()[0].closed_at is None

    def test_that_is_switched_off_closes_its_incidents(self, session: Connection, node: str) -> None:
        made = rules.create(name="Any job", kind="failing")
        fail(session, node, job())

        rules.update(rule=made, enabled=False)

        assert incidents()[0].closed_because == "rule_changed"

    def test_of_another_kind_closes_those_of_the_former(self, session: Connection, node: str) -> None:
        made = rules.create(name="Any job", kind="failing")
        fail(session, node, job())

        rules.update(rule=made, kind="broken")

        assert incidents()[0].closed_because == "rule_changed"


class TestAPreview:
    def test_counts_periods_of_failing(self, session: Connection, node: str) -> None:
        nightly = job()
        at = database_now() - timedelta(days=2)
        states = "FFS FFFS F"
        for place, letter in enumerate(states.replace(" ", "")):
            state = RunState.FAILED if letter == "F" else RunState.SUCCEEDED
            error = "Boom" if letter == "F" else None
            add_run(nightly, scheduled_at=at + timedelta(minutes=place), state=state, error=error)

        def count(threshold: int) -> int | None:
            return rules.preview(given={"kind": "failing", "threshold": threshold}).incidents

        assert [count(threshold) for threshold in (1, 2, 3, 4)] == [3, 2, 1, 0]

    def test_counts_late_and_slow_runs(self, session: Connection) -> None:
        nightly = job()
        at = database_now() - timedelta(days=1)
        for minutes in (1, 10):
            run = add_run(nightly, scheduled_at=at + timedelta(seconds=minutes), state=RunState.SUCCEEDED)
            run.started_at = run.due_at + timedelta(minutes=minutes)
            run.finished_at = run.started_at + timedelta(minutes=minutes)
            run.save()

        for kind in ("late", "slow", "deadline"):
            assert rules.preview(given={"kind": kind, "seconds": 300}).incidents == 1, kind


def a_long_part(**_: object) -> DigestPart:
    return DigestPart(title="Twelve:", lines=tuple(f"line {number}" for number in range(12)))


def a_part_that_fails(**_: object) -> DigestPart:
    raise ZeroDivisionError("division by zero")


def digest_of(part: str, now: datetime | None = None) -> tuple[str, ...]:
    """The paragraphs of a daily digest with a part of the project."""
    daily = Channel(digest="daily", zone="UTC")
    with override_settings(SCHEDULER={"DIGEST_PARTS": [part]}):
        return digests.compose(channel=daily, zone=ZoneInfo("UTC"), now=now or database_now())[1]


class TestADigest:
    @pytest.mark.parametrize(
        ("digest", "zone", "expected"),
        [
            ("daily", "UTC", datetime(2027, 3, 4, 8, tzinfo=UTC)),
            ("daily", "Europe/Berlin", datetime(2027, 3, 4, 7, tzinfo=UTC)),
            ("weekly", "UTC", datetime(2027, 3, 8, 8, tzinfo=UTC)),
            ("", "UTC", None),
        ],
    )
    def test_is_due_on_the_clock_of_its_channel(self, digest: str, zone: str, expected: datetime | None) -> None:
        made = Channel(digest=digest, zone=zone, digest_at=time(8))

        assert digests.next_at(channel=made, now=datetime(2027, 3, 3, 12, tzinfo=UTC)) == expected

    def test_is_put_into_the_outbox_once(self, session: Connection) -> None:
        now = database_now()
        made = channel(digest="daily", next_digest_at=now - timedelta(minutes=1))

        assert digests.write_due(now=now) == 1
        assert digests.write_due(now=now) == 0
        made.refresh_from_db()
        assert made.next_digest_at is not None
        assert made.next_digest_at > now
        assert [each.kind for each in notifications()] == ["digest"]

    def test_says_what_ran_and_what_is_wrong(self, session: Connection, node: str) -> None:
        rule("failing")
        fail(session, node, job("nightly"), 2)

        title, paragraphs = digests.compose(
            channel=Channel(digest="daily", zone="UTC"), zone=ZoneInfo("UTC"), now=database_now() + timedelta(hours=1)
        )

        assert title == "Daily digest: 2 runs, 2 of them failed."
        assert any("nightly: failed 2 times in a row" in paragraph for paragraph in paragraphs)

    def test_names_the_sources_without_new_documents(self, session: Connection) -> None:
        now = database_now()
        names = ("quiet", "busy", "never scraped", "new today", "without any")
        made = {name: Source.objects.create(name=name, url=f"https://{len(name)}.example.org/") for name in names}
        Source.objects.update(created_at=now - timedelta(days=9), last_success_at=now - timedelta(hours=1))
        Source.objects.filter(name="never scraped").update(last_success_at=None)
        Source.objects.filter(name="new today").update(created_at=now)
        for name, days in (("quiet", 4), ("busy", 4), ("busy", 0.5)):
            at = now - timedelta(days=days)
            url = f"https://example.org/{name}/{days}"
            Document.objects.create(source=made[name], url=url, content_hash="", first_seen_at=at, changed_at=at)

        told = digest_of("openlearn.scraping.services.digest.sources_without_new_documents", now=now)

        last = f"{now - timedelta(days=4):%Y-%m-%d}"
        expected = ["Sources without new documents:", "- without any (none so far)", f"- quiet (the last one: {last})"]
        assert told[-1].splitlines() == expected

    def test_shows_ten_lines_of_a_part_and_counts_the_rest(self, session: Connection) -> None:
        told = digest_of(f"{__name__}.a_long_part")

        assert told[-1].splitlines()[:2] == ["Twelve:", "- line 0"]
        assert told[-1].splitlines()[-1] == "- and 2 more"

    def test_is_sent_although_a_part_of_the_project_fails(self, session: Connection) -> None:
        told = digest_of(f"{__name__}.a_part_that_fails")

        assert told[-1].splitlines()[-1] == "- ZeroDivisionError: division by zero"
        assert len(told) > 1


@pytest.mark.usefixtures("patient_with_heartbeats")
class TestASwitch:
    def test_is_requested_while_the_health_passes(self, session: Connection) -> None:
        add_node(beat_at=database_now())
        with WebhookReceiver() as receiver, override_settings(SCHEDULER={"ALLOWED_HOSTS": [receiver.host]}):
            switches.create(name="all", url=f"http://{receiver.host}/abc")
            pings = switches.take_due()
            assert [switches.send(ping) for ping in pings] == ["200"]
            assert switches.take_due() == []
            assert [each.id for each in receiver.delivered] == ["/abc"]

    def test_says_that_the_health_fails(self, session: Connection) -> None:
        add_node(beat_at=database_now() - timedelta(hours=1))
        with override_settings(SCHEDULER={"ALLOWED_HOSTS": ["hc.example.org"]}):
            switches.create(name="all", url="https://hc.example.org/abc")

            assert [ping.url for ping in switches.take_due()] == ["https://hc.example.org/abc/fail"]

    def test_of_a_job_reports_its_runs(self, session: Connection, node: str) -> None:
        nightly = job("nightly")
        with override_settings(SCHEDULER={"ALLOWED_HOSTS": ["hc.example.org"]}):
            switches.create(name="nightly", url="https://hc.example.org/n", job="nightly", every_seconds=10)
        asked = []
        for state in (RunState.RUNNING, RunState.SUCCEEDED, RunState.FAILED):
            add_run(nightly, scheduled_at=database_now(), state=state)
            Switch.objects.update(next_at=database_now())
            asked += [ping.url.removeprefix("https://hc.example.org/n") for ping in switches.take_due()]
        Switch.objects.update(next_at=database_now())

        assert asked == ["/start", "", "/fail"]
        assert switches.take_due() == []

    def test_of_a_job_reports_the_end_of_a_run_before_the_start_of_the_next(self, session: Connection) -> None:
        nightly = job("nightly")
        with override_settings(SCHEDULER={"ALLOWED_HOSTS": ["hc.example.org"]}):
            switches.create(name="nightly", url="https://hc.example.org/n", job="nightly", every_seconds=10)
        for state in (RunState.SUCCEEDED, RunState.RUNNING):
            add_run(nightly, scheduled_at=database_now(), state=state)

        asked = [ping.url.removeprefix("https://hc.example.org/n") for ping in switches.take_due()]

        assert asked == ["", "/start"]

    def test_is_requested_although_the_clock_was_set_back(self, session: Connection) -> None:
        with override_settings(SCHEDULER={"ALLOWED_HOSTS": ["hc.example.org"]}):
            switches.create(name="all", url="https://hc.example.org/abc")
        switches.take_due()
        assert switches.take_due() == []
        Switch.objects.update(next_at=database_now() + timedelta(hours=1))

        assert len(switches.take_due()) == 1


class TestTheCommands:
    @pytest.fixture
    def incident(self, session: Connection, node: str) -> Incident:
        rule("failing")
        fail(session, node, job("nightly"), 3)
        return Incident.objects.get()

    def test_list_acknowledge_and_snooze(self, incident: Incident) -> None:
        out = StringIO()
        call_command("alerts", "list", "--output", "json", stdout=out)
        assert [row["job"] for row in json.loads(out.getvalue())] == ["nightly"]

        call_command("alerts", "ack", str(incident.pk), "--note", "On it.", stderr=StringIO())
        call_command("alerts", "snooze", str(incident.pk), "--until", "2h", stderr=StringIO())

        incident.refresh_from_db()
        assert incident.note == "On it."
        assert incident.acknowledged_at is not None
        assert incident.snoozed_until is not None

    def test_refuse_what_is_not_there(self, session: Connection) -> None:
        with pytest.raises(CommandError, match="no incident") as caught:
            call_command("alerts", "ack", "99")
        assert caught.value.returncode == 2
        with pytest.raises(CommandError, match="no channel"):
            call_command("alerts", "test", "nowhere")

    def test_send_a_test(self, session: Connection) -> None:
        with WebhookReceiver() as receiver, override_settings(SCHEDULER={"ALLOWED_HOSTS": [receiver.host]}):
            channels.create(name="hook", kind="webhook", config={"url": receiver.url})
            out = StringIO()
            call_command("alerts", "test", "hook", stdout=out)

        assert out.getvalue().strip() == "204"

    def test_send_what_is_due_once(self, session: Connection, node: str) -> None:
        with WebhookReceiver() as receiver, override_settings(SCHEDULER={"ALLOWED_HOSTS": [receiver.host]}):
            hook = channels.create(name="hook", kind="webhook", config={"url": receiver.url})
            rule("failing", channels=(hook,))
            fail(session, node, job())
            call_command("send_alerts", "--once")

            assert [each.data["type"] for each in receiver.delivered] == ["incident.opened"]


class TestQuietHours:
    def test_hold_messages_back_until_they_end(self, session: Connection, node: str) -> None:
        with WebhookReceiver() as receiver, override_settings(SCHEDULER={"ALLOWED_HOSTS": [receiver.host]}):
            hook = channels.create(name="hook", kind="webhook", config={"url": receiver.url})
            now = database_now()
            hook.quiet_from = (now - timedelta(hours=1)).time()
            hook.quiet_until = (now + timedelta(hours=1)).time()
            hook.save()
            rule("failing", channels=(hook,))
            fail(session, node, job())
            assert Sender().run_until_empty(timeout=120)
            assert receiver.delivered == []

            hook.quiet_until = (now - timedelta(minutes=1)).time()
            hook.save()
            assert Sender().run_until_empty(timeout=120)

        assert len(receiver.delivered) == 1


class TestTheCleanUp:
    def test_deletes_closed_incidents_and_their_messages(self, session: Connection, node: str) -> None:
        rule("failing", channels=(channel(),))
        nightly = job()
        fail(session, node, nightly)
        tell(session)
        Notification.objects.update(state="sent", sent_at=database_now())
        Incident.objects.update(closed_at=database_now(), closed_in=outbox.NO_BATCH)
        fail(session, node, job())
        pass_time(days=40)

        done = retention.clean_up(older_than_days=30)

        assert done.incidents == 1
        assert [incident.closed_at for incident in incidents()] == [None]
        assert notifications() == []


class TestAMute:
    def test_of_a_job_is_over_by_itself(self, session: Connection) -> None:
        Mute.objects.create(job_key="nightly", until=database_now() - timedelta(seconds=1))

        assert incident_services.mute_of(job=job("nightly")) is None
