"""Times the loader on large configurations of several shapes: CPU seconds, lines a second, a reload after one change.

python -m bench.load [REAL_SERVERS]
"""

import sys
import time
from collections.abc import Callable, Iterator

import msgspec

from loader import Cache, Loaded, load_from
from loader.fields import Block

HTTP = {
    "keyword": "HTTP_GET",
    "options": [
        {"name": "virtualhost"},
        {
            "name": "url",
            "kind": "block",
            "repeated": True,
            "required": True,
            "options": [
                {"name": "path", "default": "/"},
                {"name": "status_code", "kind": "ranges", "default": [[200, 299]], "min": 100, "max": 599},
            ],
        },
    ],
}
BLOCKS = {"HTTP_GET": msgspec.convert(HTTP, Block)}

CHECKER = """RT_HTTP_GET web{name} {{
    connect_port 80
    delay_loop 5
    connect_timeout 2.5
    retry 3
    url {{
        path /health
        status_code 200-299 301
    }}
}}
"""
SERVICE = """virtual_server {address} 80 {{
    delay_loop 6
    lb_algo wlc
    lb_kind NAT
    protocol TCP
    quorum 2
"""
SERVER = """    real_server {address} 80 {{
        weight 10
        inhibit_on_failure
        retry 3
        delay_before_retry 2
        warmup 1.5
        notify_up "/etc/lb/up.sh server{own}"
        notify_down "/etc/lb/down.sh server{own}"
        checkers web{name}
        uthreshold 1000
    }}
"""
SHORT = """    real_server {address} 80 {{
        weight {name}
        checkers web{name}
        alpha
    }}
"""


def same(servers: int) -> Iterator[str]:
    """One checker; services of ten servers that differ only in their addresses. Eleven lines a server."""
    yield CHECKER.format(name="")
    yield from _services(servers, 10, lambda number: SERVER.format(address=_v4(number), own="", name=""))


def different(servers: int) -> Iterator[str]:
    """As `same`, but each server's scripts are its own."""
    yield CHECKER.format(name="")
    yield from _services(servers, 10, lambda number: SERVER.format(address=_v4(number), own=number, name=""))


def one_service(servers: int) -> Iterator[str]:
    """All the servers in one service, IPv6."""
    yield CHECKER.format(name="")
    yield SERVICE.format(address="fd00::1")
    for number in range(servers):
        yield SERVER.format(address=f"fd00:1::{number + 1:x}", own="", name="")
    yield "}\n"


def own_checkers(servers: int) -> Iterator[str]:
    """A checker of its own for every server, five lines of server: fifteen lines a server."""
    for number in range(1, servers + 1):
        yield CHECKER.format(name=number)
    yield from _services(servers, 10, lambda number: SHORT.format(address=_v4(number), name=number + 1))


def commented(servers: int) -> Iterator[str]:
    """As `same`, with a comment after each statement."""
    for part in same(servers):
        yield part.replace("\n", "  # as agreed with the owner\n")


def _services(servers: int, size: int, server: Callable[[int], str]) -> Iterator[str]:
    for first in range(0, servers, size):
        yield SERVICE.format(address=f"172.16.{first // size // 250}.{first // size % 250 + 1}")
        for number in range(first, min(first + size, servers)):
            yield server(number)
        yield "}\n"


def _v4(number: int) -> str:
    return f"10.{number // 62500}.{number // 250 % 250}.{number % 250 + 1}"


class Memory:
    """One file, in memory."""

    def __init__(self, text: str) -> None:
        self.text = text

    def read(self, path: str) -> str:
        """The text, whatever the path."""
        return self.text

    def find(self, pattern: str) -> list[str]:
        """Nothing: a benchmark includes no files."""
        return []


def timed(text: str, cache: Cache) -> tuple[float, Loaded]:
    """CPU seconds of one load, and what it gave."""
    begin = time.process_time()
    loaded = load_from(Memory(text), "lb.conf", lambda location: BLOCKS, cache=cache)
    return time.process_time() - begin, loaded


def best(text: str) -> tuple[float, Loaded, Cache]:
    """The quickest of three first loads, since a shared machine only ever makes them slower."""
    runs = [(*timed(text, cache), cache) for cache in (Cache(), Cache(), Cache())]
    return min(runs, key=lambda run: run[0])


def main() -> None:
    """Print one line for each shape."""
    servers = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(f"{servers} real servers, CPU seconds")
    print(f"{'shape':13} {'lines':>7} {'load':>6} {'lines/s':>9} {'reload':>7} decoded")
    for shape in (same, different, one_service, own_checkers, commented):
        text = "".join(shape(servers))
        lines = text.count("\n")
        first, loaded, cache = best(text)
        assert loaded.config is not None, loaded.render()[:2000]
        changed = text.rindex("weight")
        second, _ = timed(f"# moved\n{text[:changed]}alpha\n{text[changed:]}", cache)
        print(f"{shape.__name__:13} {lines:7} {first:6.3f} {lines / first:9.0f} {second:7.3f} {cache.decoded:7}")


if __name__ == "__main__":
    main()
