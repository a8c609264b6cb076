"""The settings of the platform, and the tasks of the benchmarks, for nodes and workers in processes of their own."""

from __future__ import annotations

from openlearn.settings import *  # noqa: F403
from openlearn.settings import INSTALLED_APPS as _INSTALLED_APPS

INSTALLED_APPS = [*_INSTALLED_APPS, "tests.benchmarks"]
