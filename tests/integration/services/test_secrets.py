from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pydantic import BaseModel, SecretStr

from scheduler import conf, sealing
from scheduler.core.tasks.registry import Secret, registry, task
from scheduler.errors import InvalidArguments, UnknownExecutor
from scheduler.models import Change, Job
from scheduler.services import jobs
from scheduler.services.jobs import bulk
from scheduler.store.sessions.connections import Connection
from tests.sample_app import governed  # noqa: F401 - its tasks are used

EVERY_HOUR = {"type": "interval", "hours": 1}


class Account(BaseModel):
    user: str
    password: SecretStr


def send(*, url: str, token: Annotated[str, Secret], pages: int = 1, account: Account | None = None) -> str:
    return f"{url} {token} {account.password.get_secret_value() if account else ''}"


def other(*, url: str, token: Annotated[str, Secret]) -> None:
    pass


def sign(*, token: Any) -> None:
    pass


@pytest.fixture(autouse=True)
def tasks() -> Iterator[None]:
    task(name="test.send", secrets_unaffected_by=("pages",))(send)
    task(name="test.other")(other)
    yield
    registry.remove("test.send")
    registry.remove("test.other")


def make(id: str = "pay", **kwargs: Any) -> Job:
    given = {"url": "https://bank.example", "token": "s3cr3t-of-the-bank", **kwargs}
    return jobs.create(id=id, task="test.send", kwargs=given, trigger=EVERY_HOUR)


def opened(job: Job, **kwargs: Any) -> sealing.Opened:
    """Open the arguments as a run of the job does."""
    return sealing.open_arguments(
        args=[], kwargs={**job.kwargs, **kwargs}, job=job.pk, task=job.task, names=["url", "token"]
    )


@pytest.mark.django_db
class TestASealedValue:
    def test_opens_in_the_job_that_it_was_saved_for(self) -> None:
        assert opened(make()).kwargs["token"] == "s3cr3t-of-the-bank"

    def test_opens_in_no_other_job(self) -> None:
        mine = make("mine", token="mine")

        with pytest.raises(InvalidArguments, match="another job, task or argument"):
            opened(mine, token=make().kwargs["token"])

    def test_opens_under_no_other_argument(self) -> None:
        job = make()

        with pytest.raises(InvalidArguments, match="another job, task or argument"):
            opened(job, url=job.kwargs["token"])

    def test_opens_under_no_other_task(self) -> None:
        job = make()

        with pytest.raises(InvalidArguments):
            jobs.update(job=job, task="test.other", kwargs={"url": "https://x.example", "token": job.kwargs["token"]})

    def test_follows_a_copy_of_its_job(self) -> None:
        copy = bulk.clone(job=make(), actor="anna", source=Job.objects.get().source, id="copy", name=None, paused=False)

        assert opened(copy).kwargs["token"] == "s3cr3t-of-the-bank"

    def test_is_written_into_no_table(self) -> None:
        make(account={"user": "anna", "password": "pa55word"})

        stored = json.dumps([*Job.objects.values_list("kwargs", flat=True), *Change.objects.values_list("changes")])
        assert "s3cr3t" not in stored
        assert "pa55word" not in stored

    @pytest.mark.parametrize(
        ("hint", "given", "words"),
        [
            (Annotated[str, Secret] | None, "hunter2", "hunter2"),
            (Annotated[str | None, Secret], "hunter2", "hunter2"),
            (Annotated[int, Secret], 815_4711_0815, "81547110815"),
            (Annotated[list[str], Secret], ["hunter2"], "hunter2"),
            (list[Annotated[str, Secret]], ["hunter2"], "hunter2"),
            (dict[str, SecretStr] | None, {"key": "hunter2"}, "hunter2"),
            (SecretStr, "hunter2", "hunter2"),
            (SecretStr | None, "hunter2", "hunter2"),
            (Account, {"user": "anna", "password": "hunter2"}, "hunter2"),
            (list[Account], [{"user": "anna", "password": "hunter2"}], "hunter2"),
        ],
    )
    def test_is_one_in_every_spelling(self, hint: Any, given: Any, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sign.__annotations__, "token", hint)
        task(name="test.sign")(sign)
        try:
            job = jobs.create(id="sign", task="test.sign", kwargs={"token": given}, trigger=EVERY_HOUR)
            jobs.run_now(job=job)
        finally:
            registry.remove("test.sign")

        assert opened(job).kwargs["token"] == given
        for table in ("scheduler_job", "scheduler_change", "scheduler_run", "django_apscheduler_djangojob"):
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT {table}::text FROM {table}")  # noqa: S608 - the tables above
                rows = cursor.fetchall()
            assert rows
            assert words not in str(rows)

    def test_may_be_an_object(self) -> None:
        job = make(account=Account(user="anna", password=SecretStr("pa55word")))

        found = opened(job)

        assert found.kwargs["account"] == {"user": "anna", "password": "pa55word"}
        assert set(found.secrets) == {"s3cr3t-of-the-bank", "pa55word", "anna"}

    def test_of_before_there_were_places_opens_until_the_setting_says_otherwise(self, settings: Any) -> None:
        job = make()
        Job.objects.update(kwargs={**job.kwargs, "token": sealing.seal("of before")})
        job.refresh_from_db()

        assert opened(job).kwargs["token"] == "of before"

        settings.SCHEDULER = {**settings.SCHEDULER, "UNBOUND_SECRETS": False}
        with pytest.raises(InvalidArguments):
            opened(job)


@pytest.mark.django_db
class TestAMask:
    def test_stays_while_only_harmless_arguments_change(self) -> None:
        job = make()

        bulk.update(job=job, actor="", version=None, kwargs={"url": job.kwargs["url"], "token": "•••", "pages": 7})

        job.refresh_from_db()
        assert opened(job).kwargs == {"url": "https://bank.example", "token": "s3cr3t-of-the-bank", "pages": 7}

    @pytest.mark.parametrize(
        "changes",
        [
            {"kwargs": {"url": "https://mine.example", "token": "•••"}},
            {"kwargs": {"token": "•••"}, "args": []},
            {"kwargs": {"url": "https://bank.example", "token": "•••"}, "task": "test.other"},
            {"task": "test.other"},
        ],
    )
    def test_stands_for_nothing_where_the_destination_changes(self, changes: dict[str, Any]) -> None:
        job = make()

        with pytest.raises(InvalidArguments, match=r"Enter .* again|another job, task|required"):
            bulk.update(job=job, actor="", version=None, **changes)

        assert Job.objects.get().kwargs == job.kwargs

    def test_stands_for_nothing_in_a_run_to_another_place(self) -> None:
        with pytest.raises(InvalidArguments, match="stays masked while url changes"):
            bulk.run_now(job=make(), actor="", kwargs={"url": "https://mine.example", "token": "•••"})

    def test_is_not_asked_for_where_the_secret_is_entered_again(self) -> None:
        job = make()

        jobs.update(job=job, kwargs={"url": "https://new.example", "token": "entered again"})

        job.refresh_from_db()
        assert opened(job).kwargs["token"] == "entered again"


@pytest.mark.django_db
class TestReseal:
    def test_binds_old_secrets_and_leaves_the_others(self, capsys: pytest.CaptureFixture[str]) -> None:
        old, new = make("old"), make("new")
        Job.objects.filter(pk="old").update(kwargs={**old.kwargs, "token": sealing.seal("of before")})

        call_command("reseal", "--dry-run")
        call_command("reseal")
        call_command("reseal")

        assert capsys.readouterr().out.splitlines() == [
            "1 would be sealed, 0 could not be opened.",
            "1 sealed, 0 could not be opened.",
            "0 sealed, 0 could not be opened.",
        ]
        old.refresh_from_db()
        assert sealing.is_at_home(old.kwargs["token"], place=sealing.Place("old", "test.send", "token"))
        assert Job.objects.get(pk="new").kwargs == new.kwargs

    def test_takes_the_present_key(self, settings: Any) -> None:
        job = make()
        settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "the next key"

        call_command("reseal")

        settings.SECRET_KEY_FALLBACKS = []
        job.refresh_from_db()
        assert opened(job).kwargs["token"] == "s3cr3t-of-the-bank"

    def test_names_what_it_cannot_open(self, settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
        make()
        settings.SECRET_KEY = "the next key"

        with pytest.raises(CommandError, match="again"):
            call_command("reseal")

        assert "job pay: A secret argument cannot be opened" in capsys.readouterr().err


@pytest.mark.django_db
class TestAnExecutorThatNobodyHas:
    def test_is_refused_when_a_job_is_made(self) -> None:
        with pytest.raises(UnknownExecutor, match="gpu"):
            jobs.create(task="test.send", kwargs={"url": "u", "token": "t"}, trigger=EVERY_HOUR, executor="gpu")

    def test_is_refused_when_a_job_is_changed(self) -> None:
        with pytest.raises(UnknownExecutor, match="gpu"):
            jobs.update(job=make(), executor="gpu")


@pytest.mark.django_db(transaction=True)
class TestARunOfADeletedJob:
    def test_still_opens_its_secrets(self) -> None:
        from scheduler.store.recording import runs
        from tests.ledger import add_node

        job = make()
        jobs.run_now(job=job)
        jobs.remove(job=job)
        session = Connection(purpose="test")
        (taken,) = runs.take(session, node=add_node(), executor="default", tasks=["test.send"], limit=1)
        session.close()

        assert (taken.job_id, taken.job_key) == (None, "pay")
        assert conf.get().unbound_secrets
