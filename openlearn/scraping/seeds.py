"""Sources to begin with. Each function may be called again: what exists is left as people have made it."""

from __future__ import annotations

from openlearn.scraping import services
from openlearn.scraping.models import Source

SAMPLE_SECONDS = 10
"""Between two scrapes of the sample site: a newcomer should not have to wait for the first ones."""

_PUBLIC = (
    ("MIT OpenCourseWare: new courses", "https://ocw.mit.edu/rss/new/mit-newcourses.xml", Source.Tier.LOW),
    ("Open Culture", "https://www.openculture.com/feed", Source.Tier.MEDIUM),
    ("Python Insider", "https://blog.python.org/feeds/posts/default", Source.Tier.LOW),
    ("Django weblog", "https://www.djangoproject.com/rss/weblog/", Source.Tier.LOW),
    ("Planet PostgreSQL", "https://planet.postgresql.org/rss20.xml", Source.Tier.MEDIUM),
    (
        "The Conversation: education",
        "https://theconversation.com/global/topics/education-41/articles.atom",
        Source.Tier.MEDIUM,
    ),
)


def seed_sample(base_url: str) -> list[Source]:
    """
    Seed the sources of the sample site that is served at ``base_url``, such as ``http://127.0.0.1:8000``.

    A source that was seeded for another address (another port) is moved to this one. Returns all of them.
    """
    root = base_url.rstrip("/")
    wanted = (
        ("Sample site: lessons (RSS)", Source.Kind.FEED, "/sample/rss.xml"),
        ("Sample site: notes (Atom)", Source.Kind.FEED, "/sample/atom.xml"),
        ("Sample site: reference (sitemap)", Source.Kind.SITEMAP, "/sample/sitemap.xml"),
        ("Sample site: front page", Source.Kind.PAGE, "/sample/"),
    )
    seeded = []
    for name, kind, path in wanted:
        source = Source.objects.filter(url=root + path).first() or Source.objects.filter(name=name).first()
        if source is None:
            source = Source(name=name, kind=kind, tier=Source.Tier.HIGH, interval_seconds=SAMPLE_SECONDS)
        source.url = root + path
        services.save_source(source=source, actor="seeds")
        seeded.append(source)
    return seeded


def seed_public_sources() -> list[Source]:
    """
    Seed some real feeds of open learning material, with paused jobs: whether to ask those sites is for people to say.

    Returns those that are new.
    """
    seeded = []
    for name, url, tier in _PUBLIC:
        if Source.objects.filter(url=url).exists():
            continue
        source = Source(name=name, url=url, kind=Source.Kind.FEED, tier=tier, page_limit=20)
        services.save_source(source=source, actor="seeds", paused=True)
        seeded.append(source)
    return seeded
