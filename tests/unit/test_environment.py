from __future__ import annotations

import stat
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from openlearn.environment import Environment, scheduler_settings, scraping_settings, secret_key
from scheduler.conf import SchedulerSettings


class TestEnvironment:
    @pytest.mark.parametrize(("text", "meaning"), [("1", True), ("TRUE", True), ("off", False), ("no", False)])
    def test_reads_flags(self, text: str, meaning: bool) -> None:
        assert Environment({"DEBUG": text}).flag("DEBUG", not meaning) is meaning

    def test_refuses_a_flag_that_is_neither(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="DEBUG is “maybe”"):
            Environment({"DEBUG": "maybe"}).flag("DEBUG")

    def test_takes_an_empty_variable_for_none(self) -> None:
        environment = Environment({"DEBUG": "", "SIZE": "", "HOSTS": " , "})

        assert environment.flag("DEBUG", True) is True
        assert environment.integer("SIZE", 7) == 7
        assert environment.words("HOSTS", ("a",)) == ("a",)

    def test_refuses_a_value_that_is_not_offered(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="must be one of text, json"):
            Environment({"LOG_FORMAT": "xml"}).text("LOG_FORMAT", "text", among=("text", "json"))

    def test_reads_a_choice_in_any_case(self) -> None:
        assert Environment({"LOG_LEVEL": "debug"}).text("LOG_LEVEL", "INFO", among=("DEBUG", "INFO")) == "DEBUG"

    @pytest.mark.parametrize("text", ["-1", "1.5", "x", "9" * 30, "2147483648", "٣"])
    def test_refuses_a_number_that_is_none_or_absurd(self, text: str) -> None:
        with pytest.raises(ImproperlyConfigured, match=f"SIZE is “{text}”. It must be a whole number from 0 to"):
            Environment({"SIZE": text}).integer("SIZE", 7)

    @pytest.mark.parametrize("text", ["Mars/Phobos", "America", "../UTC", "/etc/passwd"])
    def test_refuses_a_zone_that_is_none(self, text: str) -> None:
        assert Environment({}).time_zone("TIME_ZONE", "UTC") == "UTC"
        with pytest.raises(ImproperlyConfigured, match=f"TIME_ZONE is “{text}”, which is not a time zone"):
            Environment({"TIME_ZONE": text}).time_zone("TIME_ZONE", "UTC")

    def test_refuses_a_language_that_django_does_not_speak(self) -> None:
        assert Environment({"LANGUAGE_CODE": "de-at"}).language("LANGUAGE_CODE", "en-us") == "de-at"
        with pytest.raises(ImproperlyConfigured, match="LANGUAGE_CODE is “xx”"):
            Environment({"LANGUAGE_CODE": "xx"}).language("LANGUAGE_CODE", "en-us")


class TestSchedulerSettings:
    def test_are_read_with_the_types_of_the_scheduler(self) -> None:
        environment = Environment(
            {
                "ENABLE_SCHEDULER": "false",
                "MAX_CONCURRENT_SCRAPERS": "9",
                "SCHEDULER_PROCESSES": "0",
                "JOB_RETENTION_DAYS": "14",
                "SCHEDULER_HEARTBEAT_SECONDS": "0.5",
                "SCHEDULER_MISFIRE_GRACE_SECONDS": "none",
                "SCHEDULER_ALLOWED_HOSTS": "127.0.0.1:8000, intranet",
                "SCHEDULER_NODE_NAME": "left",
            }
        )

        found = scheduler_settings(environment, database="direct")

        assert found == {
            "DATABASE": "direct",
            "ENABLED": False,
            "THREADS": 9,
            "PROCESSES": 0,
            "RETENTION_DAYS": 14,
            "HEARTBEAT_SECONDS": 0.5,
            "MISFIRE_GRACE_SECONDS": None,
            "ALLOWED_HOSTS": ("127.0.0.1:8000", "intranet"),
            "NODE_NAME": "left",
        }
        assert SchedulerSettings(**{key.lower(): value for key, value in found.items()}).threads == 9

    def test_leave_the_defaults_to_the_scheduler(self) -> None:
        assert scheduler_settings(Environment({})) == {}

    def test_name_the_variable_that_is_wrong(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="MAX_CONCURRENT_SCRAPERS is “five”"):
            scheduler_settings(Environment({"MAX_CONCURRENT_SCRAPERS": "five"}))


class TestSecretKey:
    def test_is_what_the_environment_says(self, tmp_path: Path) -> None:
        assert secret_key(Environment({"SECRET_KEY": "given"}), data_dir=tmp_path, may_generate=False) == "given"
        assert list(tmp_path.iterdir()) == []

    def test_is_generated_once_and_readable_by_its_owner_only(self, tmp_path: Path) -> None:
        first = secret_key(Environment({}), data_dir=tmp_path / "new", may_generate=True)
        second = secret_key(Environment({}), data_dir=tmp_path / "new", may_generate=True)

        assert first == second
        assert len(first) >= 50
        assert stat.S_IMODE((tmp_path / "new" / "secret_key").stat().st_mode) == 0o600
        assert [file.name for file in (tmp_path / "new").iterdir()] == ["secret_key"]

    @pytest.mark.parametrize("variables", [{}, {"SECRET_KEY": " "}])
    def test_must_be_set_in_production(self, variables: dict[str, str], tmp_path: Path) -> None:
        with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is not set"):
            secret_key(Environment(variables), data_dir=tmp_path, may_generate=False)

    def test_says_when_it_cannot_be_kept(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")

        with pytest.raises(ImproperlyConfigured, match="one cannot be kept"):
            secret_key(Environment({}), data_dir=tmp_path / "file" / "data", may_generate=True)


class TestScrapingSettings:
    def test_come_from_the_environment_with_their_types(self) -> None:
        variables = {"SCRAPING_USER_AGENT": "Reader/2.0 (+https://x.example)", "SCRAPING_RUN_SECONDS": "60",
                     "SCRAPING_PAGE_SECONDS": "5"}  # fmt: skip

        assert scraping_settings(Environment(variables)) == {
            "USER_AGENT": "Reader/2.0 (+https://x.example)",
            "RUN_SECONDS": 60.0,
            "PAGE_SECONDS": 5,
        }
