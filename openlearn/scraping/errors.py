"""What can be wrong with what the web answers. Each message names the address, the value and what to do."""

from __future__ import annotations

from datetime import datetime


class ScrapingError(Exception):
    """The source could not be scraped. Nothing that was stored is lost."""


class SourceNotFound(ScrapingError):
    """The source was deleted. Delete its job as well."""

    def __init__(self, *, source_id: int) -> None:
        super().__init__(f"There is no source {source_id}: it was deleted. Delete the job that scrapes it as well.")


class PageNotFound(ScrapingError):
    """The server knows nothing under this address."""

    def __init__(self, *, url: str) -> None:
        super().__init__(f"{url} was not found (404). Correct the address of the source, or pause it.")


class PageGone(ScrapingError):
    """The server says that the address will not come back."""

    def __init__(self, *, url: str) -> None:
        super().__init__(f"{url} is gone for good (410). Give the source another address and resume its job.")


class AskedToWait(ScrapingError):
    """The server wants to be left alone for a while."""

    def __init__(self, *, url: str, status_code: int, until_at: datetime) -> None:
        super().__init__(
            f"{url} asks to be left alone until {until_at:%Y-%m-%d %H:%M:%S} UTC ({status_code}). "
            "Scrapes before that ask nothing; if it happens often, choose a lower tier."
        )
        self.until_at = until_at


class UnexpectedStatus(ScrapingError):
    """The server answered with a status that gives no content."""

    def __init__(self, *, url: str, status_code: int) -> None:
        if status_code in {401, 403}:
            advice = "It may be open to readers only after signing in, or refuse programs."
        elif status_code >= 500:
            advice = "The fault is on the server's side; it is tried again at the next fire time."
        else:
            advice = "Open the address in a browser to see what it wants."
        super().__init__(f"{url} answered with status {status_code}. {advice}")
        self.status_code = status_code


class ForbiddenByRobots(ScrapingError):
    """The site's robots.txt asks programs to stay away."""

    def __init__(self, *, url: str, robots_url: str) -> None:
        super().__init__(
            f"{url} is not for programs, says {robots_url}. Ask the owner of the site, or pause the source."
        )


class RobotsUnavailable(ScrapingError):
    """Whether programs are welcome cannot be found out at the moment."""

    def __init__(self, *, url: str, robots_url: str, reason: str) -> None:
        super().__init__(
            f"{url} was not asked: {robots_url} cannot be read ({reason}), and until it can, the site counts as closed."
        )


class WrongContentType(ScrapingError):
    """The content is of a kind that holds no learning material for us."""

    def __init__(self, *, url: str, content_type: str, expected: str) -> None:
        super().__init__(
            f"{url} is “{content_type or 'of no stated type'}”, where {expected} was expected. "
            "Correct the address or the kind of the source."
        )


class NotAFeed(ScrapingError):
    """An HTML page where a feed was expected."""

    def __init__(self, *, url: str, feeds: tuple[str, ...] = ()) -> None:
        if feeds:
            advice = f"The page names these feeds: {', '.join(feeds)}. Use one of them, or set the kind to “page”."
        else:
            advice = "Look for the address of the feed on it, or set the kind to “page”."
        super().__init__(f"{url} is an HTML page, not a feed. {advice}")


class MalformedFeed(ScrapingError):
    """The feed cannot be read."""

    def __init__(self, *, url: str, reason: str) -> None:
        super().__init__(f"{url} cannot be read as RSS, RDF or Atom: {reason}. Its owner has to mend it.")
        self.reason = reason


class MalformedSitemap(ScrapingError):
    """The sitemap cannot be read."""

    def __init__(self, *, url: str, reason: str) -> None:
        super().__init__(f"{url} cannot be read as a sitemap: {reason}. Its owner has to mend it.")


class OutOfTime(ScrapingError):
    """The time for one scrape is over."""

    def __init__(self, *, url: str, seconds: float) -> None:
        super().__init__(f"{url} was not asked: the {seconds:g} s for one scrape are over. The next one goes on there.")
