"""
Harvest a repository by OAI-PMH: records changed since the last harvest, page by page, deleted ones included.

The cursor holds ``token`` (the next page), ``from`` (the day of the harvest before) and ``began`` (of the one that goes
on). A day is listed twice rather than missed: repositories know days, and clocks differ.
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC

from openlearn.scraping.errors import AskedToWait, MalformedRepository, OutOfTime
from openlearn.scraping.fetching.fetcher import Fetched
from openlearn.scraping.reading import repositories
from openlearn.scraping.reading.repositories import Records
from openlearn.scraping.scrapes.context import Context
from openlearn.scraping.scrapes.feed_scrape import store_entries
from openlearn.scraping.scrapes.page_fetching import fetch_pages
from openlearn.scraping.storing import pages
from scheduler.messages import phrase


def scrape_repository(context: Context) -> Fetched:
    """
    :raises ScrapingError, RequestFailed: for the first request. Later ones end this harvest, and the next continues
    """
    context.is_complete = False
    began = context.now().astimezone(UTC).date().isoformat()
    context.cursor.setdefault("began", began)
    fetched, records = _request(context)
    context.take_note_of(fetched)
    _store(context, records)
    for _ in range(context.settings.listing_limit):
        if not context.cursor.get("token") or not context.may_list_further:
            break
        try:
            _, records = _request(context)
        except (AskedToWait, OutOfTime) as error:
            context.tally.note(error.message)
            context.retry_not_before = getattr(error, "until_at", None)
            break
        _store(context, records)
    _close(context)
    fetch_pages(context, are_items=False)
    return fetched


def _request(context: Context) -> tuple[Fetched, Records]:
    cursor = context.cursor
    url = repositories.request_url(base=context.source.url, token=cursor.get("token", ""), since=cursor.get("from", ""))
    fetched = context.fetcher.fetch_to_file(url=url, kind="oai")
    if fetched.file is None:
        raise ValueError("an answer of a repository is read from a file")
    with closing(fetched.file) as file:
        records = repositories.read(
            file=file, url=context.source.url, charset=fetched.charset, most_bytes=context.settings.sitemap_bytes
        )
    if records.error == "badResumptionToken":
        # The token is too old: list again from where this harvest began.
        cursor.pop("token", None)
        raise MalformedRepository(
            url=context.source.url, reason=phrase("its resumption token is no longer known; the harvest begins again")
        )
    if records.error and records.error != "noRecordsMatch":
        raise MalformedRepository(url=context.source.url, reason=f"{records.error}: {records.error_text}")
    return fetched, records


def _store(context: Context, records: Records) -> None:
    store_entries(context, records.entries)
    context.tally.count("skipped", records.skipped)
    if records.deleted:
        context.tally.count(
            "deleted", pages.withdraw(source=context.source, guids=list(records.deleted), now=context.now())
        )
    if records.problem:
        context.tally.note(
            phrase(
                "{url} is not well-formed ({problem}); what could be read of it was.",
                url=context.source.url,
                problem=records.problem,
            )
        )
    if records.token:
        context.cursor["token"] = records.token
    else:
        context.cursor.pop("token", None)


def _close(context: Context) -> None:
    """At the end of a harvest, note since when the next one asks."""
    if context.cursor.get("token"):
        context.tally.counts["listings_left"] = 1
        context.tally.note(phrase("The repository lists more records; the next scrape continues there."))
        return
    context.cursor["from"] = context.cursor.pop("began")
