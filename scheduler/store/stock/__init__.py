"""
Rows as stock django-apscheduler and APScheduler's job store have them.

``stock_state`` and ``stock_triggers`` read pickled states without unpickling them, ``legacy_state`` writes the states
that stock readers of our jobs expect, ``stored_jobs`` makes APScheduler's jobs from rows.
"""
