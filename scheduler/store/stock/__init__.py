"""
Rows as stock django-apscheduler and APScheduler's job store have them.

``unpickling`` loads pickled states as data, with ``stand_ins`` for classes. ``stock_state`` and ``stock_triggers``
check what they say. ``legacy_state`` writes the states that stock readers of our jobs expect, ``stored_jobs`` makes
APScheduler's jobs from rows.
"""
