"""The examples of docs/django-tasks.md, as they stand there: a bare project that has nothing but Django and an app."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import django
import pytest
from django.db import connection

from tests.commands import help_of
from tests.distributions import CHECKOUT, copy_source, install

PAGE = (CHECKOUT / "docs/django-tasks.md").read_text(encoding="utf-8")

SETTINGS = """
import os
SECRET_KEY = "bare"
DEBUG = True
ALLOWED_HOSTS = ["*"]
USE_TZ = True
STATIC_URL = "static/"
ROOT_URLCONF = "urls"
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", **{database!r}}}}}
INSTALLED_APPS = [
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    "django.contrib.messages", "django.contrib.staticfiles", "shop",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {{
    "context_processors": ["django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
                           "django.contrib.messages.context_processors.messages"]}}}}]
"""

URLS = """
from django.contrib import admin
from django.urls import path
from shop.views import order

urlpatterns = [path("admin/", admin.site.urls), path("order", order)]
"""

VISIT = """
import django
django.setup()
from django.contrib.auth.models import User
from django.test import Client

result = Client().get("/order").json()["result"]
admin = User.objects.create_superuser("ada")
client = Client()
client.force_login(admin)
for address in ("/admin/scheduler/run/", "/admin/scheduler/job/"):
    assert client.get(address).status_code == 200, address
assert "send_report" in client.get("/admin/scheduler/run/").content.decode()
assert "weekly-report" in client.get("/admin/scheduler/job/").content.decode()
print(result)
"""

READ = """
import sys
import django
django.setup()
from shop.tasks import send_report

print(send_report.get_result(sys.argv[1]).return_value)
"""


MONITORED = """
import django
django.setup()
from shop.tasks import fail, send_report

print(send_report.enqueue().id, fail.enqueue().id)
"""

RECORDS = """
import django
django.setup()
from tasks_monitor.models import TaskRecord

for record in TaskRecord.objects.order_by("task_path"):
    print(record.task_name, record.status, record.attempts, record.exception_class or "-", record.duration is not None)
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def block(language: str, holding: str) -> str:
    found = [text for text in blocks(language) if holding in text]
    assert len(found) == 1, holding
    text = found[0]
    if django.VERSION < (6,):
        text = text.replace("from django.tasks import", "from django_tasks import")
    return text


class Project:
    """A folder with a project, and its commands."""

    def __init__(self, folder: Path, *, packages: Path) -> None:
        self.folder = folder
        self._packages = packages

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def python(self, *words: str) -> str:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "SCHEDULER"))},
            "DJANGO_SETTINGS_MODULE": "settings",
            "PYTHONPATH": os.pathsep.join(
                filter(None, (str(self.folder), str(self._packages), os.environ.get("PYTHONPATH")))
            ),
        }
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-1000:]}\n{done.stderr[-3000:]}"
        return done.stdout.strip()

    def manage(self, *words: str) -> str:
        return self.python("-m", "django", *words)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed package, which has nothing else of the checkout."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("packages")
    copy_source(source)
    install(source, target)
    return target


@pytest.fixture
def project(db: None, tmp_path: Path, packages: Path) -> Iterator[Project]:
    """The project of the page, with a database of its own."""
    name = f"bare_{os.getpid()}"
    facts = connection.get_connection_params()
    database = {
        "NAME": name,
        "USER": facts.get("user", ""),
        "PASSWORD": facts.get("password", ""),
        "HOST": str(facts.get("host", "")),
        "PORT": str(facts.get("port", "")),
    }
    bare = Project(tmp_path, packages=packages)
    bare.write("settings.py", SETTINGS.format(database=database) + block("python", "INSTALLED_APPS +="))
    bare.write("urls.py", URLS)
    bare.write("shop/__init__.py", "")
    bare.write("shop/tasks.py", block("python", "shop/tasks.py"))
    bare.write("shop/views.py", block("python", "shop/views.py"))
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
    yield bare
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


class TestThePage:
    def test_leads_from_a_bare_project_to_a_run_and_a_job(self, project: Project) -> None:
        assert "packages" in project.python("-c", "import scheduler; print(scheduler.__file__)")
        for line in block("sh", "init_scheduler_db").splitlines()[:2]:
            project.manage(*line.split()[2:])
        result = project.python("-c", VISIT).splitlines()[-1]
        project.manage("runscheduler", "--once", "--no-alerts")
        assert project.python("-c", READ, result) == "sent to ada@example.org"

        project.python("-c", f"import django\ndjango.setup()\n{block('python', 'enqueue_many(')}")
        policies = [block("python", "@task(timeout="), block("python", "@policies(")]
        if (6, 0) <= django.VERSION < (6, 1):
            policies = policies[1:]
        project.write("shop/tasks.py", "\n".join([block("python", "shop/tasks.py"), *policies]))
        project.manage("check")
        assert "shop.tasks.charge_later" in project.manage("tasks", "list")

    def test_names_commands_and_options_that_exist(self) -> None:
        commands = [line for text in blocks("sh") for line in textwrap.dedent(text).splitlines() if "manage.py" in line]
        for command in commands:
            words = [word for word in command.split()[2:4] if re.fullmatch("[a-z_]+", word)]
            options = re.findall("--[a-z]+", command)
            shown = help_of(*words)
            assert all(option in shown for option in options)

    def test_has_no_example_that_is_not_tried_here(self) -> None:
        assert (len(blocks("python")), len(blocks("sh"))) == (6, 6)


class TestAMonitor:
    """django-tasks-monitor is a dashboard of another author, which records what the signals tell."""

    def test_of_somebody_else_works_by_the_signals_alone(self, project: Project) -> None:
        pytest.importorskip("tasks_monitor")
        failing = "\n\n@task\ndef fail() -> None:\n    raise ValueError('odd')\n"
        project.write("shop/tasks.py", block("python", "shop/tasks.py") + failing)
        settings = (project.folder / "settings.py").read_text(encoding="utf-8")
        project.write("settings.py", settings + '\nINSTALLED_APPS += ["tasks_monitor"]\n')
        project.manage("init_scheduler_db")
        project.manage("migrate", "tasks_monitor")
        project.python("-c", MONITORED)
        project.manage("runscheduler", "--once", "--no-alerts")
        assert project.python("-c", RECORDS).splitlines() == [
            "fail FAILED 1 builtins.ValueError True",
            "send_report SUCCESSFUL 1 - True",
        ]
