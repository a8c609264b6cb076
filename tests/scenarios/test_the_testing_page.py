"""
The examples of docs/testing.md, as they stand there, in a bare project, under both runners of tests.

CI runs these tests with each Django (``nox --session corners``).
"""

from __future__ import annotations

import re
import sys

import pytest

from tests.scenarios.own_project import CHECKOUT, OwnProject

PAGE = (CHECKOUT / "docs/testing.md").read_text(encoding="utf-8")
ABOUT_JOBS, _, ABOUT_TASKS = PAGE.partition("## Was it enqueued?")

TASKS = """
TASKS = {"default": {"BACKEND": "scheduler.contrib.django_tasks.LedgerBackend", "QUEUES": []}}
"""

MODEL = """
class Report(models.Model):
    recipient = models.CharField(max_length=100)
"""


def blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def with_examples(project: OwnProject) -> OwnProject:
    tasks, *tests = blocks(ABOUT_JOBS)
    project.settings = TASKS
    project.make()
    project.append("catalog/models.py", MODEL)
    project.directory.joinpath("catalog/tasks.py").write_text(tasks)
    project.directory.joinpath("catalog/tests.py").unlink()
    project.directory.joinpath("pytest.ini").write_text("[pytest]\nDJANGO_SETTINGS_MODULE = shop.settings\n")
    project.directory.joinpath("catalog/test_page.py").write_text("\n\n".join(tests))
    if has_tasks(project):
        receipts, about_receipts = blocks(ABOUT_TASKS)
        project.directory.joinpath("catalog/receipts.py").write_text(receipts)
        project.directory.joinpath("catalog/test_receipts.py").write_text(about_receipts)
    project.manage("makemigrations", "catalog")
    return project


def has_tasks(project: OwnProject) -> bool:
    """Whether this Django has ``django.tasks``, which the second part of the page is about."""
    return project.call("-c", "import django.tasks", check=False).returncode == 0


@pytest.mark.campaign
class TestTheExamples:
    def test_work_under_pytest(self, with_examples: OwnProject) -> None:
        # Where the package is installed, pytest finds the plugin by itself.
        plugin = ["-p", "scheduler.contrib.pytest_plugin"] if with_examples.python == sys.executable else []
        options = [*plugin, "-p", "no:cacheprovider", "-q", "catalog"]

        done = with_examples.call("-m", "pytest", *options)

        expected = PAGE if has_tasks(with_examples) else ABOUT_JOBS
        assert f"{expected.count('def test_')} passed" in done.stdout

    def test_work_under_djangos_runner(self, with_examples: OwnProject) -> None:
        done = with_examples.manage("test")

        assert "Ran 1 test" in done.stderr
        assert "OK" in done.stderr
