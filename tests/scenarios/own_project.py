"""A bare Django project into which the app is put exactly as the README says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2

CHECKOUT = Path(__file__).resolve().parents[2]
README = (CHECKOUT / "README.md").read_text()

CORNERS = "OWN_PROJECT_PYTHONS"
"""Interpreters of virtual environments, each with the app installed beside another Django or driver; with colons."""


def interpreters() -> list[str]:
    """Return those of the variable, or the one that runs the tests."""
    named = [path for path in os.environ.get(CORNERS, "").split(os.pathsep) if path]
    return named or [sys.executable]


def block(*, section: str, begins: str) -> str:
    """Return the one code block of a section of the README whose first line begins with this text."""
    text = README.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    (found,) = [code for code in re.findall(r"```\w+\n(.*?)```", text, re.DOTALL) if code.startswith(begins)]
    return str(found)


@dataclass(kw_only=True)
class OwnProject:
    """``startproject shop`` with an app ``catalog``, whose tasks are those of the README."""

    directory: Path
    python: str
    database: str
    settings: str = ""
    """Further lines of the settings, above the README's."""

    variables: dict[str, str] = field(default_factory=dict)

    def make(self) -> None:
        self.directory.mkdir()
        self.call("-m", "django", "startproject", "shop", ".")
        self.call("-m", "django", "startapp", "catalog")
        where = urlsplit(self.database)
        entry = {"ENGINE": "django.db.backends.postgresql", "NAME": where.path[1:], "USER": where.username}
        entry |= {"HOST": where.hostname, "PORT": where.port}
        self.append("shop/settings.py", f'DATABASES = {{"default": {entry!r}}}\nINSTALLED_APPS += ["catalog"]\n')
        self.append("shop/settings.py", self.settings)
        self.append("shop/settings.py", block(section="In a project of your own", begins="# settings.py"))
        self.append("shop/urls.py", block(section="In a project of your own", begins="# urls.py"))
        self.append("catalog/tasks.py", block(section="Write a task", begins="from datetime import timedelta"))

    def append(self, file: str, text: str) -> None:
        with (self.directory / file).open("a") as opened:
            opened.write(f"\n{text}")

    def call(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.python, *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.call("manage.py", *arguments, check=check)

    def shell(self, code: str) -> str:
        """Run code in the project and return what it prints."""
        return self.call("-c", f"import django\ndjango.setup()\n{code}").stdout

    def rows(self, sql: str, *, database: str = "") -> list[tuple[Any, ...]]:
        """Return the rows of a query. To start a process that asks would cost a second."""
        connection = psycopg2.connect(database or self.database, connect_timeout=60)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall()
        finally:
            connection.close()

    def succeeded(self, *, database: str = "") -> list[tuple[str, str]]:
        """Return job and task of the runs that have succeeded."""
        return self.rows("SELECT job_key, task FROM scheduler_run WHERE state = 'succeeded'", database=database)

    @property
    def environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SCHEDULER_", "POSTGRES_", "DATABASE_", "DJANGO_"))
        }
        # Where the tests' own Python is used, the app is not installed in it.
        path = [str(self.directory), *([str(CHECKOUT)] if self.python == sys.executable else [])]
        inherited |= {"PYTHONPATH": os.pathsep.join([*path, os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)}
        return {**inherited, "DJANGO_SETTINGS_MODULE": "shop.settings", **self.variables}

    def start_node(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a node, whose output goes to ``node.log``."""
        return self.start("manage.py", "runscheduler", *arguments, output="node.log")

    def start(self, *arguments: str, output: str) -> subprocess.Popen[str]:
        """Start a program of the project, whose output goes to a file."""
        with (self.directory / output).open("w") as file:
            return subprocess.Popen(
                [self.python, *arguments],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
            )
