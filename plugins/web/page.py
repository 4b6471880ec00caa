"""What a page must be: the ``url`` block, and how an answer is judged by it."""

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin, urlsplit

import regex

from plugins.api import Failed, block, option
from plugins.services.patterns import SECONDS, compiled
from plugins.web.reply import Reply, digest_of

HOST = r"[A-Za-z0-9._:\[\]-]+"
NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
HEADER = rf"{NAME}:[^\r\n\0]*"
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
STEP = re.compile(r"\.?([^.\[\]]+)|\[([0-9]{1,9})\]")
LONGEST_JSON = 64 * 1024
"""Bytes of a body that are parsed: that takes milliseconds, in which nothing else runs."""

FLAGS = {
    "caseless": regex.IGNORECASE,
    "dotall": regex.DOTALL,
    "extended": regex.VERBOSE,
    "multiline": regex.MULTILINE,
}
FORMS = ("anchored", "endanchored", "literal")
"""Of PCRE2's options those that change what is found, and have a like here: as flags, and as other expressions."""


@block
class Json:
    """A value that the body, a JSON text, must have."""

    path: str = option(help="where it is, as `.status.db[0]`", pattern=r"(\.?[^.\[\]]+|\[[0-9]{1,9}\])+")
    value: str = option("", help="what it must be, as text; unsaid: anything but null, false, 0 and empty")


@block
class Url:
    """One request, and what its answer must be. All that is given must hold."""

    path: str = option(help="what to ask for", pattern=r"/[!-~]*")
    method: str = option("GET", help="HTTP method", choices=METHODS)
    header: tuple[str, ...] = option(
        (), help="a header to send, as `Name: value` in quotes", pattern=HEADER, repeated=True
    )
    body: str = option("", help="what to send with the request")
    digest: str = option("", help="MD5 of the body in hexadecimal, as genhash prints it", pattern=r"[0-9A-Fa-f]{32}|")
    status_code: tuple[tuple[int, int], ...] = option(((200, 299),), help="accepted answers", min=100, max=599)
    regex: str = option("", help="must be found in the body", kind="pattern", aliases=("regexpect",))
    regex_no_match: bool = option(False, bare=True, help="the regex must not be found")
    regex_options: tuple[str, ...] = option(
        (), help=f"of PCRE2's words {', '.join((*FLAGS, *FORMS))}; others have no effect"
    )
    regex_min_offset: int = option(0, min=0, help="where in the body the search begins", unit="bytes")
    regex_max_offset: int = option(0, min=0, help="where it ends; 0: at the end", unit="bytes")
    json: tuple[Json, ...] = option(block=Json, default=(), help="a value that the body must have, any number of them")
    virtualhost: str = option("", help="Host header, instead of the checker's", pattern=HOST + "|")
    tls_compliant: bool = option(False, help="of SSL_GET: the end of the answer must be TLS's own")


def judge(url: Url, reply: Reply) -> None:
    """Raise `Failed` for what is not as it should be."""
    if not any(low <= reply.status <= high for low, high in url.status_code):
        raise Failed(f"status {reply.status}")
    if url.digest and digest_of(reply.body) != url.digest.lower():
        raise Failed("the body's digest differs")
    if url.regex and _is_found(url, reply.body) == url.regex_no_match:
        raise Failed(f"regex {'found' if url.regex_no_match else 'not found'} in the body")
    if url.json:
        told = _parsed(reply.body)
        for each in url.json:
            _judge_value(each, told)


def _is_found(url: Url, body: bytes) -> bool:
    flags = 0
    for word in url.regex_options:
        flags |= FLAGS.get(word, 0)
    text = regex.escape(url.regex) if "literal" in url.regex_options else url.regex
    if "endanchored" in url.regex_options:
        text = rf"(?:{text})\Z"
    pattern = compiled(text, flags)
    search = pattern.match if "anchored" in url.regex_options else pattern.search
    try:
        found = search(body, url.regex_min_offset, url.regex_max_offset or len(body), timeout=SECONDS)
        return found is not None
    except TimeoutError:
        raise Failed(f"regex takes more than {SECONDS:g} s on this body: make it simpler") from None


def _parsed(body: bytes) -> Any:
    if len(body) > LONGEST_JSON:
        raise Failed(f"more than {LONGEST_JSON} bytes of JSON")
    try:
        return json.loads(body)
    except RecursionError:
        raise Failed("the body's JSON is too deep") from None
    except ValueError:
        raise Failed("the body is no JSON") from None


def _judge_value(wanted: Json, told: Any) -> None:
    for key, index in STEP.findall(wanted.path):
        try:
            if not isinstance(told, list if index else dict):
                raise LookupError
            told = told[int(index)] if index else told[key]
        except LookupError:
            raise Failed(f"{wanted.path} is not in the body's JSON") from None
    said = told if isinstance(told, str) else json.dumps(told)
    if (said != wanted.value) if wanted.value else not told:
        raise Failed(f"{wanted.path} is {said[:80]}")


def redirected(url: Url, location: str, encrypted: bool) -> Url:
    """What to ask this same server for next. Raises `Failed`."""
    scheme = "https" if encrypted else "http"
    try:
        to = urlsplit(urljoin(f"{scheme}://{url.virtualhost or '-'}{url.path}", location))
    except ValueError:
        raise Failed("redirected to what is no location") from None
    path = (to.path or "/") + (f"?{to.query}" if to.query else "")
    if to.scheme != scheme:
        raise Failed(f"redirected to {to.scheme}")
    if not (path + to.netloc).isascii() or not (path + to.netloc).isprintable() or " " in path + to.netloc:
        raise Failed("redirected to what is no location")
    return replace(url, path=path, virtualhost="" if to.netloc == "-" else to.netloc)
