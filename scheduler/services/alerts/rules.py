"""Rules: the state that is watched, and the channels that are notified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError
from django.db.models import Count, Q, QuerySet

from scheduler.core.alerts import ClosedBecause, RuleKind, check_rule
from scheduler.core.states import Via
from scheduler.errors import InvalidRule, NameTaken, RuleNotFound
from scheduler.messages import phrase
from scheduler.models import Channel, Incident, Job, Rule
from scheduler.services import transactions
from scheduler.services.alerts import changes
from scheduler.store import alerts
from scheduler.store.clock import database_now

CONDITION = ("kind", "scope", "target", "threshold", "seconds", "factor", "samples", "path", "operator", "value")
"""The fields that say when an incident opens."""

FIELDS = ("name", "description", "enabled", "severity", *CONDITION, "channels", "escalate_after", "escalation_channels")

PREVIEW_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The past effect that a rule would have had."""

    incidents: int | None
    """In the last days. ``None``: the history is too short."""

    jobs: int
    """That it watches now."""


def all_rules() -> QuerySet[Rule]:
    """Return the rules with the number of their open incidents, by name."""
    is_open = Count("incidents", filter=Q(incidents__closed_at__isnull=True))
    return Rule.objects.annotate(open_incidents=is_open).prefetch_related("channels", "escalation_channels")


def get(*, id: int) -> Rule:
    """:raises RuleNotFound: a rule with this id does not exist"""
    rule = all_rules().filter(pk=id).first()
    if rule is None:
        raise RuleNotFound(phrase("There is no rule with the id {id}.", id=f"{id}"))
    return rule


def create(*, name: str, actor: str = "", via: Via | str = Via.CODE, **given: Any) -> Rule:
    """
    Create a rule, and open incidents for what it finds already.

    ``given`` are fields of ``FIELDS``. ``channels`` and ``escalation_channels`` are channels or their ids.

    :raises InvalidRule, NameTaken: naming the field, its value and what is allowed
    """
    rule = Rule()
    with transactions.atomic():
        _save(rule, {"name": name, **given}, before={}, action="created", actor=actor, via=via)
    return rule


def update(*, rule: Rule, actor: str = "", via: Via | str = Via.CODE, **given: Any) -> Rule:
    """
    Change a rule. Incidents that are open and do not fit it any more are closed, those that fit now are opened.

    :raises InvalidRule, NameTaken: no change was made
    """
    with transactions.atomic():
        stored = Rule.objects.select_for_update().filter(pk=rule.pk).first()
        if stored is None:
            raise RuleNotFound(phrase("The rule “{name}” was deleted in the meantime.", name=rule.name))
        before = represent(stored)
        _save(stored, {**before, **given}, before=before, action="edited", actor=actor, via=via)
    return stored


def remove(*, rule: Rule, actor: str = "", via: Via | str = Via.CODE) -> None:
    """Delete a rule. Its open incidents are closed, its history stays."""
    with transactions.atomic():
        before = represent(rule)
        _close(rule, ClosedBecause.RULE_DELETED, actor)
        changes.note(about=rule, action="deleted", before=before, after={}, actor=actor, via=via)
        # Messages that were sent stay. A rule that is gone announces no further incidents.
        rule.delete()


def _save(
    rule: Rule, given: Mapping[str, Any], *, before: Mapping[str, Any], action: str, actor: str, via: Via | str
) -> None:
    """The caller's transaction is open."""
    unknown = sorted(set(given) - set(FIELDS) - {"id"})
    if unknown:
        raise InvalidRule(phrase("A rule has no {names}.", names=", ".join(unknown)), field=unknown[0])
    columns = check_rule(given)
    name = _name(given.get("name"))
    channels = _channels(given.get("channels"), field="channels")
    escalation = _channels(given.get("escalation_channels"), field="escalation_channels")
    for column, value in columns.items():
        setattr(rule, column, value)
    rule.name, rule.description = name, str(given.get("description") or "")
    rule.enabled = bool(given.get("enabled", True))
    rule.updated_at = database_now()
    try:
        with transactions.atomic():
            rule.save()
    except IntegrityError as error:
        raise NameTaken(phrase("There is a rule “{name}” already. Choose another name.", name=name)) from error
    rule.channels.set(channels)
    rule.escalation_channels.set(escalation)
    after = represent(rule)
    changes.note(about=rule, action=action, before=before, after=after, actor=actor, via=via)
    if any(before.get(field) != after[field] for field in (*CONDITION, "enabled")):
        _settle(rule, actor)


def _settle(rule: Rule, actor: str) -> None:
    """Let the open incidents be those that the rule finds now."""
    if not rule.enabled:
        _close(rule, ClosedBecause.RULE_CHANGED, actor)
        return
    rule.incidents.open().exclude(kind=rule.kind).update(
        closed_at=database_now(), closed_because=ClosedBecause.RULE_CHANGED, closed_by=actor
    )
    alerts.judge_here(kind=RuleKind(rule.kind), rule=rule.pk, because=ClosedBecause.RULE_CHANGED, by=actor)


def _close(rule: Rule, because: ClosedBecause, actor: str) -> None:
    Incident.objects.open().filter(rule=rule).update(
        closed_at=database_now(), closed_because=because, closed_by=actor[:150]
    )


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= 100 or not value.isprintable():
        raise InvalidRule(phrase("name must be a text of 1 to 100 characters."), field="name")
    return value.strip()


def _channels(given: Sequence[Channel | int] | None, *, field: str) -> list[Channel]:
    wanted = [each.pk if isinstance(each, Channel) else each for each in given or ()]
    found = Channel.objects.in_bulk([each for each in wanted if isinstance(each, int)])
    missing = [each for each in wanted if each not in found]
    if missing:
        raise InvalidRule(phrase("There is no channel with the id {id}.", id=f"{missing[0]}"), field=field)
    return [found[each] for each in dict.fromkeys(wanted)]


def represent(rule: Rule) -> dict[str, Any]:
    """Describe a rule as JSON: the same for the API, the history and exports."""
    return {
        "id": rule.pk,
        **{name: getattr(rule, name) for name in ("name", "description", "enabled", "severity", *CONDITION)},
        "channels": sorted(channel.pk for channel in rule.channels.all()),
        "escalate_after": rule.escalate_after,
        "escalation_channels": sorted(channel.pk for channel in rule.escalation_channels.all()),
    }


def watched(*, rule: Rule) -> QuerySet[Job]:
    """Return the jobs that a rule watches."""
    if rule.kind == RuleKind.SYSTEM:
        return Job.objects.none()
    filters: dict[str, Q] = {
        "everything": Q(),
        "tag": Q(tags__contains=[rule.target]),
        "task": Q(task=rule.target),
        "queue": Q(queue=rule.target),
        "job": Q(pk=rule.target),
    }
    return Job.objects.filter(filters[rule.scope])


def of_job(*, job: Job) -> list[Rule]:
    """Return the rules that watch a job, by name."""
    scope = Q(scope="everything") | Q(scope="job", target=job.pk) | Q(scope="task", target=job.task)
    scope |= Q(scope="queue", target=job.queue)
    return list(
        Rule.objects.filter(enabled=True)
        .exclude(kind=RuleKind.SYSTEM)
        .filter(scope | Q(scope="tag", target__in=list(job.tags)))
        .prefetch_related("channels")
        .order_by("name")
    )


def preview(*, given: Mapping[str, Any], days: int = PREVIEW_DAYS) -> Preview:
    """
    Count the incidents that a rule would have opened in the last days.

    :raises InvalidRule: as ``create``
    """
    columns = check_rule(given)
    rule = Rule(**columns)
    return Preview(
        incidents=alerts.preview(columns=columns, days=days),
        jobs=0 if rule.kind == RuleKind.SYSTEM else watched(rule=rule).count(),
    )
