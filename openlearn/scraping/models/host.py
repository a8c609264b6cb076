"""Politeness towards hosts, over all nodes."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Host(models.Model):
    """The pace of one host: ``fetching/sql/take_turn.sql`` gives each request its turn."""

    name = models.CharField(_("host"), max_length=300, primary_key=True)
    """``host`` or ``host:port``, in lower case."""

    opens_at = models.DateTimeField(_("next request not before"))
    closed_until = models.DateTimeField(_("no requests until"), null=True)

    class Meta:
        verbose_name = _("host")
        verbose_name_plural = _("hosts")

    def __str__(self) -> str:
        return self.name


class RobotsFile(models.Model):
    """The robots.txt of one origin, as some node fetched it for all of them."""

    origin = models.CharField(_("origin"), max_length=310, primary_key=True)
    """Such as ``https://lessons.example:8443``."""

    body = models.TextField(_("content"), blank=True, default="")
    problem = models.TextField(_("problem"), blank=True, default="")
    """Not empty: it cannot be read, and the site counts as closed."""

    fetched_at = models.DateTimeField(_("fetched at"))

    class Meta:
        verbose_name = _("robots.txt")
        verbose_name_plural = _("robots.txt")

    def __str__(self) -> str:
        return self.origin
