"""For tests that are written with ``unittest``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import TestResult

from scheduler.testing import clock

if TYPE_CHECKING:
    from unittest import TestCase as _Base
else:
    _Base = object


class SchedulerTestMixin(_Base):
    """
    Lets the clocks go on by themselves after each test. Put it before ``TestCase``.

    Under pytest the plugin does the same, also without this class.
    """

    def run(self, result: TestResult | None = None) -> TestResult | None:
        try:
            return super().run(result)
        finally:
            clock.reset()
