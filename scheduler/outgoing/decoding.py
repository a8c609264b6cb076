"""Read bodies under a bound, on the wire and unpacked."""

from __future__ import annotations

import io
import zlib
from typing import Any, Protocol

import httpx

from scheduler.core import request_messages
from scheduler.errors import AnswerTooLarge, AnswerUnreadable
from scheduler.outgoing.limits import Limits

_FIRST_MEBIBYTE = 1024 * 1024

_PACKINGS = frozenset({"gzip", "x-gzip", "deflate"})
_OTHER_PACKINGS = frozenset({"br", "zstd", "compress", "x-compress", "bzip2", "xz", "dcb", "dcz"})
"""Content codings that were not asked for. Other names, such as “utf-8” or “aws-chunked”, are ignored: as in browsers,
the body is used as it is."""


class Sink(Protocol):
    """Where a body goes: a file, or a buffer."""

    def write(self, data: bytes, /) -> object: ...


def read(response: httpx.Response, limits: Limits) -> bytes:
    """Read and decode the body, counting both sides of every decoder."""
    body = io.BytesIO()
    read_into(body, response, limits)
    return body.getvalue()


def read_into(sink: Sink, response: httpx.Response, limits: Limits) -> None:
    """Decode the body into ``sink`` piece by piece: no more than a piece is held in memory."""
    url = str(response.url)
    names = [part.strip().lower() for part in response.headers.get("content-encoding", "").split(",")]
    stages = [_Decoder(name, url) for name in reversed(names) if name in _PACKINGS | _OTHER_PACKINGS]
    if len(stages) > 2:
        raise AnswerUnreadable(
            request_messages.PACKED_TOO_OFTEN(url=url, times=len(stages), names=", ".join(names)[:200])
        )
    received = produced = 0
    for chunk in response.iter_raw():
        received += len(chunk)
        data = chunk
        for stage in stages:
            data = stage.decode(data, limits.body_bytes - produced)
        produced += len(data)
        if max(received, produced) > limits.body_bytes:
            raise AnswerTooLarge(request_messages.BODY_TOO_LARGE(url=url, most=limits.body_bytes))
        if produced > max(_FIRST_MEBIBYTE, received * limits.ratio):
            raise AnswerTooLarge(request_messages.UNPACKS_TOO_FAR(url=url, ratio=limits.ratio))
        sink.write(data)
    for stage in stages:
        stage.finish()


class _Decoder:
    """Undo one content encoding, never producing more than it is asked for."""

    def __init__(self, name: str, url: str) -> None:
        if name not in _PACKINGS:
            raise AnswerUnreadable(request_messages.ANOTHER_PACKING(url=url, name=name[:40]))
        self._name = name
        self._url = url
        self._start = b""
        self._inflate: Any = None

    def decode(self, data: bytes, most: int) -> bytes:
        """:raises AnswerTooLarge: there is more than ``most``"""
        if self._inflate is None:
            self._start += data
            if len(self._start) < 2:
                return b""
            data, self._inflate = self._start, self._begin()
        produced = bytearray()
        try:
            while data:
                if self._inflate.eof:
                    if self._name == "deflate" or not data.startswith(b"\x1f\x8b"):
                        break  # Padding after the end, which browsers ignore as well.
                    self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
                produced += self._inflate.decompress(data, max(1, most - len(produced) + 1))
                if len(produced) > most:
                    raise AnswerTooLarge(request_messages.UNPACKS_TO_TOO_MUCH(url=self._url))
                data = self._inflate.unconsumed_tail or self._inflate.unused_data
        except zlib.error as error:
            raise AnswerUnreadable(
                request_messages.WRONGLY_PACKED(url=self._url, name=self._name, problem=f"{error}")
            ) from error
        return bytes(produced)

    def finish(self) -> None:
        """:raises AnswerUnreadable: the data ended too early"""
        if self._inflate is not None and not self._inflate.eof:
            raise AnswerUnreadable(request_messages.PACKED_DATA_ENDED(url=self._url, name=self._name))

    def _begin(self) -> Any:
        if self._name != "deflate":
            return zlib.decompressobj(zlib.MAX_WBITS | 16)
        # “deflate” means zlib, and half of the servers send the bare stream: the first two bytes tell.
        first, second = self._start[0], self._start[1]
        wrapped = first & 0x0F == 8 and (first * 256 + second) % 31 == 0
        return zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
