"""The outbox: who is told of an incident, when, and how often."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler.core.alerts import RuleKind
from scheduler.models import Incident, Mute, Notification
from scheduler.store import alerts, outbox
from scheduler.store.clock import database_now
from scheduler.store.outbox import Leased, Refusal
from scheduler.store.sessions.connections import Connection
from tests.integration.alerts.happenings import (
    channel,
    fail,
    incidents,
    job,
    notifications,
    pass_time,
    rule,
    succeed,
    tell,
)


def claim(session: Connection, **limits: object) -> tuple[Leased, ...]:
    given = {"busy": (), "quiet": (), "lease_seconds": 3600.0, "limit": 10, **limits}
    return outbox.claim(session, **given)  # type: ignore[arg-type]


def send_all(session: Connection) -> list[str]:
    """Send what is due until nothing is; return the kinds, in order."""
    sent = []
    while claimed := claim(session):
        for message in claimed:
            outbox.record_sent(session, id=message.id, channel=message.channel_id, answer="ok", subject="s")
            sent.append(message.kind)
    return sent


class TestAnOpening:
    def test_is_one_notification_for_each_channel_of_the_rule(self, session: Connection, node: str) -> None:
        rule("failing", channels=(channel("mail"), channel("chat"), channel("off", enabled=False)))
        fail(session, node, job())

        tell(session)
        tell(session)

        told = {(each.kind, each.channel.name) for each in notifications()}
        assert told == {("opened", "mail"), ("opened", "chat")}
        assert len(notifications()) == 2

    def test_of_many_jobs_at_once_is_one_message(self, session: Connection, node: str) -> None:
        rule("failing", channels=(channel(),))
        for _ in range(5):
            fail(session, node, job())

        tell(session)

        assert len(notifications()) == 1
        assert len({incident.opened_in for incident in incidents()}) == 1

    def test_waits_until_no_further_incident_of_its_rule_opens(
        self, session: Connection, node: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(outbox, "GATHER_SECONDS", 7200.0)
        rule("failing", channels=(channel(),))
        fail(session, node, job())

        assert not outbox.fill(session, quiet=3600.0, pace=0.0)
        pass_time(hours=1, seconds=1)
        assert outbox.fill(session, quiet=3600.0, pace=0.0).opened == 1

    def test_is_followed_by_the_next_of_its_rule_a_minute_later(self, session: Connection, node: str) -> None:
        rule("failing", channels=(channel(),))
        fail(session, node, job())
        tell(session)
        for _ in range(3):
            fail(session, node, job())

        assert not outbox.fill(session, quiet=0.0)
        pass_time(seconds=61)
        assert outbox.fill(session, quiet=0.0).opened == 3
        assert len(notifications()) == 2

    def test_of_more_than_one_transaction_holds_is_one_message(
        self, session: Connection, node: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(outbox, "CHUNK", 2)
        rule("failing", channels=(channel(),))
        for _ in range(5):
            fail(session, node, job())

        tell(session)

        assert len(notifications()) == 1
        assert len({incident.opened_in for incident in incidents()}) == 1

    def test_without_a_channel_is_kept_for_the_dashboard_alone(self, session: Connection, node: str) -> None:
        rule("failing")
        fail(session, node, job())

        tell(session)

        assert notifications() == []
        assert incidents()[0].opened_in is not None

    def test_of_a_rule_that_gets_its_first_channel_does_not_wait(self, session: Connection, node: str) -> None:
        watching = rule("failing")
        fail(session, node, job())
        outbox.fill(session, quiet=0.0)
        watching.channels.set([channel()])
        fail(session, node, job())

        assert outbox.fill(session, quiet=0.0).opened == 1
        assert len(notifications()) == 1


class TestAClosing:
    def test_is_told_where_the_opening_was(self, session: Connection, node: str) -> None:
        watching = rule("failing", channels=(channel("mail"),))
        nightly = job()
        fail(session, node, nightly)
        tell(session)
        send_all(session)
        watching.channels.add(channel("later"))

        succeed(session, node, nightly)
        tell(session)
        tell(session)

        assert [(each.kind, each.channel.name) for each in notifications(state="pending")] == [("recovered", "mail")]

    def test_waits_for_an_opening_that_is_on_its_way(self, session: Connection, node: str) -> None:
        rule("failing", channels=(channel(),))
        nightly = job()
        fail(session, node, nightly)
        tell(session)
        (opened,) = claim(session)

        succeed(session, node, nightly)
        tell(session)

        assert claim(session) == ()
        outbox.record_sent(session, id=opened.id, channel=opened.channel_id, answer="ok", subject="s")
        assert send_all(session) == ["recovered"]

    def test_is_part_of_an_opening_that_did_not_leave_before(self, session: Connection, node: str) -> None:
        """As after two hours without a mail server: one message for the incident."""
        rule("failing", channels=(channel(),))
        nightly = job()
        fail(session, node, nightly)
        tell(session)
        (opened,) = claim(session)
        about = {"id": opened.id, "channel": opened.channel_id, "answer": "refused", "subject": "s"}
        outbox.record_unsent(session, **about, refusal=Refusal(delay_seconds=0.0))
        succeed(session, node, nightly)
        tell(session)

        assert send_all(session) == ["opened"]
        assert {each.state for each in notifications(kind="recovered")} == {"superseded"}

    def test_is_told_by_itself_when_the_opening_may_have_arrived(self, session: Connection, node: str) -> None:
        """The sender died with it: whoever drops the repetition, because it has the same id, hears of the end."""
        rule("failing", channels=(channel(),))
        nightly = job()
        fail(session, node, nightly)
        tell(session)
        (opened,) = claim(session)
        succeed(session, node, nightly)
        tell(session)
        pass_time(hours=1, seconds=1)

        (again,) = claim(session)

        assert again.id == opened.id
        outbox.record_sent(session, id=again.id, channel=again.channel_id, answer="ok", subject="s")
        assert send_all(session) == ["recovered"]

    def test_is_not_told_when_the_opening_was_given_up(self, session: Connection, node: str) -> None:
        rule("failing", channels=(channel(),))
        nightly = job()
        fail(session, node, nightly)
        tell(session)
        (opened,) = claim(session)
        about = {"id": opened.id, "channel": opened.channel_id, "answer": "no", "subject": "s"}
        outbox.record_unsent(session, **about, refusal=Refusal(delay_seconds=None))

        succeed(session, node, nightly)
        tell(session)

        assert send_all(session) == []

    def test_before_anybody_was_told_is_in_the_message_that_opens(self, session: Connection, node: str) -> None:
        rule("failing", channels=(channel(),))
        nightly = job()
        fail(session, node, nightly)
        succeed(session, node, nightly)

        tell(session)

        assert send_all(session) == ["opened"]


class TestAReminder:
    def test_comes_after_an_hour_and_then_after_twice_as_long(self, session: Connection, node: str) -> None:
        rule("failing", channels=(channel(),))
        fail(session, node, job())
        tell(session)
        send_all(session)

        hours = []
        for hour in range(1, 80):
            pass_time(hours=1, seconds=1)
            tell(session)
            if send_all(session):
                hours.append(hour)

        assert hours == [1, 3, 7, 15, 31, 55, 79]

    def test_stops_with_an_acknowledgement(self, session: Connection, node: str) -> None:
        rule("failing", channels=(channel(),))
        fail(session, node, job())
        tell(session)
        send_all(session)
        Incident.objects.update(acknowledged_at=database_now(), remind_at=None)

        pass_time(hours=50)
        tell(session)

        assert send_all(session) == []


class TestAMutedJob:
    def test_is_told_of_when_the_mute_ends(self, session: Connection, node: str) -> None:
        rule("failing", channels=(channel(),))
        nightly = job()
        Mute.objects.create(job_key=nightly.pk, until=database_now() + timedelta(hours=1))
        fail(session, node, nightly)
        tell(session)
        assert notifications() == []
        assert len(incidents()) == 1

        Mute.objects.update(until=database_now())
        tell(session)

        assert [each.kind for each in notifications()] == ["opened"]

    def test_is_never_told_of_when_it_recovers_meanwhile(self, session: Connection, node: str) -> None:
        rule("failing", channels=(channel(),))
        nightly = job()
        Mute.objects.create(job_key=nightly.pk, until=database_now() + timedelta(hours=1))
        fail(session, node, nightly)
        succeed(session, node, nightly)
        tell(session)

        Mute.objects.update(until=database_now())
        tell(session)

        assert notifications() == []


class TestAnEscalation:
    def test_goes_to_other_channels_when_nobody_acknowledges(self, session: Connection, node: str) -> None:
        watching = rule("failing", channels=(channel("mail"),), escalate_after=600)
        watching.escalation_channels.set([channel("pager")])
        nightly = job()
        fail(session, node, nightly)
        tell(session)
        send_all(session)
        pass_time(minutes=9)
        tell(session)
        assert send_all(session) == []

        pass_time(minutes=2)
        tell(session)
        tell(session)

        assert send_all(session) == ["escalated"]
        succeed(session, node, nightly)
        tell(session)
        assert sorted(each.channel.name for each in notifications(kind="recovered")) == ["mail", "pager"]


class TestAChange:
    def test_is_told_once(self, session: Connection, node: str) -> None:
        rule("failing", channels=(channel(),))
        nightly = job()
        fail(session, node, nightly, error="No route to host")
        tell(session)
        send_all(session)

        fail(session, node, nightly, times=3, error="Permission denied")
        tell(session)
        tell(session)

        assert send_all(session) == ["changed"]


class TestAClaim:
    def test_leaves_a_message_to_the_sender_that_has_it(self, session: Connection, node: str) -> None:
        rule("failing", channels=(channel(),))
        fail(session, node, job())
        tell(session)

        assert len(claim(session)) == 1
        assert claim(session) == ()

    def test_takes_one_message_of_each_channel(self, session: Connection, node: str) -> None:
        slow, quick = channel(), channel()
        for _ in range(3):
            rule("failing", channels=(slow, quick))
        fail(session, node, job())
        tell(session)

        assert sorted(message.channel_id for message in claim(session)) == sorted([slow.pk, quick.pk])
        assert claim(session, busy=(slow.pk, quick.pk)) == ()

    def test_keeps_to_the_rate_of_the_channel(self, session: Connection, node: str) -> None:
        busy = channel(per_minute=2)
        for _ in range(3):
            rule("failing", channels=(busy,))
        fail(session, node, job())
        tell(session)

        assert send_all(session) == ["opened", "opened"]
        pass_time(seconds=61)
        assert send_all(session) == ["opened"]

    def test_leaves_a_quiet_channel_only_what_is_critical(self, session: Connection, node: str) -> None:
        night = channel()
        rule("failing", channels=(night,))
        rule("failing", channels=(night,), severity="critical")
        fail(session, node, job())
        tell(session)

        claimed = claim(session, quiet=(night.pk,))

        assert len(claimed) == 1
        assert Notification.objects.get(pk=claimed[0].id).severity == "critical"

    def test_of_one_success_lets_all_that_waited_for_the_channel_go(self, session: Connection, node: str) -> None:
        mail = channel()
        for _ in range(2):
            rule("failing", channels=(mail,))
        fail(session, node, job())
        tell(session)
        (first,) = claim(session)
        about = {"id": first.id, "channel": mail.pk, "answer": "down", "subject": "s"}
        outbox.record_unsent(session, **about, refusal=Refusal(delay_seconds=3600.0))
        mail.refresh_from_db()
        assert mail.failing_since is not None

        (second,) = claim(session)
        outbox.record_sent(session, id=second.id, channel=mail.pk, answer="ok", subject="s")

        mail.refresh_from_db()
        assert (mail.failing_since, mail.last_error) == (None, "")
        assert send_all(session) == ["opened"]


class TestARuleThatIsGone:
    def test_closes_what_it_left_open(self, session: Connection, node: str) -> None:
        gone = rule("failing")
        fail(session, node, job())
        gone.delete()
        off = rule("failing")
        fail(session, node, job())
        type(off).objects.filter(pk=off.pk).update(enabled=False)

        assert alerts.close_orphans(session) == 2

        assert [incident.closed_because for incident in incidents()] == ["rule_deleted", "rule_changed"]


def test_the_kinds_that_are_judged_by_time_are_those_that_no_change_of_a_job_shows() -> None:
    assert set(RuleKind) - set(alerts.JUDGED_BY_TIME) == {RuleKind.FAILING, RuleKind.BROKEN}


class TestNumbersAtTheirLimit:
    def test_stop_neither_outcomes_nor_messages(self, session: Connection, node: str) -> None:
        most = 2**63 - 1
        rule("failing", channels=(channel(sent=most, failed=most),))
        failing = job()
        fail(session, node, failing)
        Incident.objects.update(count=2**31 - 1)

        fail(session, node, failing)
        tell(session)
        Notification.objects.update(attempts=2**15 - 1)

        assert send_all(session) == ["opened"]
        assert Incident.objects.get().count == 2**31 - 1
        Incident.objects.update(reminders=2**31 - 1, remind_at=database_now())
        tell(session)
        assert send_all(session) == ["reminder"]
