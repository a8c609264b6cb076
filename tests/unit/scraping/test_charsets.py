from __future__ import annotations

import pytest

from openlearn.scraping import charsets


class TestDecode:
    @pytest.mark.parametrize(
        ("content", "charset", "expected"),
        [
            ("Übung".encode(), "", "Übung"),
            ("Übung".encode("latin-1"), "", "Übung"),
            ("Übung".encode("latin-1"), "iso-8859-1", "Übung"),
            ("Übung".encode("utf-8-sig"), "iso-8859-1", "Übung"),
            ("Übung".encode("utf-16"), "", "Übung"),
            ("“quoted”".encode("cp1252"), "iso-8859-1", "“quoted”"),
            ("<meta charset=koi8-r>Урок".encode("koi8-r"), "", "<meta charset=koi8-r>Урок"),
            ("<meta charset=utf-8>Übung".encode("latin-1"), "", "<meta charset=utf-8>\ufffdbung"),
            ("Übung".encode(), "no-such-charset", "Übung"),
            ("Übung".encode("cp1252"), "us-ascii", "Übung"),
            (b"Hello", "rot13", "Hello"),
            (b"\x81\xff", "utf-8", "\ufffd\ufffd"),
            ("Übung für später".encode() + b" \xc3.", "", "Übung für später \ufffd."),
            ("Übung".encode()[:-1] + b"g \xe2\x82", "", "Übung \ufffd"),
            ("<!-- <meta charset=koi8-r> --><meta charset=utf-8>Übung".encode(), "", None),
            ("Übung".encode("utf-16-le"), "utf-16le", "Übung"),
        ],
    )
    def test_finds_the_charset(self, content, charset, expected):
        expected = content.decode() if expected is None else expected

        assert charsets.decode(content=content, charset=charset) == expected


class TestCodecs:
    @pytest.mark.parametrize(
        ("label", "codec"),
        [
            ("latin1", "cp1252"),
            (" ISO-8859-1 ", "cp1252"),
            ("gb2312", "gb18030"),
            ("x-sjis", "cp932"),
            ("ks_c_5601-1987", "cp949"),
            ("big5", "big5hkscs"),
            ("tis-620", "cp874"),
            ("utf8", "utf-8"),
        ],
    )
    def test_are_those_of_the_encoding_standard(self, label, codec):
        assert charsets.codec_of(label) == codec

    @pytest.mark.parametrize(
        "label",
        ["rot13", "utf-7", "unicode_escape", "zlib", "idna", "hz-gb-2312", "iso-2022-kr", "replacement", "", "x"],
    )
    def test_outside_of_the_standard_are_not_reached(self, label):
        assert charsets.codec_of(label) is None


class TestUndeclared:
    @pytest.mark.parametrize(
        ("words", "codec"),
        [
            ("Привет, это урок русского языка. Сегодня мы учимся считать.", "cp1251"),
            ("これは日本語の授業です。今日は数え方を学びます。", "shift_jis"),
            ("这是中文课程，今天我们学习数字和汉字，请大家认真听讲。", "gbk"),
            ("“Quoted” words – with dashes, and naïve cafés.", "cp1252"),
        ],
    )
    def test_text_is_guessed(self, words, codec):
        assert charsets.decode(content=words.encode(codec)) == words
