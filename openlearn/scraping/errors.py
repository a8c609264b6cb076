"""Faults of what the web answers. Each sentence names the address, the value and the cure."""

from __future__ import annotations

from datetime import datetime

from scheduler.messages import phrase


class ScrapingError(Exception):
    """The source could not be scraped. Everything stored before stays."""

    code = "scraping_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        """English text that remembers its values: see ``sentences``."""


class SourceNotFound(ScrapingError):
    """The source was deleted."""

    code = "source_not_found"

    def __init__(self, *, source_id: int) -> None:
        super().__init__(
            phrase(
                "There is no source {number}: it was deleted. Delete the job that scrapes it as well.", number=source_id
            )
        )


class PageNotFound(ScrapingError):
    """The server answered 404."""

    code = "not_found"

    def __init__(self, *, url: str) -> None:
        super().__init__(
            phrase("{url} was not found (404). Correct the address of the source, or pause its job.", url=url)
        )


class PageGone(ScrapingError):
    """The server answered 410: the address will not come back."""

    code = "gone"

    def __init__(self, *, url: str) -> None:
        super().__init__(
            phrase("{url} is gone for good (410). Give the source another address and resume its job.", url=url)
        )


class AskedToWait(ScrapingError):
    """The server wants no requests for a while."""

    code = "asked_to_wait"

    def __init__(self, *, url: str, status_code: int, until_at: datetime) -> None:
        super().__init__(
            phrase(
                "{url} asks for no requests until {until} UTC ({status}). Until then no source on this host is "
                "requested. If it happens often, choose a lower tier.",
                url=url,
                until=f"{until_at:%Y-%m-%d %H:%M:%S}",
                status=str(status_code),
            )
        )
        self.until_at = until_at


class HostIsClosed(AskedToWait):
    """Another request to the same host was told to wait, and the time is not over."""

    code = "host_is_closed"

    def __init__(self, *, url: str, host: str, until_at: datetime) -> None:
        ScrapingError.__init__(
            self,
            phrase(
                "{url} was not requested: {host} asks for no requests until {until} UTC.",
                url=url,
                host=host,
                until=f"{until_at:%Y-%m-%d %H:%M:%S}",
            ),
        )
        self.until_at = until_at


class UnexpectedStatus(ScrapingError):
    """The server answered with a status that carries no content."""

    code = "unexpected_status"

    def __init__(self, *, url: str, status_code: int) -> None:
        if status_code in {401, 403}:
            advice = phrase("It needs access data, which the source can hold, or it rejects programs.")
        elif status_code >= 500:
            advice = phrase("The server has a problem. The request is repeated later.")
        elif status_code == 304:
            advice = phrase(
                "The server claims that it did not change, although it was not asked; its cache is at fault."
            )
        else:
            advice = phrase("Open the address in a browser to see what it requires.")
        super().__init__(
            phrase("{url} answered with status {status}. {advice}", url=url, status=str(status_code), advice=advice)
        )
        self.status_code = status_code


class ForbiddenByRobots(ScrapingError):
    """The site's robots.txt asks programs to stay away."""

    code = "forbidden_by_robots"

    def __init__(self, *, url: str, robots_url: str) -> None:
        super().__init__(
            phrase(
                "robots.txt does not allow fetching {url} ({robots}). Ask the owner of the site and note the agreement "
                "in the source, or pause its job.",
                url=url,
                robots=robots_url,
            )
        )


class RobotsUnavailable(ScrapingError):
    """The rules of the site cannot be read at the moment."""

    code = "robots_unavailable"

    def __init__(self, *, url: str, robots_url: str, reason: str) -> None:
        super().__init__(
            phrase(
                "{url} was not requested: {robots} cannot be read ({reason}), and until it can, the site counts as "
                "closed.",
                url=url,
                robots=robots_url,
                reason=reason,
            )
        )


class WrongContentType(ScrapingError):
    """The content is of a kind that holds no readable text."""

    code = "wrong_content_type"

    def __init__(self, *, url: str, content_type: str, expected: str) -> None:
        super().__init__(
            phrase(
                "{url} is “{type}”, where {expected} was expected. Correct the address or the kind of the source.",
                url=url,
                type=content_type or phrase("of no stated type"),
                expected=expected,
            )
        )


class NotForIndexing(ScrapingError):
    """The page asks not to be collected."""

    code = "not_for_indexing"

    def __init__(self, *, url: str, reason: str) -> None:
        super().__init__(
            phrase("{url} holds no material: {reason}. Documents that were stored before stay.", url=url, reason=reason)
        )
        self.reason = reason


class AnotherKind(ScrapingError):
    """The content is well, and of another kind than the source says."""

    code = "another_kind"

    def __init__(self, *, url: str, advice: str) -> None:
        super().__init__(phrase("{url}: {advice}", url=url, advice=advice))


class NotAFeed(ScrapingError):
    """An HTML page where a feed was expected."""

    code = "not_a_feed"

    def __init__(self, *, url: str, feeds: tuple[str, ...] = ()) -> None:
        if feeds:
            advice = phrase("The page names these feeds: {feeds}. Use one of them.", feeds=", ".join(feeds))
        else:
            advice = phrase("Look for the address of the feed on it, or set the kind to “single page”.")
        super().__init__(phrase("{url} is an HTML page, not a feed. {advice}", url=url, advice=advice))


class MalformedFeed(ScrapingError):
    """The feed cannot be read."""

    code = "malformed_feed"

    def __init__(self, *, url: str, reason: str) -> None:
        super().__init__(
            phrase("{url} cannot be read as RSS, RDF, Atom or JSON Feed: {reason}.", url=url, reason=reason)
        )
        self.reason = reason


class MalformedSitemap(ScrapingError):
    """The sitemap cannot be read."""

    code = "malformed_sitemap"

    def __init__(self, *, url: str, reason: str) -> None:
        super().__init__(phrase("{url} cannot be read as a sitemap: {reason}.", url=url, reason=reason))


class MalformedRepository(ScrapingError):
    """The answer of the repository cannot be read, or is an error."""

    code = "malformed_repository"

    def __init__(self, *, url: str, reason: str) -> None:
        super().__init__(phrase("{url} did not answer as OAI-PMH demands: {reason}.", url=url, reason=reason))


class UnreadablePage(ScrapingError):
    """Reading the page costs too much, or ends its reader."""

    code = "unreadable_page"

    def __init__(self, *, url: str, reason: str) -> None:
        super().__init__(phrase("{url} cannot be read: {reason}.", url=url, reason=reason))


class OutOfTime(ScrapingError):
    """The time for one scrape is over."""

    code = "out_of_time"

    def __init__(self, *, url: str, seconds: float) -> None:
        super().__init__(
            phrase(
                "{url} was not requested: the {seconds:g} s for one scrape are over. The next scrape continues there.",
                url=url,
                seconds=seconds,
            )
        )


class MostPagesFail(ScrapingError):
    """More than half of the pages of a source cannot be fetched."""

    code = "most_pages_fail"

    def __init__(self, *, failing: int, known: int) -> None:
        super().__init__(
            phrase(
                "{failing} of {known} pages cannot be fetched. The contents of the source itself were stored. See its "
                "failing pages for the reasons. A page limit of 0 keeps only the contents of a feed.",
                failing=failing,
                known=known,
            )
        )


class AddressTaken(ScrapingError):
    """Another source has the address."""

    code = "address_taken"

    def __init__(self, *, url: str) -> None:
        super().__init__(phrase("Another source has the address {url} already. Remove one of the two.", url=url))
