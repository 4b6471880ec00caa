"""Checks that are declared in a server become children like the named ones, with keepalived's defaults."""

from typing import Any

import pytest

from actors.core.health import Debounce
from actors.real_server_actor import RealServerActor
from actors.tree import grow
from loader.model import InlineCheck
from tests.actors.test_tree import check_of, checker, config, ids, server, service


def inline(keyword: str = "TCP_CHECK", **settings: Any) -> InlineCheck:
    return InlineCheck(**({"keyword": keyword} | settings))


def followed(of: Any) -> list[tuple[str, ...]]:
    """What each server follows."""
    return [child.args[0].checks for child in grow(of).children if child.kind is RealServerActor]


def test_its_id_has_its_keyword_and_its_server_whatever_its_target() -> None:
    own = (inline(), inline("HTTP_GET", connect_ip="10.0.9.9", connect_port=8080))
    of = config(service(server(1, checks=own)))
    assert followed(of) == [("check/TCP_CHECK@10.0.1.1:80", "check/HTTP_GET@10.0.1.1:80")]


def test_it_stands_beside_the_named_ones() -> None:
    of = config(service(server(1, "web", checks=(inline(),))))
    assert followed(of) == [("check/web@10.0.1.1:80", "check/TCP_CHECK@10.0.1.1:80")]


def test_two_of_a_kind_are_numbered_and_equal_ones_of_one_server_live_once() -> None:
    twice = (inline(connect_port=1), inline(connect_port=2))
    assert followed(config(service(server(1, checks=twice)))) == [
        ("check/TCP_CHECK@10.0.1.1:80", "check/TCP_CHECK@10.0.1.1:80#2")
    ]
    of = config(service(server(1, checks=(inline(),))), service(server(1, checks=(inline(),)), port=81))
    assert followed(of) == [("check/TCP_CHECK@10.0.1.1:80",)] * 2
    assert ids(of).count("check/TCP_CHECK@10.0.1.1:80") == 1


@pytest.mark.parametrize(
    ("own", "servers", "init"),
    [(None, False, "up"), (None, True, "unknown"), (True, False, "unknown"), (False, True, "up")],
)
def test_it_is_up_until_its_first_result_unless_alpha(own: bool | None, servers: bool, init: str) -> None:
    spec = check_of(config(service(server(1, alpha=servers, checks=(inline(alpha=own),)))))
    assert spec.init == init


@pytest.mark.parametrize(
    ("keyword", "fall", "pause"),
    [("TCP_CHECK", 2, 1.0), ("HTTP_GET", 2, 3.0), ("SSL_GET", 2, 3.0), ("DNS_CHECK", 4, 1.0)],
)
def test_what_nobody_says_has_keepaliveds_defaults_of_its_keyword(keyword: str, fall: int, pause: float) -> None:
    spec = check_of(config(service(server(1, checks=(inline(keyword),)))))
    assert (spec.debounce, spec.retry_interval, spec.interval, spec.timeout) == (Debounce(1, fall), pause, 60.0, 5.0)


@pytest.mark.parametrize(
    ("misc_timeout", "others", "limit"), [(0.0, {}, 60.0), (0.0, {"delay_loop": 6.0}, 6.0), (2.5, {}, 2.5)]
)
def test_a_program_may_take_the_time_between_two_checks_unless_it_says_its_own(
    misc_timeout: float, others: dict[str, float], limit: float
) -> None:
    own = inline("MISC_CHECK", options=(("misc_timeout", misc_timeout),))
    spec = check_of(config(service(server(1, checks=(own,), connect_timeout=1.0, **others))))
    assert (spec.timeout, spec.debounce) == (limit, Debounce(1, 1))


def test_its_own_say_goes_before_its_servers_and_that_before_the_defaults() -> None:
    own = inline("HTTP_GET", connect_timeout=2.0)
    settings = {"connect_timeout": 9.0, "delay_before_retry": 0.5, "retry": 4, "delay_loop": 6.0}
    spec = check_of(config(service(server(1, checks=(own,), **settings))))
    assert (spec.timeout, spec.retry_interval, spec.debounce, spec.interval) == (2.0, 0.5, Debounce(1, 5), 6.0)


def test_also_with_a_target_of_its_own_it_takes_the_rest_from_its_server() -> None:
    own = inline("HTTP_GET", connect_ip="10.0.9.9", connect_port=8080, options=(("virtualhost", None),))
    spec = check_of(config(service(server(1, checks=(own,), virtualhost="www", delay_loop=6.0))))
    assert (spec.address, spec.port, spec.interval) == ("10.0.9.9", 8080, 6.0)
    assert spec.options == (("virtualhost", "www"),)


def test_a_checker_by_the_same_name_is_another_one() -> None:
    named = checker("TCP_CHECK", keyword="TCP_CHECK")
    of = config(service(server(1, "TCP_CHECK", checks=(inline(),))), checkers=(named,))
    assert followed(of) == [("check/TCP_CHECK@10.0.1.1:80", "check/TCP_CHECK@10.0.1.1:80#2")]
