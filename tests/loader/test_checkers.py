"""Named checkers and global definitions: plugins' options, retry and fall, names that have to agree."""

import pytest

from loader import COMMON, load_from
from loader.fields import Block
from loader.model import Checker, GlobalDefs, Identity, Relay
from tests.loader.house import BLOCKS, Memory, complaints, good, messages, read, service

USE = "virtual_server 10.0.0.1 80 {\nprotocol TCP\nreal_server 10.0.1.1 80 {\ncheckers a\n}\n}"
URL = (("path", "/"), ("status_code", ((200, 299),)), ("regex", None))


def checker(inside: str = "", keyword: str = "RT_TCP_CHECK") -> Checker:
    return good(f"{keyword} a {{\n{inside}\n}}\n{USE}").checkers[0]


def test_a_plugins_options_come_in_its_order_with_its_defaults() -> None:
    found = checker('url {\nstatus_code 301 200-204\npath "/a b"\n}\nurl { }', "RT_HTTP_GET")
    first = (("path", "/a b"), ("status_code", ((301, 301), (200, 204))), ("regex", None))
    assert found == Checker(
        "a",
        keyword="HTTP_GET",
        threaded=False,
        options=(("virtualhost", None), ("password", None), ("url", (first, URL))),
    )


def test_th_means_a_thread() -> None:
    assert checker(keyword="TH_TCP_CHECK") == Checker("a", keyword="TCP_CHECK", threaded=True)


def test_common_keywords_need_no_word_from_the_plugin() -> None:
    inside = """connect_ip FD00::1
        connect_port 8080
        bindto 10.0.0.9
        bind_port 1024
        bind_if eth1
        fwmark 4294967295
        tos 72
        connect_timeout 2
        delay_loop 5
        delay_before_retry 1.5
        warmup 0
        rise 2
        fall 3
        jitter 25
        init last"""
    assert checker(inside) == Checker(
        "a",
        keyword="TCP_CHECK",
        connect_ip="fd00::1",
        connect_port=8080,
        bindto="10.0.0.9",
        bind_port=1024,
        bind_if="eth1",
        fwmark=4_294_967_295,
        tos=72,
        connect_timeout=2.0,
        delay_loop=5.0,
        delay_before_retry=1.5,
        warmup=0.0,
        rise=2,
        fall=3,
        jitter=25.0,
        init="last",
    )


def test_common_lists_every_keyword_that_a_plugin_may_not_take() -> None:
    assert {"connect_ip", "retry", "nb_get_retry", "rise", "fall", "jitter", "init", "warmup", "delay_loop"} <= COMMON
    assert "name" not in COMMON


@pytest.mark.parametrize(
    ("inside", "retry", "fall"),
    [("", None, None), ("retry 2", 2, 3), ("nb_get_retry 0", 0, 1), ("fall 4", None, 4), ("retry 2\nfall 3", 2, 3)],
)
def test_tries_after_a_failure_mean_one_failure_more(inside: str, retry: int | None, fall: int | None) -> None:
    assert (checker(inside).retry, checker(inside).fall) == (retry, fall)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"RT_TCP_CHECK a {{\nretry 2\nfall 2\n}}\n{USE}", ["3:6 error: 'retry 2' means 'fall 3', not 'fall 2'"]),
        (
            f"RT_TCP_CHECK a {{\nretry 2\nnb_get_retry 2\n}}\n{USE}",
            ["3:1 warning: 'nb_get_retry' is given again: the last one counts"],
        ),
        (f"RT_TCP_CHECK {{\n}}\n{USE}", ["1:1 error: name is missing", "6:10 error: no checker is named 'a'"]),
        (f"RT_TCP_CHECK a b {{\n}}\n{USE}", ["1:16 error: surplus word 'b'"]),
        (f"RT_TCP_CHECK a\n{USE}", ["1:1 error: 'RT_TCP_CHECK' needs a block { ... }"]),
        (f"RT_TPC_CHECK a {{\n}}\n{USE}", ["1:1 error: unknown keyword 'RT_TPC_CHECK'"]),
        (
            f"TCP_CHECK a {{\n}}\n{USE}",
            ["1:1 error: unknown keyword 'TCP_CHECK'", "6:10 error: no checker is named 'a'"],
        ),
        ("RT_TCP_CHECK a { }", ["1:14 warning: nobody names the checker 'a': it is not run"]),
        (
            f"RT_TCP_CHECK a {{ }}\nTH_HTTP_GET a {{\nurl {{ }}\n}}\n{USE}",
            ["2:13 error: 'checker a' is declared twice"],
        ),
        (f"RT_HTTP_GET a {{ }}\n{USE}", ["1:1 error: RT_HTTP_GET needs 'url'"]),
        (f"RT_HTTP_GET a {{\nurl /\n}}\n{USE}", ["2:1 error: 'url' needs a block { ... }"]),
        (f"RT_HTTP_GET a {{\nurl {{\npath x\n}}\n}}\n{USE}", ["3:6 error: 'x' does not fit 'path'"]),
        (f"RT_HTTP_GET a {{\nurl x {{ }}\n}}\n{USE}", ["2:5 error: surplus word 'x'"]),
        (USE, ["4:10 error: no checker is named 'a'"]),
    ],
)
def test_what_is_wrong_with_a_checker_is_told(text: str, expected: list[str]) -> None:
    assert complaints(text) == expected


def test_every_server_that_names_nobody_is_told() -> None:
    text = "virtual_server 10.0.0.1 80 {\nprotocol TCP\nreal_server 10.0.1.1 80 {\ncheckers b {\n c # a\n a\n}\n}\n}"
    assert complaints(f"RT_TCP_CHECK b {{ }}\n{text}") == [
        "6:2 error: no checker is named 'c'",
        "7:2 error: no checker is named 'a'",
    ]


def test_a_checker_with_errors_still_counts_as_declared() -> None:
    assert complaints(f"RT_TCP_CHECK a {{\nretry x\n}}\n{USE}") == ["2:7 error: 'x' is not a whole number"]


def test_a_secret_is_not_shown() -> None:
    loaded = read(f'RT_HTTP_GET a {{\nurl {{ }}\npassword "Hunter2"\npassword hunter\n}}\n{USE}')
    assert messages(loaded) == [
        "3:10 error: the value of 'password' is refused",
        "4:10 warning: 'password' is given again: the last one counts",
    ]
    assert "unter" not in loaded.render()
    assert "    3 | password ********\n      |          ^^^^^^^^ expected password TEXT\n" in loaded.render()


def test_a_secret_with_an_open_quote_is_not_shown() -> None:
    assert "unter" not in read(f'RT_HTTP_GET a {{\nurl {{ }}\npassword "hunter\n}}\n{USE}').render()


def test_global_definitions_become_one_value() -> None:
    text = """global_defs {
        lvs_id lb1
        notification_email { a@example.org
            b@example.org }
        notification_email_from lb@example.org
        smtp_server mail.example.org
        script_user www :adm
    }
    global_defs {
        smtp_connect_timeout 5
        plugin_checker_location more/plugins
        dataplane userspace
        smtp_server 10.0.0.25 2525
    }"""
    found = good(text).global_defs
    assert found == GlobalDefs(
        router_id="lb1",
        notification_email=("a@example.org", "b@example.org"),
        notification_email_from="lb@example.org",
        smtp_server=Relay("10.0.0.25", 2525),
        smtp_connect_timeout=5.0,
        plugin_checker_location="more/plugins",
        dataplane="userspace",
        script_user=Identity("www", "adm"),
    )
    assert str(found.at) == "lb.conf:1:1"


@pytest.mark.parametrize(("said", "group"), [("www", ""), ("www adm", "adm"), ("www:adm", "adm"), ("www :adm", "adm")])
def test_the_group_of_scripts_may_follow_a_colon(said: str, group: str) -> None:
    found = good(f"global_defs {{\nscript_user {said}\n}}", frozenset({"www"})).global_defs
    assert found.script_user == Identity("www", group)


def test_a_user_whom_the_machine_does_not_know_is_refused() -> None:
    loaded = read("global_defs {\nscript_user wwv\n}", frozenset({"www"}))
    assert messages(loaded) == ["2:13 error: no user 'wwv' on this machine"]


def test_plain_words_after_a_command_are_a_user_only_if_there_is_one() -> None:
    text = "quorum_up /bin/x www"
    assert service(text).quorum_up.command == ("/bin/x", "www")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("path", "said", "asked"),
    [
        ("lb.conf", "", ""),
        ("etc/lb.conf", "plugin_checker_location p", "etc/p"),
        ("etc/lb.conf", "plugin_checker_location /p", "/p"),
    ],
)
def test_plugins_are_asked_for_once_by_the_resolved_location(path: str, said: str, asked: str) -> None:
    calls: list[str] = []
    text = f"{USE}\nTH_TCP_CHECK a {{ }}\nglobal_defs {{\n{said}\n}}"

    def answer(location: str) -> dict[str, Block]:
        calls.append(location)
        return BLOCKS

    loaded = load_from(Memory({path: text}), path, answer)
    assert (loaded.render(), calls) == ("", [asked])


def test_plugins_that_cannot_be_had_are_an_error_at_their_location() -> None:
    def refuse(location: str) -> dict[str, Block]:
        raise ValueError(f"{location}/x.py: no class")

    text = f"{USE}\nglobal_defs {{\n  plugin_checker_location p\n}}"
    loaded = load_from(Memory({"lb.conf": text}), "lb.conf", refuse)
    assert messages(loaded) == ["8:27 error: checker plugins cannot be used: p/x.py: no class"]
