"""Shared parts of our pages: the admin's frame, live regions and confirmation questions."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseNotModified, HttpResponseRedirect
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from scheduler.admin.format import display
from scheduler.admin.format.languages import told
from scheduler.core.states import Via
from scheduler.errors import SchedulerError
from scheduler.models import IdempotencyKey
from scheduler.services import sites, transactions

_gzip = GZipMiddleware(lambda _request: HttpResponse())

_PREVIEW = "preview"
"""The button of a question that shows what the answer would change."""

SWITCH = "want"
"""The button of a question that shows its arguments as fields or as JSON."""

PART = "part"
"""The query parameter by which a page asks for its own live region."""


def actor(request: HttpRequest) -> str:
    return request.user.get_username()[:150]


def author(request: HttpRequest) -> dict[str, Any]:
    """The author of a change, as keywords of the services."""
    return {"actor": actor(request), "via": Via.ADMIN}


def is_phone(request: HttpRequest) -> bool:
    """Return whether a phone asks, by the word that every browser of one sends: it has room for rows or for filters."""
    return "Mobi" in request.headers.get("User-Agent", "")


def reason(request: HttpRequest) -> str:
    """The reason in the form, or an empty text."""
    return display.plain(request.POST.get("reason", "")).strip()[:500]


def show(request: HttpRequest, template: str, context: Mapping[str, Any], *, status: int = 200) -> HttpResponse:
    """Render a page inside the frame of the admin."""
    frame = {**sites.of(request).each_context(request), **context}
    return render(request, template, frame, status=status)


def show_live(
    request: HttpRequest, template: str, context: Mapping[str, Any], *, region: str, status: int = 200
) -> HttpResponse:
    """
    Render a page, or only its live ``region`` if that is asked for.

    A region that has not changed is answered with 304 and no body. It holds no CSRF token, so that it stays the same.
    """
    if PART not in request.GET:
        live = {"region": region, "live_address": live_address(request)}
        return show(request, template, {**context, **live}, status=status)
    return part(request, context, region=region)


def live_address(request: HttpRequest) -> str:
    """Where the live region of this page is."""
    query = request.GET.copy()
    query[PART] = "live"
    return f"{request.path}?{query.urlencode()}"


def part(request: HttpRequest, context: Mapping[str, Any], *, region: str) -> HttpResponse:
    """Answer with a live region, or with 304 if it has not changed."""
    body = render_to_string(region, dict(context), request=request)
    # What only grew older is the same: the page counts on by itself.
    tag = f'"{hashlib.sha256(display.AGES.sub("", body).encode()).hexdigest()[:32]}"'
    same = tag in request.headers.get("If-None-Match", "")
    response: HttpResponse = HttpResponseNotModified() if same else HttpResponse(body)
    response["ETag"] = tag
    response["Cache-Control"] = "no-cache, private"
    # A region holds no secret that somebody could guess by the length of the answer: no token, and no echo of input.
    packed: HttpResponse = _gzip.process_response(request, response)  # type: ignore[assignment]
    return packed


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The question before an action."""

    title: str
    effects: Sequence[str]
    """Sentences: what will happen, and what is not obvious."""

    button: str
    back: str
    """Where “no” leads."""

    is_destructive: bool = False
    asks_reason: bool = False
    asks_until: bool = False
    """When what is done ends by itself."""

    skips_runs: bool = True
    """Runs that are due during a pause are skipped. Otherwise they wait."""

    must_end: bool = False
    """It has to end by itself. Otherwise it may also last until somebody resumes the job."""

    name: str | None = None
    """A name that may be changed before it is done."""

    tag_suggestions: Sequence[str] | None = None
    """Tags are asked for, and these are known."""

    fields: Sequence[tuple[str, str]] = ()
    """Hidden names and values that come back with the answer."""

    given: Mapping[str, Any] | None = None
    """The arguments with which it is done."""

    arguments: str | None = None
    """The rendered fields of arguments that may be changed before it is done."""

    form: forms.Form | None = None
    """Further fields."""

    preview: Sequence[Mapping[str, str]] | None = None
    """The changes that the answer would make: ``name`` and ``text`` of each. ``None``: the question has no preview."""

    is_previewed: bool = True
    """Whether the answer may be given. Otherwise only the preview is offered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    sentence: str
    location: str


def confirm(
    request: HttpRequest,
    *,
    question: Question,
    act: Callable[[], Done | Question],
    problem: str = "",
    one_by_one: bool = False,
) -> HttpResponse:
    """
    Ask, and do it once the answer is yes. Only POST changes anything.

    The question is a page of its own, which can be come back to: after a login, by a reload, by “Back”. Where the
    selection came by POST, GET leads back to the list.

    The answer carries a key that is kept with what was done, in the same transaction: a double click or a reload finds
    it and is led to what the first one did. ``one_by_one``: ``act`` has transactions of its own, and the key is kept
    before it begins. It may answer with another question, whether to go on.
    """
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "POST"])
    key = request.POST.get("confirmed", "")
    if not key or problem or _PREVIEW in request.POST or SWITCH in request.POST:
        return _ask(request, question, problem)
    try:
        with nullcontext() if one_by_one else transactions.atomic():
            done = _once(request, key, act, otherwise=question.back)
    except SchedulerError as error:
        messages.error(request, told(error))
        return HttpResponseRedirect(question.back)
    return _ask(request, done, "") if isinstance(done, Question) else HttpResponseRedirect(done)


def _ask(request: HttpRequest, question: Question, problem: str) -> HttpResponse:
    context = {"question": question, "key": uuid.uuid4().hex, "title": question.title, "problem": problem}
    return show(request, "scheduler/confirm.html", {**context, "zone": display.zone_line()})


def _once(request: HttpRequest, key: str, act: Callable[[], Done | Question], *, otherwise: str) -> str | Question:
    own: dict[str, Any] = {"user_id": request.user.pk, "path": request.path[:500], "key": key[:255]}
    try:
        with transactions.atomic():
            kept = IdempotencyKey.objects.create(**own, body_hash="", status=302, body={})
    except IntegrityError:
        body = IdempotencyKey.objects.get(**own).body
        if "location" not in body:
            messages.warning(request, _("This was already submitted. Here is the result."))
        return str(body.get("location", otherwise))
    done = act()
    if isinstance(done, Question):
        return done
    kept.body = {"location": done.location}
    kept.save(update_fields=["body"])
    if done.sentence:
        messages.success(request, done.sentence)
    return done.location


def selection(request: HttpRequest) -> list[tuple[str, str]]:
    """The selection of the list. With “all that match”, one row stands for the rest."""
    across = request.POST.get("select_across", "0")
    ids = request.POST.getlist(ACTION_CHECKBOX_NAME)
    chosen = ids[:1] if across == "1" else ids
    return [
        ("action", request.POST.get("action", "")),
        ("select_across", across),
        *((ACTION_CHECKBOX_NAME, pk) for pk in chosen),
    ]
