from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from openlearn.scraping import conf
from openlearn.scraping.fetching.robots import RobotsCache
from openlearn.scraping.models import RobotsFile
from scheduler.errors import Unreachable
from scheduler.outgoing import Answer

pytestmark = pytest.mark.django_db


class TestRobots:
    def rules(self, *answers, cache=None, keep_seconds=3600.0):
        waiting = list(answers)

        def fetch(url):
            assert url == "https://lessons.test:8443/robots.txt"
            answer = waiting.pop(0)
            if isinstance(answer, Exception):
                raise answer
            status, body = answer
            return Answer(url=url, status_code=status, headers={}, content=body, redirects=())

        url = "https://lessons.test:8443/a/page"
        return (cache or RobotsCache()).rules_for(url=url, fetch=fetch, keep_seconds=keep_seconds)

    def test_close_what_the_site_closes_to_us(self):
        rules = self.rules((200, b"User-agent: *\nDisallow: /a/\n\nUser-agent: OpenLearnBot\nDisallow: /b/\n"))

        assert rules.allows(url="https://lessons.test:8443/a/page", agent="OpenLearnBot/1.0 (x)")
        assert not rules.allows(url="https://lessons.test:8443/b/page", agent="OpenLearnBot/1.0 (x)")

    @pytest.mark.parametrize(
        ("body", "delay"),
        [
            (b"User-agent: *\nCrawl-delay: 2.5\n", 2.5),
            (b"User-agent: *\nRequest-rate: 1/10s\n", 10.0),
            (b"User-agent: *\nCrawl-delay: -1\n", None),
            (b"User-agent: *\nCrawl-delay: soon\n", None),
            (b"", None),
        ],
    )
    def test_say_how_long_to_wait(self, body, delay):
        assert self.rules((200, body)).delay_seconds(agent="OpenLearnBot") == delay

    @pytest.mark.parametrize("status", [301, 401, 403, 404, 410])
    def test_are_absent_when_there_are_none(self, status):
        rules = self.rules((status, b"User-agent: *\nDisallow: /"))

        assert rules.allows(url="https://lessons.test:8443/a/page", agent="OpenLearnBot")

    @pytest.mark.parametrize("answer", [(500, b""), (503, b""), (429, b""), Unreachable("the server is down")])
    def test_close_everything_while_they_cannot_be_read(self, answer):
        rules = self.rules(answer)

        assert not rules.allows(url="https://lessons.test:8443/a/page", agent="OpenLearnBot")
        assert rules.problem

    @pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"<html>Not found</html>", b"Disallow: /\n" * 100_000])
    def test_may_be_nonsense(self, body):
        assert self.rules((200, body)).allows(url="https://lessons.test:8443/a/page", agent="OpenLearnBot")

    def test_are_remembered(self):
        cache = RobotsCache()

        first = self.rules((200, b"User-agent: *\nDisallow: /\n"), cache=cache)

        assert self.rules(cache=cache) is first

    def test_are_asked_for_again_when_they_are_old(self):
        cache = RobotsCache()
        self.rules((200, b"User-agent: *\nDisallow: /\n"), cache=cache, keep_seconds=0)

        rules = self.rules((404, b""), cache=cache, keep_seconds=0)

        assert rules.allows(url="https://lessons.test:8443/a/page", agent="OpenLearnBot")

    def test_are_fetched_by_one_node_for_all(self):
        self.rules((200, b"User-agent: *\nDisallow: /a/\n"))

        rules = self.rules(cache=RobotsCache())

        assert not rules.allows(url="https://lessons.test:8443/a/page", agent="OpenLearnBot")

    def test_that_could_not_be_read_are_asked_for_again_soon(self):
        self.rules((503, b""))
        RobotsFile.objects.update(fetched_at=timezone.now() - timedelta(seconds=301))

        assert self.rules((404, b"")).allows(url="https://lessons.test:8443/a/page", agent="OpenLearnBot")

    def test_are_for_the_name_of_the_program_and_not_for_words_beside_it(self, settings):
        settings.SCRAPING = {"USER_AGENT": "OpenLearnBot/1.0 (scheduled reader of open learning material)"}
        rules = self.rules((200, b"User-agent: reader\nDisallow: /\n"))

        assert rules.allows(url="https://lessons.test:8443/a/page", agent=conf.get().agent_name)
