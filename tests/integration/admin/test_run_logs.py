"""The log on the page of a run: its tail, its parts, what is searched, and what is new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from scheduler.admin.runs import run_log
from scheduler.core.states import RunState
from scheduler.models import Run
from tests.integration.admin.runs import action, page, run

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


def talkative(lines: int, **values: Any) -> Run:
    text = "\n".join(f"00:00:{number % 60:02d}.000 INFO    shop: page {number}" for number in range(1, lines + 1))
    return run(log=text, **values)


def numbers(client: Client, address: str) -> list[int]:
    return [line.number for line in client.get(address).context["log"].lines]


class TestTheLog:
    def test_shows_its_end_and_leads_to_older_lines(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(run_log, "MOST_LINES", 20)
        address = page(talkative(50))

        assert numbers(client, address) == list(range(31, 51))
        assert "?before=31#log-title" in client.get(address).content.decode()
        assert numbers(client, f"{address}?before=31") == list(range(11, 31))
        assert numbers(client, f"{address}?before=11") == list(range(1, 11))

    def test_has_an_address_for_every_line(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(run_log, "MOST_LINES", 20)
        monkeypatch.setattr(run_log, "_BEFORE_A_WANTED_LINE", 5)
        address = page(talkative(50))

        text = client.get(f"{address}?line=12").content.decode()

        assert 'id="log-12" class=" ols-hit"' in text
        assert numbers(client, f"{address}?line=12") == list(range(7, 27))
        assert numbers(client, f"{address}?line=45") == list(range(31, 51))

    def test_is_searched_without_a_script(self, client: Client) -> None:
        address = page(talkative(50))

        found = client.get(f"{address}?q=PAGE+4").context

        assert [line.number for line in found["log"].lines] == [4, *range(40, 50)]
        assert found["log_summary"] == "11 lines of the log hold “PAGE 4”."

    @pytest.mark.parametrize(
        ("values", "sentence"),
        [({}, "The log is empty."), ({"state": RunState.RUNNING, "finished_at": None}, "The log is still empty.")],
    )
    def test_that_is_empty_offers_nothing_to_do_with_it(
        self, client: Client, values: dict[str, Any], sentence: str
    ) -> None:
        text = client.get(page(run(**values))).content.decode().partition('id="log-part"')[2].partition("</section>")[0]

        assert f">{sentence}</p>" in text
        assert ('id="log-search"' not in text) or ('id="log-tools" hidden' in text)

    def test_says_how_long_after_the_start_each_entry_was_written(self) -> None:
        begun = MIDNIGHT - timedelta(seconds=2)
        clocks = ("23:59:58.250", "", "00:00:01.000", "23:59:59.000", "12:00:00.000", "03:00:00.000")
        levels = ("INFO", "", "ERROR", "INFO", "INFO", "INFO")
        entries = (f"{clock} {level} shop: x" for clock, level in zip(clocks, levels, strict=True))

        lines = run_log.read(Run(started_at=begun, log="\n".join(entries)))

        assert [line.since for line in lines] == ["+0.250", "", "+3.000", "+1.000", "+43202.000", "+97202.000"]
        assert [line.tone for line in lines] == ["", "", "bad", "", "", ""]

    def test_keeps_the_numbers_of_lines_when_some_were_left_out(self, client: Client) -> None:
        shown = run(log="one\n… 300 lines left out here …\n302nd")

        text = client.get(page(shown)).content.decode()

        assert numbers(client, page(shown)) == [1, 0, 302]
        assert "The log was truncated to 64.0\xa0KB: 300 lines in the middle were dropped." in text
        assert "Lines 1 to 302 of 302" not in text, "300 of them are not there"

    def test_counts_the_lines_that_it_shows_on_both_sides_of_a_gap(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(run_log, "MOST_LINES", 20)
        kept = "\n".join(f"line {number}" for number in range(18))
        shown = run(log=f"one\ntwo\n… 300 lines left out here …\n{kept}\nlast")

        text = client.get(f"{page(shown)}?before=321").content.decode()

        assert "19 of the lines 2 to 320, of 321." in text

    @pytest.mark.parametrize("query", ["line=x", "line=-1", "before=9999999999", "line=99999", "q=%00", "line=٣"])
    def test_survives_addresses_that_somebody_made_up(self, client: Client, query: str) -> None:
        assert client.get(f"{page(talkative(3))}?{query}").status_code == 200

    def test_is_text_whatever_it_holds(self, client: Client) -> None:
        shown = run(log="<script>alert(1)</script>\x1b[31mred\x1b[0m ␛[1;32mgreen\n\u202eevil", job_name="\u202e<i>")

        text = client.get(page(shown)).content.decode()

        assert "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;red green</bdi>" in text
        assert not [mark for mark in ("\x1b", "\u202e", "<script>alert", "<i>\u202e") if mark in text]


class TestTheLiveTail:
    def test_gives_what_is_new_alone_and_says_when_it_is_over(self, client: Client) -> None:
        shown = talkative(5, state=RunState.RUNNING, finished_at=None)

        new = client.get(f"{action('log', shown)}?after=3").content.decode()
        none = client.get(f"{action('log', shown)}?after=5").content.decode()
        Run.objects.update(state="succeeded", finished_at=shown.started_at)
        over = client.get(f"{action('log', shown)}?after=5").content.decode()

        assert ('id="log-3"' in new, 'id="log-4"' in new, 'data-last="5"' in new) == (False, True, True)
        assert ("log-5" in none, "data-finished" in none, "data-finished" in over) == (False, False, True)

    def test_says_what_was_left_out_between(self, client: Client) -> None:
        shown = run(log="one\n… 300 lines left out here …\n302nd", state=RunState.RUNNING, finished_at=None)

        assert "… 299 lines left out here …" in client.get(f"{action('log', shown)}?after=2").content.decode()

    def test_is_not_in_the_part_that_is_fetched_again_and_again(self, client: Client) -> None:
        shown = talkative(5, state=RunState.RUNNING, finished_at=None)

        assert "page 4" in client.get(page(shown)).content.decode().partition('id="log"')[2]
        assert 'id="log"' not in client.get(f"{page(shown)}?part=live").content.decode()
