"""DNS_CHECK against Debian's unbound: every kind of answer, errors, and what is too long for a datagram."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from plugins.api import Failed, Passed
from plugins.dns import DnsCheck
from tests.system.lab import free_ports
from tests.system.services.cutting import flipped, garbled, shortened
from tests.system.services.servers import accepts, asked, folder, own, server

CONF = """
server:
    directory: "{home}"
    chroot: ""
    username: ""
    pidfile: "{home}/pid"
    use-syslog: no
    interface: 127.0.0.1
    port: {port}
    num-threads: 1
    do-daemonize: no
    do-not-query-localhost: no
    module-config: "iterator"
    max-udp-size: 512
    local-zone: "example.com." static
    local-data: "example.com. SOA ns.example.com. admin.example.com. 1 2 3 4 5"
    local-data: "example.com. NS ns.example.com."
    local-data: "example.com. MX 10 mail.example.com."
    local-data: "www.example.com. A 10.0.0.1"
    local-data: "www.example.com. AAAA 2001:db8::1"
    local-data: 'www.example.com. CAA 0 issue "ca.example"'
    local-data: "_sip._udp.example.com. SRV 1 2 5060 sip.example.com."
    local-data: 'text.example.com. TXT "in pieces"'
    local-data-ptr: "10.0.0.1 www.example.com"
    local-zone: "refused.example." refuse
{long}
remote-control:
    control-enable: no
"""


class Ports(NamedTuple):
    """Of the name server, and one where nobody listens."""

    up: int
    none: int


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    with folder() as home:
        at = Ports(*free_ports(2))
        long = "\n".join(f"    local-data: 'long.example.com. TXT \"{number:0200}\"'" for number in range(9))
        (home / "unbound.conf").write_text(CONF.format(home=home, port=at.up, long=long))
        own(home)
        with server(["unbound", "-d", "-c", str(home / "unbound.conf")], home, lambda: accepts(at.up)):
            yield at


@pytest.mark.parametrize(
    ("options", "result"),
    [
        ({"name": "example.com"}, Passed()),
        ({"name": "example.com", "type": "NS", "expect": ("ns.example.com",)}, Passed()),
        ({"name": "example.com", "type": "MX", "expect": ("10 mail.example.com",)}, Passed()),
        ({"name": "www.example.com", "type": "A", "expect": ("10.0.0.1",)}, Passed()),
        ({"name": "WWW.example.com.", "type": "AAAA", "expect": ("2001:DB8::1",)}, Passed()),
        ({"name": "www.example.com", "type": "CAA", "expect": ('0 issue "ca.example"',)}, Passed()),
        ({"name": "_sip._udp.example.com", "type": "SRV", "expect": ("1 2 5060 sip.example.com",)}, Passed()),
        ({"name": "text.example.com", "type": "TXT", "expect": ("in pieces",)}, Passed()),
        ({"name": "1.0.0.10.in-addr.arpa", "type": "PTR", "expect": ("www.example.com",)}, Passed()),
        ({"name": "long.example.com", "type": "TXT"}, Passed()),
        ({"name": "long.example.com", "type": "TXT", "expect": (f"{8:0200}",)}, Passed()),
        (
            {"name": "www.example.com", "type": "A", "expect": ("10.0.0.1", "10.0.0.2")},
            Failed("not among the answers: 10.0.0.2"),
        ),
        ({"name": "nobody.example.com", "type": "A"}, Failed("the answer is NXDOMAIN")),
        ({"name": "refused.example", "type": "A"}, Failed("the answer is REFUSED")),
    ],
)
def test_what_a_name_server_answers(ports: Ports, options: dict[str, Any], result: Any) -> None:
    assert asked(DnsCheck, ports.up, **options) == result


def test_down_is_down(ports: Ports) -> None:
    assert asked(DnsCheck, ports.none) == Failed("Connection refused")


def test_an_answer_that_was_changed_underway_is_taken_at_most_for_what_it_says(ports: Ports) -> None:
    question = {"name": "www.example.com", "type": "A", "expect": ("10.0.0.1",)}
    seen: list[int] = []
    assert garbled(DnsCheck, ports.up, [lambda answer: seen.append(len(answer)) or answer], **question) == [Passed()]
    ends = garbled(DnsCheck, ports.up, shortened(seen[0]), **question)
    assert [end for end in ends if not isinstance(end, Failed) or not end.detail] == []
    ends = garbled(DnsCheck, ports.up, flipped(seen[0]), **question)
    assert {type(end) for end in ends[:2] + ends[-4:]} == {Failed}  # the id, and the address
    assert [end for end in ends if not isinstance(end, Passed) and not end.detail] == []
    (end,) = garbled(DnsCheck, ports.up, [bytes], elsewhere=True, **question)
    assert isinstance(end, Failed)
