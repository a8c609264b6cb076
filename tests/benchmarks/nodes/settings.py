"""The platform's settings, with the tasks of the benchmarks."""

from __future__ import annotations

from openlearn.settings import *  # noqa: F403
from openlearn.settings import INSTALLED_APPS as _INSTALLED_APPS

INSTALLED_APPS = [*_INSTALLED_APPS, "tests.benchmarks.nodes"]
