from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest.mock import patch

import pytest
from django.core import management
from django.core.management import BaseCommand, CommandError

from scheduler import conf
from scheduler.core.tasks.registry import registry
from scheduler.errors import (
    AnswerTooSlow,
    CommandFailed,
    CommandNotAllowed,
    DestinationRefused,
    InvalidArguments,
    UnexpectedStatus,
    Unreachable,
)
from tests.postgres import free_port


def call(task: str, **kwargs: Any) -> Any:
    """Run a task as a node does: arguments as JSON, checked and converted."""
    found = registry.get(task)
    args, bound = found.bind(args=(), kwargs=json.loads(json.dumps(kwargs)))
    return found.function(*args, **bound)


@pytest.fixture
def configure(settings: Any) -> Iterator[Callable[..., None]]:
    """Change keys of settings.SCHEDULER for one test."""

    def change(**values: Any) -> None:
        settings.SCHEDULER = {**settings.SCHEDULER, **values}
        conf.get.cache_clear()

    yield change
    conf.get.cache_clear()


class _Handler(BaseHTTPRequestHandler):
    """Says back what it was asked, with the status that the path names."""

    protocol_version = "HTTP/1.1"
    silence = threading.Event()

    def _answer(self) -> None:
        asked = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/silent":
            self.silence.wait(120)
        status = int(self.path.strip("/") or 200) if self.path.strip("/").isdigit() else 200
        body = {
            "/latin1": "Übung".encode("latin-1"),
            "/binary": b"\x00\xff\xfe" * 2000,
            "/long": b"x" * 100_000,
            "/who": self.headers.get("authorization", "").encode(),
        }.get(
            self.path, json.dumps({"method": self.command, "body": asked.decode(), "x": self.headers["x-key"]}).encode()
        )
        self.send_response(302 if self.path == "/away" else status)
        if self.path == "/away":
            self.send_header("location", "http://169.254.169.254/secret")
        charset = {"/latin1": "latin-1", "/binary": "idna"}.get(self.path, "utf-8")
        self.send_header("content-type", f"text/plain; charset={charset}")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    _Handler.silence.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        _Handler.silence.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def site(server: str, configure: Callable[..., None]) -> str:
    """The address of a server that this installation may reach."""
    configure(ALLOWED_HOSTS=(server.removeprefix("http://"),))
    return server


class TestHttpRequest:
    def test_returns_status_size_and_the_beginning_of_the_answer(self, site: str) -> None:
        answer = call("scheduler.http_request", url=f"{site}/long")

        assert (answer["status"], answer["url"], answer["bytes"]) == (200, f"{site}/long", 100_000)
        assert answer["body"] == "x" * 2000
        assert 0 <= answer["elapsed_seconds"] < 30

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    def test_sends_method_headers_and_body(self, site: str, method: str) -> None:
        answer = call(
            "scheduler.http_request",
            url=site,
            method=method,
            headers={"x-key": "k"},
            body="" if method == "GET" else "ü",
        )

        assert json.loads(answer["body"]) == {"method": method, "body": "" if method == "GET" else "ü", "x": "k"}

    def test_sends_a_token_that_is_kept_sealed(self, site: str) -> None:
        assert registry.get("scheduler.http_request").secrets == {"token"}
        assert call("scheduler.http_request", url=f"{site}/who", token="s3cr3t")["body"] == "Bearer s3cr3t"

    @pytest.mark.parametrize(
        ("headers", "reason"),
        [
            ({"X y": "1"}, "“X y” is not the name of a header"),
            ({"": "1"}, "“” is not the name of a header"),
            ({"x": "a\nb"}, "the value of “x” holds line ends"),
            ({"x": "é"}, "the value of “x” holds line ends or letters beyond ASCII"),
            ({"Content-Length": "5"}, "“Content-Length” cannot be given"),
            ({"HOST": "elsewhere"}, "“HOST” cannot be given"),
        ],
    )
    def test_refuses_headers_that_cannot_be_sent(self, site: str, headers: dict[str, str], reason: str) -> None:
        with pytest.raises(InvalidArguments, match=reason):
            call("scheduler.http_request", url=site, headers=headers)

    def test_reads_no_body_after_head(self, site: str) -> None:
        assert call("scheduler.http_request", url=site, method="HEAD")["bytes"] == 0

    def test_decodes_by_the_charset_of_the_answer(self, site: str) -> None:
        assert call("scheduler.http_request", url=f"{site}/latin1")["body"] == "Übung"

    def test_shows_what_is_no_text_without_failing(self, site: str) -> None:
        answer = call("scheduler.http_request", url=f"{site}/binary")

        assert answer["bytes"] == 6000
        assert answer["body"].startswith("\x00\ufffd\ufffd")

    def test_fails_with_status_and_the_beginning_of_the_answer(self, site: str) -> None:
        with pytest.raises(UnexpectedStatus) as failure:
            call("scheduler.http_request", url=f"{site}/503")

        assert str(failure.value) == (
            f'GET {site}/503 answered 503; expected was 200-299. It begins: {{"method": "GET", "body": "", "x": null}}'
        )

    def test_cuts_the_answer_in_the_message(self, site: str) -> None:
        with pytest.raises(UnexpectedStatus) as failure:
            call("scheduler.http_request", url=f"{site}/long", expected_status=[404])

        assert str(failure.value).endswith(f"answered 200; expected was 404. It begins: {'x' * 200}")

    @pytest.mark.parametrize("expected", [[404], [200, 404], "404", "400-499", "200-299, 404", "200 - 404"])
    def test_succeeds_with_an_expected_status(self, site: str, expected: Any) -> None:
        assert call("scheduler.http_request", url=f"{site}/404", expected_status=expected)["status"] == 404

    @pytest.mark.parametrize("expected", ["", "abc", "600", "299-200", "200-", [], [20], [None], 7.5])
    def test_refuses_statuses_that_cannot_be_read(self, expected: Any) -> None:
        with pytest.raises(InvalidArguments, match="expected_status"):
            call("scheduler.http_request", url="https://example.org/", expected_status=expected)

    @pytest.mark.parametrize(
        "wrong", [{"method": "TRACE"}, {"timeout_seconds": 0}, {"timeout_seconds": 601}, {"uri": "x"}]
    )
    def test_refuses_arguments_that_do_not_fit(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(InvalidArguments):
            call("scheduler.http_request", **{"url": "https://example.org/", **wrong})

    def test_refuses_addresses_that_are_not_public(self, server: str) -> None:
        with pytest.raises(DestinationRefused, match="ALLOWED_HOSTS"):
            call("scheduler.http_request", url=server)

    def test_refuses_a_redirect_to_an_address_that_is_not_public(self, site: str) -> None:
        with pytest.raises(DestinationRefused, match=r"169\.254\.169\.254"):
            call("scheduler.http_request", url=f"{site}/away")

    def test_gives_up_when_the_time_is_up(self, site: str) -> None:
        with pytest.raises(AnswerTooSlow):
            call("scheduler.http_request", url=f"{site}/silent", timeout_seconds=0.2)

    def test_says_that_nothing_listens(self, configure: Callable[..., None]) -> None:
        port = free_port()
        configure(ALLOWED_HOSTS=(f"127.0.0.1:{port}",))

        with pytest.raises(Unreachable, match=f"127.0.0.1:{port}"):
            call("scheduler.http_request", url=f"http://127.0.0.1:{port}/")


class Speaker(BaseCommand):
    """A command that writes, and ends as it is told."""

    requires_system_checks = ()

    def add_arguments(self, parser: management.CommandParser) -> None:
        parser.add_argument("words", nargs="*")
        parser.add_argument("--times", type=int, default=1)
        parser.add_argument("--end", default="")

    def handle(self, *, words: list[str], times: int, end: str, **options: Any) -> None:
        for _ in range(times):
            self.stdout.write(" ".join(words))
        self.stderr.write("mind this")
        if end == "error":
            raise CommandError("It went wrong.")
        if end:
            sys.exit(int(end))


@pytest.fixture
def speak(configure: Callable[..., None]) -> Iterator[Callable[..., Any]]:
    configure(ALLOWED_COMMANDS=("speak",))
    with patch.dict(management.get_commands(), {"speak": Speaker()}):
        yield lambda **arguments: call("scheduler.call_command", name="speak", **arguments)


class TestCallCommand:
    def test_returns_what_the_command_wrote(self, speak: Callable[..., Any]) -> None:
        assert speak(args=["good", "morning"]) == "good morning\nmind this\n"

    def test_takes_options_by_name_and_as_on_the_command_line(self, speak: Callable[..., Any]) -> None:
        by_name = speak(args=["a"], options={"times": 2})
        as_text = speak(args=["a", "--times", "2"])

        assert by_name == as_text == "a\na\nmind this\n"

    def test_keeps_beginning_and_end_of_a_long_output(self, speak: Callable[..., Any]) -> None:
        said = speak(args=["0123456789"], options={"times": 10_000})

        total = 11 * 10_000 + len("mind this\n")
        assert said.startswith("0123456789\n0123")
        assert said.endswith("789\nmind this\n")
        assert f"\n… {total - 10_000:,} characters left out …\n" in said
        assert len(said) < 10_100

    def test_runs_nothing_by_default(self) -> None:
        with pytest.raises(CommandNotAllowed, match=r"“flush” may not be run as a task\. None is allowed\."):
            call("scheduler.call_command", name="flush", args=["--no-input"])

    def test_runs_only_what_is_allowed(self, speak: Callable[..., Any]) -> None:
        with pytest.raises(CommandNotAllowed, match="Allowed are: speak"):
            call("scheduler.call_command", name="shell", args=["-c", "print(1)"])

    def test_raises_the_commands_own_error_with_what_it_wrote(self, speak: Callable[..., Any]) -> None:
        with pytest.raises(CommandError, match=r"It went wrong\.") as failure:
            speak(args=["a"], options={"end": "error"})

        assert failure.value.__notes__ == ["“speak” wrote: a\nmind this"]

    def test_fails_for_another_exit_code_than_0(self, speak: Callable[..., Any]) -> None:
        with pytest.raises(CommandFailed, match="exit code 3"):
            speak(options={"end": "3"})

    def test_succeeds_when_the_command_exits_with_0(self, speak: Callable[..., Any]) -> None:
        assert speak(args=["a"], options={"end": "0"}) == "a\nmind this\n"

    def test_refuses_options_that_would_take_the_output_away(self, speak: Callable[..., Any]) -> None:
        with pytest.raises(InvalidArguments, match="stdout"):
            speak(options={"stdout": "x"})

    def test_says_that_an_option_is_unknown(self, speak: Callable[..., Any]) -> None:
        with pytest.raises(TypeError, match="loudly"):
            speak(options={"loudly": True})


class TestCleanupJobs:
    @pytest.mark.django_db
    def test_takes_its_limits_from_the_settings(self, configure: Callable[..., None]) -> None:
        configure(RETENTION_DAYS=7)
        week = call("scheduler.cleanup_jobs")["cutoff"]

        assert week > call("scheduler.cleanup_jobs", days=8)["cutoff"]
        assert week < call("scheduler.cleanup_jobs", days=6, keep=3)["cutoff"]

    @pytest.mark.parametrize("wrong", [{"days": 0}, {"days": "month"}, {"keep": -1}])
    def test_refuses_numbers_out_of_range_when_a_job_is_saved(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(InvalidArguments, match=next(iter(wrong))):
            registry.get("scheduler.cleanup_jobs").bind(args=(), kwargs=wrong)


class TestBuiltInTasks:
    @pytest.mark.parametrize("name", ["cleanup_jobs", "call_command", "http_request"])
    def test_describe_themselves_and_their_arguments(self, name: str) -> None:
        found = registry.get(f"scheduler.{name}")

        assert found.description.endswith(".")
        assert found.timeout is not None
        assert found.schema["properties"].keys() == found.signature.parameters.keys()

    def test_may_be_repeated_only_where_that_is_harmless(self) -> None:
        harmless = {
            name for name in registry.names() if name.startswith("scheduler.") and registry.get(name).idempotent
        }

        assert harmless == {"scheduler.cleanup_jobs"}
