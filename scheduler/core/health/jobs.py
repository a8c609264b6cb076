"""Jobs: which are late, do not run, cannot run, fail, or were paused because they failed."""

from __future__ import annotations

from scheduler.core.health.check import Check, Limits, Status, duration
from scheduler.core.health.standing import Standing
from scheduler.messages import Message, messages, phrase, phrase_of

CLEANED_SECONDS = 2 * 86400.0
"""A clean-up that is younger shows that something cleans up, be it no job."""

_BROKEN = messages(
    "{number:,} job cannot run: open it to see why. It recovers by itself once that is fixed.",
    "{number:,} jobs cannot run: open each to see why. They recover by themselves once that is fixed.",
)
_STOPPED = messages(
    "{number:,} job was paused after failing.",
    "{number:,} jobs were paused after failing.",
)
_FAILING = messages("{number:,} job is failing.", "{number:,} jobs are failing.")
_UNADOPTED = messages(
    "{number:,} django-apscheduler job is not imported: run “manage.py adopt_jobs”.",
    "{number:,} django-apscheduler jobs are not imported: run “manage.py adopt_jobs”.",
)


def overdue(found: Standing, limits: Limits) -> Check:
    """Jobs that no node has planned: each node plans within seconds."""
    value, count = found.scheduling.max_overdue or 0, found.scheduling.overdue
    if not count:
        text = phrase("No job is overdue.")
        return Check(name="overdue", status=Status.PASS, text=text, value=value, limit=limits.overdue_seconds, unit="s")
    text = phrase_of(
        "{number:,} job is overdue by up to {age}: no node has planned it.",
        "{number:,} jobs are overdue by up to {age}: no node has planned them.",
        number=count,
        age=duration(value),
    )
    return Check(name="overdue", status=Status.FAIL, text=text, value=value, limit=limits.overdue_seconds, unit="s")


def stalled(found: Standing, limits: Limits) -> Check:
    if not found.stalled:
        text = phrase("No job has missed or skipped its last {number} scheduled times.", number=limits.fire_times)
        return Check(name="stalled_jobs", status=Status.PASS, text=text, value=0, limit=0)
    text = phrase_of(
        "{number:,} job has not run for {most} scheduled times or more: they were skipped or missed.",
        "{number:,} jobs have not run for {most} scheduled times or more: they were skipped or missed.",
        number=found.stalled,
        most=limits.fire_times,
    )
    return Check(name="stalled_jobs", status=Status.WARN, text=text, value=found.stalled, limit=0)


def broken(found: Standing) -> Check:
    well = phrase("Every job can run.")
    return _counted("broken_jobs", found.jobs.get("broken", 0), well=well, texts=_BROKEN)


def stopped(found: Standing) -> Check:
    well = phrase("No job was paused after failing.")
    return _counted("stopped_jobs", found.scheduling.stopped, well=well, texts=_STOPPED)


def failing(found: Standing) -> Check:
    return _counted("failing_jobs", found.scheduling.failing, well=phrase("No job is failing."), texts=_FAILING)


def unadopted(found: Standing) -> Check:
    well = phrase("Every job of django-apscheduler is imported.")
    return _counted("unadopted_jobs", found.unadopted, well=well, texts=_UNADOPTED)


def clean_up(found: Standing) -> Check:
    """An active job deletes old rows, or somebody did in the last days, or all rows are too young to delete."""
    known = found.clean_up
    is_done = known.age is not None and known.age < CLEANED_SECONDS
    if known.is_scheduled or is_done or not known.is_needed:
        text = (
            phrase("Old runs are deleted.")
            if known.is_scheduled or is_done
            else phrase("There are no old runs to delete yet.")
        )
        return Check(name="clean_up", status=Status.PASS, text=text, value=known.age, limit=CLEANED_SECONDS, unit="s")
    text = phrase(
        "No active job deletes old runs, so that the tables grow: resume or create a job of the task "
        "“scheduler.cleanup_jobs”, or let cron run “manage.py cleanup_jobs”."
    )
    return Check(name="clean_up", status=Status.WARN, text=text, value=known.age, limit=CLEANED_SECONDS, unit="s")


def _counted(name: str, count: int, *, well: Message, texts: tuple[str, str]) -> Check:
    """Judge a count of what should not be there."""
    if not count:
        return Check(name=name, status=Status.PASS, text=well, value=0, limit=0)
    return Check(name=name, status=Status.WARN, text=phrase_of(*texts, number=count), value=count, limit=0)
