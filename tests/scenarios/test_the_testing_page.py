"""The examples of docs/testing.md, as they stand there, in a bare project, under both runners of tests."""

from __future__ import annotations

import re
import sys

import pytest

from tests.scenarios.own_project import CHECKOUT, OwnProject

PAGE = (CHECKOUT / "docs/testing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

MODEL = """
class Report(models.Model):
    recipient = models.CharField(max_length=100)
"""


@pytest.fixture
def with_examples(project: OwnProject) -> OwnProject:
    tasks, *tests = BLOCKS
    project.make()
    project.append("catalog/models.py", MODEL)
    project.directory.joinpath("catalog/tasks.py").write_text(tasks)
    project.directory.joinpath("catalog/tests.py").unlink()
    project.directory.joinpath("catalog/test_page.py").write_text("\n\n".join(tests))
    project.manage("makemigrations", "catalog")
    return project


@pytest.mark.timeout(400)
class TestTheExamples:
    def test_work_under_pytest(self, with_examples: OwnProject) -> None:
        # Where the package is installed, pytest finds the plugin by itself.
        plugin = ["-p", "scheduler.contrib.pytest_plugin"] if with_examples.python == sys.executable else []
        options = [*plugin, "--ds", "shop.settings", "-p", "no:cacheprovider", "-q", "catalog"]

        done = with_examples.call("-m", "pytest", *options)

        assert f"{PAGE.count('def test_')} passed" in done.stdout

    def test_work_under_djangos_runner(self, with_examples: OwnProject) -> None:
        done = with_examples.manage("test")

        assert "Ran 1 test" in done.stderr
        assert "OK" in done.stderr
