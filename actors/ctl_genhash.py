"""``understudyctl genhash``: the digest of a page, for ``digest`` of HTTP_GET and SSL_GET.

Options and output are those of keepalived's ``genhash``. But what is no answer is an error here.
"""

import re
import sys
from time import monotonic
from typing import NoReturn

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from actors.ctl_view import ASIDE, BAD, GOOD, UNSURE, screen_for_output
from plugins.api import Failed, Source, Target, Trace, build, explain
from plugins.http import HttpGet, SslGet
from plugins.web.page import Url
from plugins.web.reply import Reply, digest_of

LARGEST = 16 * 1024 * 1024
"""Bytes of a body that a checker can be made to take; of a larger one there is no digest to check."""

DUMPED = 4096
"""Bytes of a body that are shown."""

WIDTH = 16

VERSIONS = {"1.0": "1.0", "1.0c": "1.0C", "1.0C": "1.0C", "1.1": "1.1"}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-s", "--server", required=True, metavar="IP", help="Address of the server.")
@click.option("-p", "--port", required=True, type=click.IntRange(1, 65535), help="Its port.")
@click.option("-u", "--url", required=True, metavar="PATH", help="What to ask for, from the first slash on.")
@click.option("-S", "--use-ssl", is_flag=True, help="Ask through TLS.")
@click.option("-I", "--use-sni", is_flag=True, help="Send the virtual host as server name.")
@click.option("-V", "--use-virtualhost", default="", metavar="NAME", help="Host header, instead of address and port.")
@click.option("-v", "--verbose", is_flag=True, help="Show the answer too, and what to put into the configuration.")
@click.option("-m", "--fwmark", default=0, type=click.IntRange(0, 2**32 - 1), help="Firewall mark on the packets.")
@click.option("-P", "--protocol", default="1.0", type=click.Choice(list(VERSIONS)), help="HTTP version; c closes.")
@click.option("-t", "--timeout", default=30.0, type=click.FloatRange(0.001), help="Seconds for all of it.")
def command(
    server: str,
    port: int,
    url: str,
    use_ssl: bool,
    use_sni: bool,
    use_virtualhost: str,
    verbose: bool,
    fwmark: int,
    protocol: str,
    timeout: float,
) -> None:
    """Print the digest of a page, as keepalived's genhash does."""
    if not re.fullmatch(r"/[!-~]*", url):
        raise click.BadParameter("a path begins with a slash and has no blanks", param_hint="--url")
    page = (("path", url), ("virtualhost", use_virtualhost))
    given = (("url", (page,)), ("http_protocol", VERSIONS[protocol]), ("max_body", LARGEST))
    checker = build(SslGet, (*given, ("enable_sni", use_sni))) if use_ssl else build(HttpGet, given)
    (asked,) = checker.urls
    trace = Trace()
    target = Target(server, port, timeout, Source(fwmark=fwmark), trace=trace)
    began = monotonic()
    reply = _fetched(checker, target, asked)
    if not verbose:
        click.echo(digest_of(reply.body))
        return
    trace.mark("the whole")
    _tell(screen_for_output(), asked, reply, trace, monotonic() - began)
    _paste(screen_for_output(), checker, asked, reply, use_sni)


def _fetched(checker: HttpGet, target: Target, url: Url) -> Reply:
    try:
        return checker.fetch(target, url)
    except Failed as failed:
        _give_up(failed.detail)
    except OSError as error:
        _give_up(explain(error))
    finally:
        target.close()


def _give_up(reason: str) -> NoReturn:
    click.echo(f"genhash: {reason}", err=True)
    sys.exit(1)


def _tell(screen: Console, url: Url, reply: Reply, trace: Trace, seconds: float) -> None:
    """The answer in colour: status, headers, the body as bytes and text, and how long each step took."""
    screen.print(Text(f"status {reply.status}", GOOD if _is_accepted(url, reply) else BAD))
    for name, value in reply.headers:
        screen.print(Text.assemble((_printable(name), "bold"), ": ", _printable(value)), soft_wrap=True)
    screen.print()
    for line in _dump(reply.body[:DUMPED]):
        screen.print(line, soft_wrap=True)
    if len(reply.body) > DUMPED:
        screen.print(Text(f"... {len(reply.body)} bytes in all", ASIDE))
    screen.print()
    steps = Table(box=None, show_header=False, pad_edge=False)
    for step, passed in trace.steps:
        steps.add_row(step, Text(f"{passed * 1000:.2f} ms", UNSURE))
    screen.print(steps)
    screen.print(f"Global response time for [{url.path}] = {seconds * 1e6:.0f} usecs")


def _dump(body: bytes) -> list[Text]:
    """Lines of ``0016  68 65 ...  he...``."""
    lines = []
    for start in range(0, len(body), WIDTH):
        part = body[start : start + WIDTH]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(Text.assemble((f"{start:04}  ", ASIDE), f"{part.hex(' '):{3 * WIDTH}} ", (shown, GOOD)))
    return lines


def _is_accepted(url: Url, reply: Reply) -> bool:
    return any(low <= reply.status <= high for low, high in url.status_code)


def _paste(screen: Console, checker: HttpGet, url: Url, reply: Reply, use_sni: bool) -> None:
    """The lines for the configuration: of a checker with a name, and of one within a real_server."""
    more = [] if _is_accepted(url, reply) else [f"        status_code {reply.status}"]
    if url.virtualhost:
        more.append(f"        virtualhost {url.virtualhost}")
    keyword = "SSL_GET" if isinstance(checker, SslGet) else "HTTP_GET"
    lines = [
        f"RT_{keyword} NAME {{",
        *([f"    http_protocol {checker.http_protocol}"] if checker.http_protocol != "1.0" else []),
        *(["    enable_sni"] if use_sni else []),
        "    url {",
        f"        path {url.path}",
        *more,
        f"        digest {digest_of(reply.body)}",
        "    }",
        "}",
    ]
    inline = ["    # or, within a real_server:", f"    {keyword} {{", *(f"    {line}" for line in lines[1:])]
    screen.print()
    for line in (*lines, "", *inline):
        style = "bold" if "digest" in line else ASIDE if "#" in line else ""
        screen.print(Text(line, style), soft_wrap=True)


def _printable(header: bytes) -> str:
    return "".join(c if c.isprintable() else "?" for c in header.decode("latin-1"))
