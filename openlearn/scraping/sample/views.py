from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import conditional_page, require_safe

from openlearn.scraping.sample import catalogue


@require_safe
@conditional_page
def index(request: HttpRequest) -> HttpResponse:
    return render(
        request, "sample/index.html", {"lessons": catalogue.LESSONS, "notes": catalogue.NOTES, **_place(request)}
    )


@require_safe
@conditional_page
def piece(request: HttpRequest, section: str, slug: str) -> HttpResponse:
    found = catalogue.PIECES.get((section, slug))
    if found is None:
        raise Http404
    return render(request, found.template, {"piece": found, **_place(request)})


@require_safe
@conditional_page
def rss(request: HttpRequest) -> HttpResponse:
    """The lessons."""
    return _xml(request, "sample/rss.xml", catalogue.LESSONS, "application/rss+xml")


@require_safe
@conditional_page
def atom(request: HttpRequest) -> HttpResponse:
    """The notes."""
    return _xml(request, "sample/atom.xml", catalogue.NOTES, "application/atom+xml")


@require_safe
@conditional_page
def sitemap(request: HttpRequest) -> HttpResponse:
    """Serve a sitemap of the pages outside the feeds, and one address that robots.txt closes to programs."""
    return _xml(request, "sample/sitemap.xml", catalogue.REFERENCE, "application/xml")


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """For the whole host, as robots.txt always is."""
    return render(request, "sample/robots.txt", _place(request), content_type="text/plain; charset=utf-8")


def _xml(request: HttpRequest, template: str, pieces: tuple[catalogue.Piece, ...], content_type: str) -> HttpResponse:
    newest_at = max(piece.published_at for piece in pieces)
    values = {"pieces": pieces, "newest_at": newest_at, **_place(request)}
    return render(request, template, values, content_type=f"{content_type}; charset=utf-8")


def _place(request: HttpRequest) -> dict[str, str]:
    return {"root": request.build_absolute_uri("/").rstrip("/")}
