from __future__ import annotations

import pytest
from django.utils import translation

from scheduler import outgoing
from scheduler.core import network
from scheduler.errors import DestinationRefused
from scheduler.translations import translate

REFUSED_ADDRESSES = (
    "0.0.0.0",  # noqa: S104
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1111%eth0",
    "fec0::1",
    "ff02::1",
    "example.org",
    "",
)

REFUSED_URLS = (
    "file:///etc/passwd",
    "gopher://example.org/",
    "ftp://example.org/",
    "//example.org/",
    "example.org",
    "",
    "http://",
    "http:///path",
    "http://user@example.org/",
    "http://user:password@example.org/",
    "http://example.org@127.0.0.1/",
    "http://127.0.0.1@example.org/",
    "http://example.org:22/",
    "http://example.org:8080/",
    "https://example.org:6379/",
    "http://127.0.0.1/",
    "http://127.0.0.1./",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0X7F.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://127.0.0.01/",
    "http://10.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[2002:7f00:1::]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[fe80::1%25eth0]/",
    "http://127。0。0。1/",
    "http://①②⑦.⓪.⓪.①/",
    "http://exa mple.org/",
    "http://exam%70le.org/",
    "http://example.org:99999/",
    "http://1.2.3.4.5/",
    "http://256.256.256.256/",
)


class TestWhyRefused:
    @pytest.mark.parametrize("address", REFUSED_ADDRESSES)
    def test_says_why_an_address_is_not_public(self, address):
        assert network.why_refused(address)

    @pytest.mark.parametrize("address", REFUSED_ADDRESSES)
    def test_says_it_in_spanish_too(self, address):
        reason = network.why_refused(address)

        with translation.override("es"):
            assert translate(reason) not in ("", reason)

    @pytest.mark.parametrize(
        "address",
        [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "126.255.255.255",
            "128.0.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ],
    )
    def test_finds_nothing_against_public_addresses(self, address):
        assert network.why_refused(address) is None


class TestCheckDestination:
    def test_lets_the_public_web_pass(self):
        network.check_destination(scheme="https", host="example.org", port=None)
        network.check_destination(scheme="http", host="example.org", port=80)
        network.check_destination(scheme="http", host="7.example", port=443)

    @pytest.mark.parametrize("allowed", ["127.0.0.1", "127.0.0.1:8000", " 127.0.0.1:8000 "])
    def test_lets_pass_what_the_deployer_allowed(self, allowed):
        network.check_destination(scheme="http", host="127.0.0.1", port=8000, allowed_hosts=[allowed])

    @pytest.mark.parametrize("allowed", ["127.0.0.1:8001", "localhost", "127.0.0.2", "", "27.0.0.1"])
    def test_does_not_take_one_host_for_another(self, allowed):
        with pytest.raises(DestinationRefused):
            network.check_destination(scheme="http", host="127.0.0.1", port=8000, allowed_hosts=[allowed])

    @pytest.mark.parametrize("allowed", ["::1", "[::1]", "[::1]:8000"])
    def test_reads_ipv6_in_the_allow_list(self, allowed):
        network.check_destination(scheme="http", host="::1", port=8000, allowed_hosts=[allowed])

    def test_never_allows_other_schemes(self):
        with pytest.raises(DestinationRefused, match="use http or https"):
            network.check_destination(scheme="file", host="127.0.0.1", port=None, allowed_hosts=["127.0.0.1"])

    def test_says_how_to_allow_the_host(self):
        with pytest.raises(DestinationRefused, match=r"add “127\.0\.0\.1:80” to SCHEDULER\['ALLOWED_HOSTS'\]"):
            network.check_destination(scheme="http", host="127.0.0.1", port=None)


class TestRequest:
    @pytest.mark.parametrize("url", REFUSED_URLS)
    def test_refuses_before_anything_is_sent(self, url):
        with pytest.raises(DestinationRefused):
            outgoing.request(url=url)

    @pytest.mark.parametrize("url", REFUSED_URLS)
    def test_refuses_in_the_readers_language(self, url):
        with pytest.raises(DestinationRefused) as refused:
            outgoing.request(url=url)

        message = refused.value.message
        assert message.code
        with translation.override("es"):
            assert translate(message) != message
