"""Durations as people type them, for forms outside of this app: ``2 h``, ``1 h 30 min``."""

from scheduler.core.durations import render as render
from scheduler.core.durations import seconds as seconds
