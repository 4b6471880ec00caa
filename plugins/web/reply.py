"""An HTTP answer while it arrives. `httptools` parses; memory is bounded."""

from hashlib import md5
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from plugins.api import Failed

HEADER_LIMIT = 16 * 1024
"""Bytes that headers, interim answers and trailers may have together; keepalived allows 4095 of headers."""

_LENIENCIES = {"lenient_data_after_close": True, "lenient_optional_cr_before_lf": True}  # neither harms a judgement


class Reply:
    """An answer while it arrives: the parser's callbacks, and the limits. ``headers`` are in order.

    With ``bodiless`` it is to a HEAD, whatever its headers promise.
    """

    def __init__(self, max_body: int, bodiless: bool = False) -> None:
        self._bodiless = bodiless
        self.status = 0
        self.location = ""
        self.headers: list[tuple[bytes, bytes]] = []
        self.done = False
        self._max_body = max_body
        self._body = bytearray()  # a list of many chunks of a byte would be fifty times as large
        self._fed = 0
        self._in_body = self._framed = self._keeps = False
        self._parser: Any = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(**_LENIENCIES)

    @property
    def begun(self) -> bool:
        """Whether anything of it has come."""
        return self._fed > 0

    @property
    def keeps(self) -> bool:
        """Whether the connection may be used again."""
        return self._keeps and self._framed

    @property
    def body(self) -> bytes:
        """What has come of the body, chunks put together."""
        return bytes(self._body)

    def feed(self, data: bytes) -> None:
        """Take what was received, nothing at the end of the stream. Raises `Failed` for what is no good answer."""
        if not data:
            self._end()
            return
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self.done = True
        except HttpParserError as error:
            self._keeps = False
            if not self.done:  # behind the answer there may be anything
                raise Failed(f"not an HTTP answer: {error}") from None
        self._check_size()

    def on_message_begin(self) -> None:
        if not self.done:
            self._framed, self.location, self.headers = False, "", []
        else:
            self._keeps = False  # an answer to no question: what comes next cannot be told apart

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.done and not self._in_body:
            self.headers.append((name, value))
        name = name.lower()
        if name == b"content-length" or (name == b"transfer-encoding" and b"chunked" in value.lower()):
            self._framed = True
        elif name == b"location" and not self._in_body:
            self.location = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if not self.done:
            self.status = self._parser.get_status_code()
            self._in_body = self.status >= 200
            self._keeps = self._parser.should_keep_alive()
            self.done = self._bodiless and self._in_body

    def on_body(self, data: bytes) -> None:
        if not self.done:
            self._body += data

    def on_message_complete(self) -> None:
        # An interim answer (100 Continue, 103 Early Hints) is followed by the real one.
        self.done = self.done or self.status >= 200 or self.status == 101

    def _check_size(self) -> None:
        if len(self._body) > self._max_body:
            raise Failed(f"body larger than {self._max_body} bytes")
        # A chunk of one byte takes six: whatever is beyond eight for each of the body is headers or trailers.
        if not self.done and self._fed > HEADER_LIMIT + 8 * len(self._body):
            raise Failed(f"more than {HEADER_LIMIT} bytes of headers")

    def _end(self) -> None:
        if not self._fed:
            raise Failed("closed without an answer")
        if not self._in_body:
            raise Failed("closed within the headers")
        if self._framed:
            raise Failed("closed before the end of the body")
        self.done = True


def digest_of(body: bytes) -> str:
    """What ``digest`` stands for: MD5 in hexadecimal, as keepalived has it. It proves nothing; it tells a change."""
    return md5(body, usedforsecurity=False).hexdigest()
