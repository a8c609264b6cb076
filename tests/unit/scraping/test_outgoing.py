from __future__ import annotations

import gzip
import socket
import zlib

import pytest

from scheduler import outgoing
from scheduler.errors import (
    AnswerTooLarge,
    AnswerTooSlow,
    AnswerUnreadable,
    DestinationRefused,
    TooManyRedirects,
    Unreachable,
)
from tests.websites import reply

ZEROS = b"\0" * (50 * 1024 * 1024)
"""What a bomb unpacks to: five times what may be read."""

QUICK = outgoing.Limits(total_seconds=0.6, read_seconds=0.3)


def resolve_to(monkeypatch, *addresses):
    """Let every name have these addresses, one list for each look-up; the last one stays."""
    answers = list(addresses)

    def getaddrinfo(host, port, *args, **kwargs):
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr("scheduler.outgoing.transport.socket.getaddrinfo", getaddrinfo)


class TestTheGuard:
    def test_keeps_requests_from_loopback(self, website):
        with pytest.raises(DestinationRefused, match="Port"):
            outgoing.request(url=website.url("/"))

        assert website.requests == []

    def test_refuses_a_name_with_one_private_address(self, monkeypatch):
        resolve_to(monkeypatch, ["93.184.216.34", "10.0.0.5"])

        with pytest.raises(DestinationRefused, match=r"10\.0\.0\.5 \(for example\.org\)"):
            outgoing.request(url="http://example.org/")

    def test_refuses_a_redirect_to_a_private_address(self, allowed):
        allowed.routes["/"] = reply(status=302, Location="http://169.254.169.254/latest/meta-data/")

        with pytest.raises(DestinationRefused, match="link-local"):
            outgoing.request(url=allowed.url("/"))

    def test_refuses_a_redirect_to_a_file(self, allowed):
        allowed.routes["/"] = reply(status=302, Location="file:///etc/passwd")

        with pytest.raises(DestinationRefused, match="use http or https"):
            outgoing.request(url=allowed.url("/"))

    def test_connects_to_the_address_that_was_checked_and_looks_up_once(self, monkeypatch):
        connected = []
        resolve_to(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])

        def create_connection(address, *args, **kwargs):
            connected.append(address)
            raise ConnectionRefusedError

        monkeypatch.setattr(socket, "create_connection", create_connection)

        with pytest.raises(Unreachable):
            outgoing.request(url="http://example.org/")

        assert connected == [("93.184.216.34", 80)]

    def test_sends_the_name_of_the_host_to_the_checked_address(self, website, monkeypatch):
        resolve_to(monkeypatch, ["127.0.0.1"])
        port = website.host.partition(":")[2]
        website.routes["/"] = reply("Hello")
        through = outgoing.client(allowed_hosts=[f"lessons.test:{port}"])

        with through:
            answer = outgoing.request(url=f"http://lessons.test:{port}/", through=through)

        assert answer.content == b"Hello"
        assert website.requests[0][1]["host"] == f"lessons.test:{port}"

    def test_takes_no_proxy_from_the_environment(self, allowed, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
        allowed.routes["/"] = reply("Hello")

        assert outgoing.request(url=allowed.url("/")).content == b"Hello"

    def test_does_not_let_a_caller_name_another_host(self, allowed):
        with pytest.raises(DestinationRefused, match="Host header"):
            outgoing.request(url=allowed.url("/"), headers={"Host": "internal"})

    def test_refuses_a_name_that_is_none_also_in_a_redirect(self, allowed):
        allowed.routes["/"] = reply("", status=302, location="http://xn--/")

        with pytest.raises(DestinationRefused, match="is not an address that can be requested"):
            outgoing.request(url="http://xn--/")
        with pytest.raises(AnswerUnreadable, match="redirects to an address that cannot be read"):
            outgoing.request(url=allowed.url("/"))

    def test_keeps_no_cookies(self, allowed):
        allowed.routes["/"] = reply("Hello", Set_Cookie="session=1; Path=/")

        with outgoing.client() as through:
            outgoing.request(url=allowed.url("/"), through=through)
            outgoing.request(url=allowed.url("/"), through=through)

        assert "cookie" not in allowed.requests[1][1]

    def test_leaves_secrets_behind_when_redirected_to_another_origin(self, allowed, settings):
        port = allowed.host.partition(":")[2]
        allowed.routes["/"] = reply(status=302, Location=f"http://localhost:{port}/there")
        allowed.routes["/there"] = reply("Hello")
        through = outgoing.client(allowed_hosts=["127.0.0.1", "localhost"])

        with through:
            outgoing.request(
                url=allowed.url("/"), headers={"Authorization": "Bearer x", "User-Agent": "Reader"}, through=through
            )

        assert allowed.requests[0][1]["authorization"] == "Bearer x"
        assert "authorization" not in allowed.requests[1][1]
        assert allowed.requests[1][1]["user-agent"] == "Reader"


class TestRedirects:
    def test_are_followed_to_the_end(self, allowed):
        allowed.routes["/"] = reply(status=301, Location="/moved")
        allowed.routes["/moved"] = reply("Hello")

        answer = outgoing.request(url=allowed.url("/"))

        assert (answer.url, answer.redirects) == (allowed.url("/moved"), (allowed.url("/"),))

    def test_end_after_five(self, allowed):
        allowed.routes["/"] = reply(status=302, Location="/")

        with pytest.raises(TooManyRedirects, match="more than 5 times"):
            outgoing.request(url=allowed.url("/"))

        assert allowed.asked("/") == 6

    def test_are_announced_to_the_caller_who_may_stop_them(self, allowed):
        allowed.routes["/"] = reply(status=302, Location="/closed")
        seen = []

        def before_each(url):
            seen.append(url)
            if url.endswith("/closed"):
                raise PermissionError

        with pytest.raises(PermissionError):
            outgoing.request(url=allowed.url("/"), before_each=before_each)

        assert seen == [allowed.url("/"), allowed.url("/closed")]
        assert allowed.asked("/closed") == 0


class TestBodies:
    @pytest.mark.parametrize(
        ("encoding", "content"),
        [
            ("gzip", gzip.compress(b"Hello")),
            ("x-gzip", gzip.compress(b"Hello")),
            ("gzip", gzip.compress(b"Hel") + gzip.compress(b"lo")),
            ("deflate", zlib.compress(b"Hello")),
            ("deflate", zlib.compress(b"Hello", wbits=-15)),
            ("gzip, deflate", zlib.compress(gzip.compress(b"Hello"))),
            ("identity", b"Hello"),
            ("gzip", b""),
        ],
        ids=["gzip", "x-gzip", "two members", "zlib", "raw deflate", "nested", "identity", "empty"],
    )
    def test_are_unpacked(self, allowed, encoding, content):
        allowed.routes["/"] = reply(content, Content_Encoding=encoding)

        assert outgoing.request(url=allowed.url("/")).content == (b"Hello" if content else b"")

    @pytest.mark.parametrize(
        ("encoding", "pack"),
        [
            ("gzip", gzip.compress),
            ("deflate", zlib.compress),
            ("deflate", lambda content: zlib.compress(content, wbits=-15)),
            ("gzip, gzip", lambda content: gzip.compress(gzip.compress(content))),
        ],
        ids=["gzip", "deflate", "raw deflate", "nested gzip"],
    )
    def test_that_are_bombs_are_refused_before_they_fill_memory(self, allowed, encoding, pack):
        allowed.routes["/"] = reply(pack(ZEROS), Content_Encoding=encoding)

        with pytest.raises(AnswerTooLarge):
            outgoing.request(url=allowed.url("/"))

    def test_with_an_honest_ratio_may_be_large(self, allowed):
        text = b"".join(b"%d is a number. " % number for number in range(300_000))
        allowed.routes["/"] = reply(gzip.compress(text), Content_Encoding="gzip")

        assert outgoing.request(url=allowed.url("/")).content == text

    @pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip, gzip"])
    def test_in_encodings_that_were_not_asked_for_are_refused(self, allowed, encoding):
        allowed.routes["/"] = reply(b"Hello", Content_Encoding=encoding)

        with pytest.raises(AnswerUnreadable):
            outgoing.request(url=allowed.url("/"))

        assert allowed.requests[0][1]["accept-encoding"] == "gzip, deflate"

    @pytest.mark.parametrize(
        "content", [b"Hello, this is no gzip", gzip.compress(b"Hello" * 99)[:-12]], ids=["plain", "cut"]
    )
    def test_that_are_not_what_they_claim_are_refused(self, allowed, content):
        allowed.routes["/"] = reply(content, Content_Encoding="gzip")

        with pytest.raises(AnswerUnreadable):
            outgoing.request(url=allowed.url("/"))

    def test_without_an_end_are_cut_off(self, allowed):
        def endless(handler):
            handler.send_response(200)
            handler.end_headers()
            while not allowed.stopping.is_set():
                handler.wfile.write(b"x" * 65536)

        allowed.routes["/"] = endless

        with pytest.raises(AnswerTooLarge, match="10,485,760 bytes"):
            outgoing.request(url=allowed.url("/"))

    def test_that_end_too_early_are_refused(self, allowed):
        def short(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", "100")
            handler.end_headers()
            handler.wfile.write(b"x")

        allowed.routes["/"] = short

        with pytest.raises(AnswerUnreadable):
            outgoing.request(url=allowed.url("/"))


class TestTheDeadline:
    @pytest.mark.parametrize("part", ["header", "body"])
    def test_ends_an_answer_that_drips(self, allowed, part):
        def drip(handler):
            handler.wfile.write(b"HTTP/1.0 200 OK\r\n" + (b"\r\n" if part == "body" else b"X-Drip: "))
            while not allowed.stopping.wait(0.05):
                handler.wfile.write(b"x")

        allowed.routes["/"] = drip
        with pytest.raises(AnswerTooSlow):  # else it would go on for ever
            outgoing.request(url=allowed.url("/"), limits=QUICK)

    def test_counts_over_redirects(self, allowed):
        def slow(handler):
            allowed.stopping.wait(0.2)
            reply(status=302, Location="/")(handler)

        allowed.routes["/"] = slow

        with pytest.raises(AnswerTooSlow):
            outgoing.request(url=allowed.url("/"), limits=QUICK)

    def test_ends_silence(self, allowed):
        allowed.routes["/"] = lambda _: allowed.stopping.wait(10)

        with pytest.raises(AnswerTooSlow), outgoing.client(limits=QUICK) as through:
            outgoing.request(url=allowed.url("/"), limits=QUICK, through=through)


class TestHeaders:
    def test_that_are_huge_are_refused(self, allowed):
        allowed.routes["/"] = reply("Hello", X_Large="x" * 70_000)

        with pytest.raises(AnswerTooLarge, match="header"):
            outgoing.request(url=allowed.url("/"))

    def test_that_are_no_http_are_refused(self, allowed):
        allowed.routes["/"] = lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9\r\n\r\n")

        with pytest.raises(AnswerUnreadable):
            outgoing.request(url=allowed.url("/"))


class TestUnreachableServers:
    def test_are_named(self, allowed, settings):
        through = outgoing.client(allowed_hosts=["127.0.0.1"])

        with through, pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:1/"):
            outgoing.request(url="http://127.0.0.1:1/", through=through)

    def test_without_a_name_are_named(self, monkeypatch):
        def getaddrinfo(*args, **kwargs):
            raise socket.gaierror("Name or service not known")

        monkeypatch.setattr("scheduler.outgoing.transport.socket.getaddrinfo", getaddrinfo)

        with pytest.raises(Unreachable, match=r"nowhere\.test cannot be looked up"):
            outgoing.request(url="http://nowhere.test/")
