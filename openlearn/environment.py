"""Read settings from environment variables: a value that cannot be used is refused with the variable's name."""

from __future__ import annotations

import dataclasses
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import global_settings
from django.core.exceptions import ImproperlyConfigured

from openlearn.scraping.conf import ScrapingSettings
from scheduler.conf import SchedulerSettings

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})

SCHEDULER_VARIABLES = {
    "enabled": "ENABLE_SCHEDULER",
    "threads": "MAX_CONCURRENT_SCRAPERS",
    "retention_days": "JOB_RETENTION_DAYS",
}
"""Settings of the scheduler whose variable has a name of its own. The others are ``SCHEDULER_`` and the name."""


@dataclasses.dataclass(frozen=True, slots=True)
class Environment:
    """The environment variables with their types. An empty variable counts as not set."""

    variables: Mapping[str, str]

    def text(self, name: str, default: str = "", *, among: tuple[str, ...] = ()) -> str:
        value = self.variables.get(name) or default
        if not among:
            return value
        found = {word.lower(): word for word in among}.get(value.strip().lower())
        if found is None:
            raise ImproperlyConfigured(f"{name} is “{value}”. It must be one of {', '.join(among)}.")
        return found

    def time_zone(self, name: str, default: str) -> str:
        value = self.text(name, default)
        try:
            ZoneInfo(value)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            raise ImproperlyConfigured(
                f"{name} is “{value}”, which is not a time zone. It must be a region such as Europe/Berlin, or UTC."
            ) from None
        return value

    def language(self, name: str, default: str) -> str:
        """Read the code of a language that Django speaks."""
        value = self.text(name, default)
        spoken = dict(global_settings.LANGUAGES)
        if value.lower() not in spoken and value.lower().partition("-")[0] not in spoken:
            raise ImproperlyConfigured(
                f"{name} is “{value}”. It must be a language of Django, such as en-us, es or de."
            )
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.variables.get(name, "").strip().lower()
        if not value:
            return default
        if value not in TRUE | FALSE:
            raise ImproperlyConfigured(f"{name} is “{value}”. It must be true or false (1 or 0, yes or no, on or off).")
        return value in TRUE

    def integer(self, name: str, default: int, *, least: int = 0, most: int = 2**31 - 1) -> int:
        value = self.variables.get(name, "").strip() or str(default)
        if not re.fullmatch("[0-9]{1,18}", value) or not least <= int(value) <= most:
            raise ImproperlyConfigured(
                f"{name} is “{value[:64]}”. It must be a whole number from {least:,} to {most:,}."
            )
        return int(value)

    def number(self, name: str, default: float) -> float:
        value = self.variables.get(name, "").strip() or str(default)
        try:
            return float(value)
        except ValueError:
            raise ImproperlyConfigured(f"{name} is “{value}”. It must be a number, such as 2.5.") from None

    def words(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Read a list with commas. Spaces around its items do not count."""
        value = self.variables.get(name, "")
        return tuple(word.strip() for word in value.split(",") if word.strip()) or default


def scheduler_settings(environment: Environment, **given: Any) -> dict[str, Any]:
    """Return ``settings.SCHEDULER``: ``given``, and over it what the environment sets."""
    values = {name.upper(): value for name, value in given.items()}
    hints = get_type_hints(SchedulerSettings)
    for field in dataclasses.fields(SchedulerSettings):
        variable = SCHEDULER_VARIABLES.get(field.name, f"SCHEDULER_{field.name.upper()}")
        if environment.variables.get(variable):
            values[field.name.upper()] = _read(environment, variable, hints[field.name])
    return values


def scraping_settings(environment: Environment) -> dict[str, Any]:
    """Return ``settings.SCRAPING``: what the environment sets as ``SCRAPING_`` and the name of the setting."""
    hints = get_type_hints(ScrapingSettings)
    names = [field.name for field in dataclasses.fields(ScrapingSettings)]
    return {
        name.upper(): _read(environment, f"SCRAPING_{name.upper()}", hints[name])
        for name in names
        if environment.variables.get(f"SCRAPING_{name.upper()}")
    }


def _read(environment: Environment, variable: str, kind: Any) -> Any:
    if kind is bool:
        return environment.flag(variable)
    if kind is int:
        return environment.integer(variable, 0)
    if kind is str:
        return environment.text(variable)
    if kind == tuple[str, ...]:
        return environment.words(variable)
    if type(None) in get_args(kind) and environment.text(variable).lower() == "none":
        return None
    if int in get_args(kind):
        return environment.integer(variable, 0)
    return environment.number(variable, 0.0)


def secret_key(environment: Environment, *, data_dir: Path, may_generate: bool) -> str:
    """
    Return SECRET_KEY, or the one kept in the data folder, which is made at the first use for its owner only.

    :raises ImproperlyConfigured: it is not set and may not be generated
    """
    given = environment.text("SECRET_KEY").strip()
    if given:
        return given
    if not may_generate:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. With a database of your own, every web process and node needs the same one: "
            "make it with “python3 -c 'import secrets; print(secrets.token_urlsafe(50))'” and keep it secret."
        )
    file = data_dir / "secret_key"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        _write_once(file, secrets.token_urlsafe(50))
        return file.read_text()
    except OSError as error:
        raise ImproperlyConfigured(
            f"SECRET_KEY is not set, and one cannot be kept in {file} ({error.strerror}). "
            "Set SECRET_KEY, or set OPENLEARN_DATA_DIR to a folder of your own."
        ) from None


def _write_once(file: Path, text: str) -> None:
    """Write a private file unless it exists. Two processes that start together end up with the same content."""
    if file.exists():
        return
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IRUSR | stat.S_IWUSR)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text)
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
