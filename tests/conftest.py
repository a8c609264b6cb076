"""Fixtures that every kind of test shares."""

from scheduler.contrib.pytest_plugin import _scheduler_reset as _scheduler_reset
from scheduler.contrib.pytest_plugin import scheduler_eager as scheduler_eager
