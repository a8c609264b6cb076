"""Days on which much is wrong at once: nobody is flooded, nothing is forgotten, and nothing is told that is not so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler

import pytest

from scheduler.core.states import RunState
from scheduler.models import Incident, Job, Notification, Rule
from scheduler.services.alerts import judge, rules
from scheduler.services.alerts.judge import Judge
from scheduler.services.alerts.kinds import webhook as webhook_kind
from scheduler.services.alerts.sender import Sender
from scheduler.store import outbox
from scheduler.store.clock import database_now
from scheduler.store.recording import finishing
from scheduler.store.recording.finishing import Outcome
from scheduler.store.sessions.connections import Connection
from tests.integration.alerts.happenings import (
    channel,
    fail,
    incidents,
    job,
    mail,
    notifications,
    pass_time,
    rule,
    send,
    succeed,
    webhook,
)
from tests.ledger import add_run
from tests.receivers import MailServer, WebhookReceiver, status
from tests.waiting import wait_until


@contextmanager
def a_sender() -> Iterator[None]:
    """A sender as a node runs it, which gathers what belongs together."""
    sender = Sender()
    sender.start()
    try:
        yield
    finally:
        sender.stop(timeout=60.0)


def plain(arrived: EmailMessage) -> str:
    body = arrived.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def end_together(session: Connection, node: str, jobs: list[Job], state: RunState) -> None:
    """Record one run of each job, as many in one transaction as a node does."""
    at = database_now()
    outcomes = [
        Outcome(
            run_id=add_run(each, scheduled_at=at, state=RunState.RUNNING, node=node).pk,
            state=state,
            started=0,
            finished=1,
            error="ConnectionError: db-7 does not answer" if state is RunState.FAILED else None,
        )
        for each in jobs
    ]
    with a_long_burst():
        for begin in range(0, len(jobs), 250):
            recorded = finishing.finish(session, outcomes=outcomes[begin : begin + 250], node=node, clock=2)
            finishing.reset_failures(session, runs=recorded.runs)


@contextmanager
def a_long_burst() -> Iterator[None]:
    """Let senders expect more to come, however long a busy machine takes for what happens within seconds elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox, "GATHER_SECONDS", 3600.0)
        patch.setattr(
            outbox.fill, "__kwdefaults__", {**(outbox.fill.__kwdefaults__ or {}), "quiet": 3600.0, "burst": 3600.0}
        )
        yield


class TestOneHostOfAThousandJobs:
    def test_is_one_message_to_each_channel_and_one_when_it_is_back(
        self, session: Connection, node: str, receiver: WebhookReceiver, mail_server: MailServer
    ) -> None:
        rule("failing", channels=(webhook(receiver), mail()), name="Any job")
        jobs = [job(f"job-{number:04}") for number in range(1000)]
        with a_sender():
            end_together(session, node, jobs, RunState.FAILED)
            wait_until(lambda: receiver.delivered and mail_server.mails)
            end_together(session, node, jobs, RunState.SUCCEEDED)
            wait_until(lambda: len(receiver.delivered) > 1 and len(mail_server.mails) > 1)

        assert [each.data["type"] for each in receiver.delivered] == ["incident.opened", "incident.recovered"]
        assert {each.data["data"]["count"] for each in receiver.delivered} == {1000}
        assert [str(each["Subject"]) for each in mail_server.mails] == [
            "[warning] 1,000 incidents: Any job (test)",
            "[over] 1,000 incidents: Any job (test)",
        ]


class TestTwoHoursWithoutAMailServer:
    def test_are_followed_by_one_message_for_each_incident_with_its_age(
        self, session: Connection, node: str, mail_server: MailServer
    ) -> None:
        team = mail()
        names = ("one", "two", "three")
        for name in names:
            rule("failing", channels=(team,), scope="job", target=name)
        jobs = [job(name) for name in names]
        mail_server.stop()
        for each in jobs:
            fail(session, node, each)
        for passed in range(12):
            send()
            if passed == 6:
                succeed(session, node, jobs[2])
            pass_time(minutes=10)
        assert mail_server.mails == []

        mail_server.start()
        pass_time(minutes=45)
        send()

        assert Counter(str(each["Subject"]).split(":")[0] for each in mail_server.mails) == {
            "[warning] one": 1,
            "[warning] two": 1,
            "[over] three": 1,
        }
        assert all("delayed by 2 h" in plain(each) for each in mail_server.mails)
        pass_time(minutes=70)
        send()
        assert len(mail_server.mails) == 5, "the two that are open are reminded of, and the third is not"


class TestARuleThatChangesWhileIncidentsAreOpen:
    @pytest.fixture
    def watching(self, session: Connection, node: str, receiver: WebhookReceiver) -> Rule:
        watching = rules.create(name="Any job", kind="failing", threshold=2, channels=[webhook(receiver)])
        fail(session, node, job("nightly"), 2)
        return watching

    def ends(self, receiver: WebhookReceiver) -> list[tuple[str, str]]:
        return [
            (each.data["type"], incident["closed_because"])
            for each in receiver.delivered
            for incident in each.data["data"]["incidents"]
        ]

    def test_and_is_edited_tells_those_who_were_told(self, watching: Rule, receiver: WebhookReceiver) -> None:
        send()
        rules.update(rule=watching, threshold=9)
        send()

        assert self.ends(receiver) == [("incident.opened", None), ("incident.recovered", "rule_changed")]

    def test_and_is_deleted_tells_those_who_were_told(self, watching: Rule, receiver: WebhookReceiver) -> None:
        send()
        rules.remove(rule=watching)
        send()

        assert self.ends(receiver) == [("incident.opened", None), ("incident.recovered", "rule_deleted")]

    def test_and_is_deleted_before_anybody_was_told_tells_nobody(
        self, watching: Rule, receiver: WebhookReceiver
    ) -> None:
        rules.remove(rule=watching)
        send()

        assert receiver.delivered == []

    def test_and_still_holds_for_a_job_goes_on(self, watching: Rule, receiver: WebhookReceiver) -> None:
        send()
        rules.update(rule=watching, severity="critical", threshold=1)
        send()

        assert self.ends(receiver) == [("incident.opened", None)]


class TestTheDatabasesClockIsSetBack:
    """Everything that is stored lies in the future then."""

    def test_before_an_opening_is_told(self, session: Connection, node: str, receiver: WebhookReceiver) -> None:
        watching = rule("failing", channels=(webhook(receiver),))
        Rule.objects.filter(pk=watching.pk).update(told_at=database_now() - timedelta(minutes=5))
        fail(session, node, job())
        pass_time(hours=-1)

        with a_sender():
            wait_until(lambda: receiver.delivered)

    def test_before_an_end_is_told(self, session: Connection, node: str, receiver: WebhookReceiver) -> None:
        rule("failing", channels=(webhook(receiver),))
        nightly = job()
        fail(session, node, nightly)
        send()
        succeed(session, node, nightly)
        pass_time(hours=-1)

        with a_sender():
            wait_until(lambda: len(receiver.delivered) == 2)

    def test_before_a_message_is_tried_again(self, session: Connection, node: str, receiver: WebhookReceiver) -> None:
        rule("failing", channels=(webhook(receiver),))
        fail(session, node, job())
        receiver.answer = status(500)
        send()
        pass_time(hours=-1)

        with a_sender():
            wait_until(lambda: notifications()[0].attempts >= 2)

        (tried,) = notifications()
        assert (tried.due_at - tried.tried_at).total_seconds() > 10, "from there on it is tried as rarely as ever"

    def test_while_a_dead_sender_has_a_message(self, session: Connection, node: str, receiver: WebhookReceiver) -> None:
        rule("failing", channels=(webhook(receiver),))
        fail(session, node, job())
        receiver.answer = status(500)
        send()
        Notification.objects.update(leased_until=database_now() + timedelta(seconds=60), due_at=database_now())
        pass_time(hours=-1)

        with a_sender():
            wait_until(lambda: len(receiver.delivered) >= 2)

    def test_does_not_use_up_what_a_channel_may_send(
        self, session: Connection, node: str, receiver: WebhookReceiver
    ) -> None:
        hook = webhook(receiver, per_minute=1)
        rule("failing", channels=(hook,))
        fail(session, node, job())
        send()
        pass_time(hours=-1)
        fail(session, node, job())

        send()

        assert len(receiver.delivered) == 2


class TestTheDatabasesClockJumpsForward:
    def test_makes_no_job_late_before_nodes_could_follow(
        self, session: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rule("late", seconds=300)
        judging = Judge(connection=session)
        now = database_now()
        judging.turn(now=now)
        nightly = job()
        Job.objects.filter(pk=nightly.pk).update(next_run_time=now - timedelta(minutes=30))
        hours = timedelta(hours=1)

        monkeypatch.setattr(judge, "_JUDGE_SECONDS", dict.fromkeys(judge._JUDGE_SECONDS, 0.0))
        judging._at = dict.fromkeys(judging._at, 0.0)
        judging.turn(now=now + hours)
        assert incidents() == []

        monkeypatch.setattr(judge, "_SETTLE_SECONDS", 0.0)
        judging._at = dict.fromkeys(judging._at, 0.0)
        judging.turn(now=now + hours)
        assert [incident.job_key for incident in incidents()] == [nightly.pk]


class TestAWebhookReceiver:
    def test_that_answers_500_for_a_day_gets_the_message_afterwards_and_once(
        self, session: Connection, node: str, receiver: WebhookReceiver
    ) -> None:
        rule("failing", channels=(webhook(receiver),))
        fail(session, node, job())
        receiver.answer = status(500)
        for _ in range(24 * 6):
            send()
            pass_time(minutes=10)
        refused = len(receiver.delivered)
        assert 10 < refused < 20
        assert notifications(kind="opened")[0].state == "pending"

        receiver.answer = status(204)
        pass_time(hours=24)
        send()

        assert len({each.id for each in receiver.delivered}) == 1
        assert len(receiver.delivered) == refused + 1

    @pytest.mark.parametrize("is_dripping", [False, True], ids=["silent", "dripping"])
    def test_that_hangs_is_given_up_in_time_and_tried_again(
        self,
        session: Connection,
        node: str,
        receiver: WebhookReceiver,
        monkeypatch: pytest.MonkeyPatch,
        is_dripping: bool,
    ) -> None:
        monkeypatch.setattr(webhook_kind, "_TOTAL_SECONDS", 3.0)
        rule("failing", channels=(webhook(receiver),))
        fail(session, node, job())

        def hang(handler: BaseHTTPRequestHandler) -> None:
            if is_dripping:
                handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while is_dripping and not receiver.stopping.wait(0.1):
                handler.wfile.write(b"X-More: more\r\n")
            receiver.stopping.wait()

        receiver.answer = hang
        send()  # ends, while the receiver would hang for ever

        (notification,) = notifications()
        assert (notification.state, notification.may_have_arrived) == ("pending", True)
        assert "did not answer within" in notification.answer

    def test_that_redirects_to_this_host_is_not_followed(
        self, session: Connection, node: str, receiver: WebhookReceiver
    ) -> None:
        with WebhookReceiver() as inside:
            rule("failing", channels=(webhook(receiver),))
            fail(session, node, job())
            receiver.answer = status(307, Location=inside.url)
            send()

            assert inside.delivered == []
        assert "redirects are not followed" in notifications()[0].answer


NASTY = (
    "Line one\r\nBcc: evil@example.org\r\n\r\nbody",
    "<img src=x onerror=alert(1)> & 'quotes\"",
    "🦉 Nächtlich ​ \u202egnp.exe",
    "x" * 255,
    "%s {0} {name} {{ template }} {% now %}",
)


class TestANastyName:
    @pytest.mark.parametrize("name", NASTY)
    def test_of_a_job_arrives_as_text_and_as_nothing_else(
        self, session: Connection, node: str, receiver: WebhookReceiver, mail_server: MailServer, name: str
    ) -> None:
        rule("failing", channels=(webhook(receiver), mail()))
        nightly = job("nasty", name=name, description=f"Call {name}")
        fail(session, node, nightly, error=f"{name}\nsecond line")
        send()
        succeed(session, node, nightly)
        send()

        opened, over = mail_server.mails
        known = {"subject", "from", "to", "date", "message-id", "list-id", "auto-submitted", "mime-version"}
        known |= {"content-type", "x-auto-response-suppress", "in-reply-to", "references", "x-peer", "x-mailfrom"}
        for each in (opened, over):
            assert {header.lower() for header in each} <= known | {"x-rcptto"}
            assert each["To"] == "ada@example.org"
            assert "\n" not in str(each["Subject"])
            html = each.get_body(("html",))
            assert html is not None
            assert "<img" not in str(html.get_content())
        hooked = receiver.delivered[0].data["data"]["incidents"][0]
        assert hooked["job_name"] == name
        assert len(hooked["detail"].splitlines()) == 1


class TestAJobThatFailsTwelveTimes:
    def test_is_one_message_at_the_third_reminders_and_one_recovery(
        self, session: Connection, node: str, mail_server: MailServer
    ) -> None:
        rule("failing", threshold=3, channels=(mail(),))
        nightly = job("nightly")
        told_after: list[int] = []
        for number in range(1, 13):
            fail(session, node, nightly)
            send()
            told_after += [number] * (len(mail_server.mails) - len(told_after))
            pass_time(minutes=20)
        succeed(session, node, nightly)
        send()
        succeed(session, node, nightly)
        send()

        # Opened with the third, then a reminder after an hour and another one two hours later.
        assert told_after == [3, 6, 12]
        assert [str(each["Subject"]).split(":")[0] for each in mail_server.mails] == [
            "[warning] nightly",
            "[reminder] nightly",
            "[reminder] nightly",
            "[over] nightly",
        ]
        first = str(mail_server.mails[0]["Message-ID"])
        assert all(each["In-Reply-To"] == first for each in mail_server.mails[1:])
        assert Incident.objects.get().count == 12


class TestAJobThatFailsTwiceAndThenSucceeds:
    def test_is_not_worth_a_message_if_three_are_asked_for(
        self, session: Connection, node: str, receiver: WebhookReceiver, mail_server: MailServer
    ) -> None:
        rule("failing", threshold=3, channels=(webhook(receiver), mail(), channel("off", enabled=False)))
        nightly = job()
        for _ in range(3):
            fail(session, node, nightly, 2)
            succeed(session, node, nightly)
            send()

        assert (receiver.delivered, mail_server.mails, incidents()) == ([], [], [])
