"""Rules, channels and switches go to another installation, by themselves and with the jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings

from scheduler import sealing
from scheduler.core.alerts import RuleKind
from scheduler.errors import InvalidImport, InvalidRule, InvalidSwitch
from scheduler.models import Channel, Job, Rule, Switch
from scheduler.services import jobs
from scheduler.services.alerts import channels, rules, switches, transfer
from scheduler.store.sessions.connections import Connection
from tests.contract import tasks  # noqa: F401 - registers the tasks
from tests.integration.alerts.happenings import EVERY_KIND

HOSTS = ["hooks.example.org", "hc.example.org"]


@pytest.fixture(autouse=True)
def allowed() -> Iterator[None]:
    with override_settings(SCHEDULER={"ALLOWED_HOSTS": HOSTS}):
        yield


@pytest.fixture
def filled(session: Connection) -> None:
    """An installation with a job, two channels, a rule of every kind and two switches."""
    jobs.create(id="nightly", task="contract.first", trigger={"type": "cron", "expression": "0 1 * * *"})
    hook = channels.create(name="hook", kind="webhook", config={"url": "https://hooks.example.org/secret"})
    team = channels.create(name="team", kind="mail", config={"to": ["ada@example.org"]}, digest="weekly")
    for kind, given in EVERY_KIND.items():
        rules.create(name=kind, kind=kind, channels=[hook, team], escalation_channels=[team], **given)
    switches.create(name="all", url="https://hc.example.org/abc")
    switches.create(name="nightly", url="https://hc.example.org/n", job="nightly", every_seconds=600, enabled=False)


def document_of(**given: Any) -> Any:
    return json.loads(json.dumps(transfer.export(**given)))


def empty() -> None:
    for model in (Switch, Rule, Channel, Job):
        model.objects.all().delete()


class TestExportAndImport:
    def test_bring_everything_to_another_installation_without_secrets(self, filled: None) -> None:
        document = document_of()
        assert "example.org/" not in json.dumps(document)
        empty()
        jobs.create(id="nightly", task="contract.first", trigger={"type": "cron", "expression": "0 1 * * *"})

        done = transfer.load(document=document)

        assert (done.channels, done.rules, done.switches) == (2, len(RuleKind), 2)
        assert done.without_secrets == ("hook", "all", "nightly")
        assert document_of()["rules"] == document["rules"]
        assert not Channel.objects.get(name="hook").enabled
        assert Channel.objects.get(name="team").config["to"] == ["ada@example.org"]
        assert set(Switch.objects.values_list("name", "job_key", "every_seconds", "enabled")) == {
            ("all", "", 60.0, False),
            ("nightly", "nightly", 600.0, False),
        }

    def test_change_nothing_when_they_are_the_same(self, filled: None) -> None:
        before = document_of()

        transfer.load(document=before)

        assert document_of() == before
        assert sealing.unseal(Switch.objects.get(name="all").url) == "https://hc.example.org/abc"
        assert Channel.objects.get(name="hook").enabled

    def test_leave_what_exists_if_they_are_to_create_alone(self, filled: None) -> None:
        document = document_of()
        for part in ("rules", "switches"):
            document[part][0] = {**document[part][0], "enabled": False}
        document["rules"].append({"name": "one more", "kind": "broken"})

        done = transfer.load(document=document, update=False)

        assert (done.channels, done.rules, done.switches) == (0, 1, 0)
        assert not Rule.objects.filter(enabled=False).exists()

    def test_of_a_switch_whose_address_is_missing_need_it_before_it_is_switched_on(self, filled: None) -> None:
        document = document_of()
        Switch.objects.all().delete()
        transfer.load(document=document)
        switch = Switch.objects.get(name="all")

        with pytest.raises(InvalidSwitch, match="enter the address"):
            switches.update(switch=switch, enabled=True)
        assert switches.update(switch=switch, enabled=True, url="https://hc.example.org/new").enabled

    @pytest.mark.parametrize(
        "document",
        [
            [],
            {"rules": {}},
            {"rules": [1]},
            {"rules": [{}]},
            {"rules": [{"name": "x", "channels": ["?"]}]},
            {"switches": "all"},
            {"switches": [{"url": "https://hc.example.org/abc"}]},
        ],
    )
    def test_refuse_what_is_not_such_a_document(self, session: Connection, document: object) -> None:
        with pytest.raises(InvalidImport):
            transfer.load(document=document)

    def test_change_nothing_if_any_part_is_wrong(self, session: Connection) -> None:
        good = {"name": "good", "kind": "failing"}

        with pytest.raises(InvalidSwitch):
            transfer.load(
                document={"rules": [good], "switches": [{"name": "bad", "url": "https://hc.example.org/", "job": "?"}]}
            )
        with pytest.raises(InvalidRule):
            transfer.load(document={"rules": [good, {"name": "bad", "kind": "psychic"}]})

        assert not Rule.objects.exists()


class TestTheCommands:
    def test_export_and_import_alerts_by_themselves(self, filled: None, tmp_path: Path) -> None:
        file = self.exported(tmp_path, "alerts", "export")
        Rule.objects.all().delete()

        said = self.run("alerts", "import", str(file))

        assert f"2 channels, {len(RuleKind)} rules and 2 switches were created or updated." in said
        assert Rule.objects.count() == len(RuleKind)

    def test_export_and_import_alerts_with_the_jobs(self, filled: None, tmp_path: Path) -> None:
        file = self.exported(tmp_path, "jobs", "export", "--alerts")
        empty()

        self.run("jobs", "import", str(file), "--dry-run")
        assert not Job.objects.exists()
        assert not Rule.objects.exists()
        said = self.run("jobs", "import", str(file))

        assert "“all” is switched off until its secrets are entered." in said
        assert Job.objects.get().pk == "nightly"
        assert Rule.objects.count() == len(RuleKind)
        assert Switch.objects.get(name="nightly").job_key == "nightly"

    def test_export_jobs_alone_unless_they_are_asked(self, filled: None, tmp_path: Path) -> None:
        assert "alerts" not in json.loads(self.exported(tmp_path, "jobs", "export").read_text())

    def test_list_what_there_is(self, filled: None) -> None:
        for word, names in (
            ("rules", set(EVERY_KIND)),
            ("channels", {"hook", "team"}),
            ("switches", {"all", "nightly"}),
        ):
            out = StringIO()
            call_command("alerts", word, "--output", "json", stdout=out)
            assert {row["name"] for row in json.loads(out.getvalue())} == names

    def exported(self, folder: Path, *words: str) -> Path:
        out = StringIO()
        call_command(*words, stdout=out)
        file = folder / "export.json"
        file.write_text(out.getvalue())
        return file

    def run(self, *words: str) -> str:
        err = StringIO()
        call_command(*words, stdout=StringIO(), stderr=err)
        return err.getvalue()
