"""Incidents as sentences in the active language."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduler.core import durations, reasons
from scheduler.core.alerts import CLOSED_BECAUSE, RuleKind
from scheduler.core.alerts.checks import SENTENCES
from scheduler.logbook import visible
from scheduler.models import Incident, Job
from scheduler.translations import translate

_MOST = 200


def one_line(text: str, *, most: int = _MOST) -> str:
    """Return a text as one line without control characters, cut to a length."""
    line = " ".join(visible(text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def subject(incident: Incident) -> str:
    """Return the name of what the incident is about."""
    if incident.job_key:
        return one_line(incident.job_name or incident.job_key)
    return _("The scheduler")


def what(incident: Incident) -> str:
    """Say what is wrong. The subject stands before it."""
    measured = durations.bounded(incident.measured or 0.0)
    number, length = int(measured), duration(measured)
    said: dict[str, str] = {
        RuleKind.FAILING: ngettext("failed %s time in a row", "failed %s times in a row", number) % count(number),
        RuleKind.BROKEN: _("cannot run"),
        RuleKind.LATE: _("has been due for %s and has not started") % length,
        RuleKind.DEADLINE: _("has not finished %s after its scheduled time") % length,
        RuleKind.SILENT: _("has had no success for %s") % length,
        RuleKind.SLOW: _("has been running for %s") % length,
        RuleKind.DROPPED: ngettext(
            "missed or skipped %s scheduled time", "missed or skipped %s scheduled times", number
        )
        % count(number),
        RuleKind.RESULT: _("returned %s") % one_line(str(incident.facts.get("value", ""))),
    }
    if incident.kind == RuleKind.SYSTEM:
        return _(SENTENCES.get(str(incident.facts.get("check", "")).partition(":")[0], "unwell"))
    return said.get(incident.kind, incident.kind)


def detail(incident: Incident) -> str:
    """Return the first line of the error, or why the job cannot run. May be empty."""
    facts = incident.facts
    reason = reasons.read(
        code=str(facts.get("reason_code") or ""),
        params=facts.get("reason_params"),
        text=str(facts.get("state_reason") or facts.get("text") or ""),
    )
    return one_line(incident.text or translate(reason), most=500)


def ended(incident: Incident) -> str:
    """Say why it ended."""
    if not incident.closed_because:
        return ""
    said = _(CLOSED_BECAUSE.get(incident.closed_because, incident.closed_because))
    return f"{said} ({incident.closed_by})" if incident.closed_by else str(said)


def comes_next(job: Job | None, *, zone: ZoneInfo) -> str:
    """Say what happens to the job by itself."""
    if job is None:
        return ""
    if job.state == "paused":
        return _("It is paused until someone resumes it.")
    if job.state == "broken":
        return _("It does not run until its definition is mended.")
    if job.next_run_time is None:
        return _("It will not run by itself.")
    said = [_("Its next run is at %s.") % clock(job.next_run_time, zone=zone)]
    if job.max_retries:
        retried = ngettext(
            "A run that fails is tried again %s time.",
            "A run that fails is tried again up to %s times.",
            job.max_retries,
        )
        said.append(retried % count(job.max_retries))
    if job.pause_after_failures is not None:
        limit = job.pause_after_failures
        paused = ngettext("It is paused after %s failure.", "It is paused after %s failures in a row.", limit)
        said.append(paused % count(limit))
    return " ".join(said)


def clock(at: datetime, *, zone: ZoneInfo) -> str:
    """Write an instant on the clock of a zone, to the minute."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"


def count(number: float) -> str:
    """Write a number as the language does: ``50,401``."""
    return number_format(number, use_l10n=True, force_grouping=True)


def decimal(number: float) -> str:
    """Write a number with one decimal as the language does: ``1.5``."""
    return number_format(f"{number:.1f}", use_l10n=True)


def duration(seconds: float) -> str:
    """Write a duration in its largest unit."""
    if seconds < 60:
        return _("%d s") % seconds
    if seconds < 3600:
        return _("%d min") % (seconds // 60)
    if seconds < 48 * 3600:
        return _("%d h") % (seconds // 3600)
    days = int(seconds // 86400)
    return ngettext("%s day", "%s days", days) % count(days)
