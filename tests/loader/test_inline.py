"""keepalived's own kind of check: a block in a real_server, for that server alone."""

import pytest

from loader.model import InlineCheck, RealServer
from tests.loader.house import complaints, good

URL = (("path", "/"), ("status_code", ((200, 299),)), ("regex", None))


def server(inside: str, service: str = "") -> RealServer:
    head = f"virtual_server 10.0.0.1 80 {{\nprotocol TCP\n{service}\n"
    return good(f"{head}real_server 10.0.1.1 80 {{\n{inside}\n}}\n}}").virtual_servers[0].real_servers[0]


def test_a_block_of_a_plugin_is_a_check_with_its_options_and_those_that_all_have() -> None:
    found = server("HTTP_GET {\nurl { }\nconnect_port 8080\nnb_get_retry 3\nalpha\nlog_all_failures\n}")
    options = (("virtualhost", None), ("password", None), ("url", (URL,)))
    expected = InlineCheck(
        keyword="HTTP_GET", options=options, connect_port=8080, retry=3, fall=4, alpha=True, log_all_failures=True
    )
    assert (found.checks, found.checkers) == ((expected,), ())
    assert (found.checks[0].at.line, found.checks[0].threaded) == (2, False)


def test_a_server_may_have_several_of_a_kind_and_named_ones_besides() -> None:
    text = "checkers a\nTCP_CHECK { connect_port 1\n}\nHTTP_GET {\nurl { }\n}\nTCP_CHECK {\n}"
    named = "RT_TCP_CHECK a {\n}\n"
    whole = f"{named}virtual_server 10.0.0.1 80 {{\nprotocol TCP\nreal_server 10.0.1.1 80 {{\n{text}\n}}\n}}"
    found = good(whole).virtual_servers[0].real_servers[0]
    assert [(check.keyword, check.connect_port) for check in found.checks] == [
        ("HTTP_GET", None),
        ("TCP_CHECK", 1),
        ("TCP_CHECK", None),
    ]
    assert found.checkers == ("a",)


def test_what_a_virtual_server_says_is_the_servers_and_no_checks_own() -> None:
    found = server("TCP_CHECK {\n}", "delay_loop 7\nretry 2\nvirtualhost www\nalpha")
    assert (found.delay_loop, found.retry, found.virtualhost, found.alpha) == (7.0, 2, "www", True)
    assert found.checks == (InlineCheck(keyword="TCP_CHECK"),)


@pytest.mark.parametrize(
    ("inside", "problem"),
    [
        ("TCP_CHECK {\nretry 2\nfall 9\n}", "6:6 error: 'retry 2' means 'fall 3', not 'fall 9'"),
        ("TCP_CHECK {\nretri 2\n}", "5:1 error: unknown keyword 'retri' in TCP_CHECK"),
        ("HTTP_GET {\n}", "4:1 error: HTTP_GET needs 'url'"),
        ("TCP_CHECK a {\n}", "4:11 error: surplus word 'a'"),
        ("TCP_CHECK", "4:1 error: 'TCP_CHECK' needs a block { ... }"),
        ("RT_TCP_CHECK {\n}", "4:1 error: unknown keyword 'RT_TCP_CHECK' in real_server"),
    ],
)
def test_what_is_wrong_in_one_has_its_place(inside: str, problem: str) -> None:
    said = complaints(f"virtual_server 10.0.0.1 80 {{\nprotocol TCP\nreal_server 10.0.1.1 80 {{\n{inside}\n}}\n}}")
    assert problem in said


def test_in_a_virtual_server_itself_it_is_unknown() -> None:
    assert complaints("virtual_server 10.0.0.1 80 {\nprotocol TCP\nTCP_CHECK { }\nreal_server 10.0.1.1 80 { }\n}") == [
        "3:1 error: unknown keyword 'TCP_CHECK' in virtual_server"
    ]
