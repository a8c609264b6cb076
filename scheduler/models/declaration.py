from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.db.models import CharField, Lookup, Value
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    _Lookup = Lookup[Any]
else:
    _Lookup = Lookup


@CharField.register_lookup
class AnyOf(_Lookup):
    """
    Many values in a condition as one parameter: ``filter(key__any_of=keys)``.

    Django's ``in`` prepares and sends each by itself, which takes long for thousands.
    """

    lookup_name = "any_of"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, parameters = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", (*parameters, list(self.rhs))


class Declaration(models.Model):
    """
    A job that code or a file declares, as it was at the last synchronisation.

    It outlives its job, so that a job that a person deleted is not created again: no foreign key.
    """

    key = models.CharField(_("key"), max_length=255, unique=True)
    job_key = models.CharField(_("job id"), max_length=255, unique=True)
    owner = models.CharField(
        _("owner"),
        max_length=255,
        blank=True,
        default="",
        db_default="",
        help_text=_("The source that synchronises it: the deployment (empty), a template or a provider of rows."),
    )
    template_version = models.ForeignKey(
        "scheduler.TemplateVersion",
        models.PROTECT,
        verbose_name=_("template version"),
        null=True,
        blank=True,
        related_name="instances",
    )
    parameters = models.JSONField(
        _("parameters"), null=True, blank=True, help_text=_("Of an instance of a template. Secrets are sealed.")
    )
    source = models.CharField(_("source"), max_length=255, help_text=_("The code, or the name of a file."))
    origin = models.CharField(_("declared at"), max_length=255, help_text=_("A function, or a line of a file."))
    declared = models.JSONField(
        _("declared"), default=dict, help_text=_("Values by field at the last synchronisation. Secrets are digests.")
    )
    kept = models.JSONField(
        _("kept"),
        default=list,
        db_default=Value([], models.JSONField()),
        help_text=_("Fields whose stored value a person chose to keep: they do not count as drift."),
    )
    job_version = models.PositiveIntegerField(
        _("version of the job"), null=True, help_text=_("After the last synchronisation: another one may be drift.")
    )
    has_drift = models.BooleanField(
        _("has drift"), default=False, db_default=False, help_text=_("At the last synchronisation.")
    )
    release = models.CharField(_("release"), max_length=64, blank=True, default="", db_default="")
    is_declared = models.BooleanField(
        _("is declared"), default=True, db_default=True, help_text=_("Whether the source still declares it.")
    )
    paused_at = models.DateTimeField(
        _("paused at"), null=True, blank=True, help_text=_("When the job was paused because its source dropped it.")
    )
    synced_at = models.DateTimeField(_("synchronised at"), db_default=Now())

    class Meta:
        verbose_name = _("declaration")
        verbose_name_plural = _("declarations")
        # Who may see jobs may see where they are declared.
        default_permissions = ()
        ordering = ("key",)
        indexes = [models.Index(fields=["owner", "key"], name="scheduler_declaration_owner")]

    def __str__(self) -> str:
        return self.key


class DeclaredObject(models.Model):
    """
    A template or an alert rule that a file or the scheduler itself declares, as it was at the last synchronisation.

    It outlives what it is about, so that what a person deleted is not created again.
    """

    kind = models.CharField(_("kind"), max_length=16, help_text=_("A template or an alert rule."))
    key = models.CharField(_("key"), max_length=255)
    owner = models.CharField(
        _("owner"), max_length=255, blank=True, help_text=_("The deployment (empty), or the scheduler that ships it.")
    )
    source = models.CharField(_("source"), max_length=255, help_text=_("The name of a file, or of a module."))
    origin = models.CharField(_("declared at"), max_length=255, help_text=_("A module, or a line of a file."))
    declared = models.JSONField(_("declared"), default=dict, help_text=_("Values at the last synchronisation."))
    release = models.CharField(_("release"), max_length=64, blank=True)
    is_declared = models.BooleanField(
        _("is declared"), default=True, help_text=_("Whether the source still declares it.")
    )
    synced_at = models.DateTimeField(_("synchronised at"), db_default=Now())

    class Meta:
        verbose_name = _("declared object")
        verbose_name_plural = _("declared objects")
        default_permissions = ()
        ordering = ("kind", "key")
        constraints: ClassVar = [models.UniqueConstraint(fields=["kind", "key"], name="scheduler_declared_object_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
