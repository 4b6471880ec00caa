"""keepalived's trackers: checkers in other words, and weights for those who follow them."""

from dataclasses import replace

import pytest

from loader import load_from
from loader.model import Checker, Position, Tracked, VrrpInstance
from tests.loader.house import BLOCKS, Memory, complaints, good, read

STEM = "interface eth0\nvirtual_router_id 51\nvirtual_ipaddress {\n10.0.0.1/24\n}\n"


def script(inside: str = "", name: str = "chk") -> str:
    """A script with these lines."""
    return f"vrrp_script {name} {{\nscript /bin/check\n{inside}\n}}\n"


def router(inside: str) -> str:
    """A router with these lines."""
    return f"vrrp_instance a {{\n{STEM}{inside}\n}}\n"


def followed(inside: str, lines: str, title: str = "track_script") -> tuple[Tracked, ...]:
    """What a router follows that tracks ``chk`` in such a way, of a script with the lines ``inside``."""
    (found,) = good(script(inside) + router(f"{title} {{\n{lines}\n}}")).vrrp_instances
    return found.checkers


def checker(**changes: object) -> Checker:
    """What `script` is without any more lines."""
    options = (("misc_path", (("/bin/check",), "", "")), ("misc_timeout", 0.0), ("misc_dynamic", False), ("user", ()))
    plain = Checker(
        name="chk",
        keyword="MISC_CHECK",
        delay_loop=1.0,
        delay_before_retry=1.0,
        warmup=0.0,
        rise=1,
        fall=1,
        jitter=0.0,
        options=options,
        aims="maybe",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_a_script_that_says_little_is_a_check_every_second_that_believes_each_result() -> None:
    assert good(script() + router("track_script {\nchk\n}")).checkers == (checker(),)


def test_every_keyword_of_a_script_arrives_where_it_belongs() -> None:
    text = (
        "vrrp_script chk {\nscript \"/bin/check -a 'b c'\"\ninterval 0.2\ntimeout 3\nweight -20\nrise 2\nfall 200\n"
        "user www nobody\ninit_fail\n}\n"
    )
    command = (("/bin/check", "-a", "b c"), "", "")
    options = (("misc_path", command), ("misc_timeout", 3.0), ("misc_dynamic", False), ("user", ("www", "nobody")))
    (found,) = good(text + router("track_script {\nchk\n}")).checkers
    assert found == checker(delay_loop=0.2, delay_before_retry=0.2, rise=2, fall=200, init="down", options=options)
    assert found.at == Position("lb.conf", 1, 1)


def test_what_begins_with_a_redirection_is_for_a_shell() -> None:
    text = script().replace("/bin/check", '"</dev/tcp/127.0.0.1/80 2>&1"') + router("track_script chk")
    (found,) = good(text).checkers
    assert dict(found.options)["misc_path"] == (("/bin/sh", "-c", "</dev/tcp/127.0.0.1/80 2>&1"), "", "")


@pytest.mark.parametrize(
    ("inside", "lines", "follows"),
    [
        ("", "chk", Tracked("chk")),
        ("weight -20", "chk", Tracked("chk", weight=-20)),
        ("weight 20 reverse", "chk", Tracked("chk", weight=20, reverse=True)),
        ("weight 20 reverse", "chk noreverse", Tracked("chk", weight=20)),
        ("weight 20 reverse", "chk weight 3", Tracked("chk", weight=3, reverse=True)),
        ("weight 20 noreverse", "chk weight 3 reverse", Tracked("chk", weight=3, reverse=True)),
        ("weight 20", "chk weight 0", Tracked("chk")),
        ("weight -254", "chk weight 254", Tracked("chk", weight=254)),
    ],
)
def test_who_follows_says_the_weight_or_else_the_script_does(inside: str, lines: str, follows: Tracked) -> None:
    assert followed(inside, lines) == (follows,)


def test_several_are_followed_beside_checkers_and_on_one_line_too() -> None:
    scripts = script() + script("weight 5", "two") + script("", "three")
    text = router("checkers three\ntrack_script {\nchk weight -1 reverse\ntwo\n}")
    (found,) = good(scripts + text).vrrp_instances
    assert found.checkers == (Tracked("three"), Tracked("chk", weight=-1, reverse=True), Tracked("two", weight=5))
    (found,) = good(scripts + router("track_script three chk weight -1 reverse two")).vrrp_instances
    assert found.checkers == (Tracked("three"), Tracked("chk", weight=-1, reverse=True), Tracked("two", weight=5))


def test_a_router_with_trackers_is_equal_to_one_that_follows_their_checkers() -> None:
    (tracks,) = good(script("weight 7") + router("track_script {\nchk\n}")).vrrp_instances
    (follows,) = good(script() + router("checkers chk weight 7")).vrrp_instances
    assert isinstance(tracks, VrrpInstance)
    assert tracks == follows


def test_a_script_may_stand_behind_its_followers_and_a_server_may_follow_it_too() -> None:
    server = "virtual_server 10.0.0.1 80 {\nprotocol TCP\nreal_server 10.0.1.1 80 {\ncheckers chk\n}\n}\n"
    config = good(router("track_script {\nchk\n}") + server + script())
    assert config.checkers == (checker(),)


def test_a_group_follows_scripts_for_all_of_its_members() -> None:
    second = router("").replace("vrrp_instance a", "vrrp_instance b").replace("51", "52")
    text = "vrrp_sync_group G {\ngroup {\na\nb\n}\ntrack_script {\nchk weight 4\n}\n}\n"
    (found,) = good(script() + text + router("") + second).vrrp_sync_groups
    assert found.checkers == (Tracked("chk", weight=4),)


def test_interfaces_and_checkers_may_be_followed_in_reverse() -> None:
    (found,) = good(
        script() + router("checkers chk weight 5 reverse\ntrack_interface {\neth1 reverse\n}")
    ).vrrp_instances
    assert found.checkers == (Tracked("chk", weight=5, reverse=True),)
    assert found.track_interfaces == (Tracked("eth1", reverse=True),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (script(), ["1:13 warning: nobody names the checker 'chk': it is not run"]),
        (router("track_script {\nchk\n}"), ["8:1 error: no checker is named 'chk'"]),
        (
            script() + "RT_TCP_CHECK chk {\nconnect_ip 10.0.0.1\nconnect_port 5\n}\n" + router("checkers chk"),
            ["5:14 error: 'checker chk' is declared twice"],
        ),
        (
            script("weight 300") + router("track_script {\nchk\n}"),
            ["3:8 error: 300 is out of range for 'weight'"],
        ),
        (
            script("weight 3 upward") + router("track_script {\nchk\n}"),
            ["3:10 error: 'upward' is not a value of 'reverse'"],
        ),
        (
            script("user www nobody root") + router("track_script {\nchk\n}"),
            ["3:6 error: surplus word 'root'"],
        ),
        (
            "vrrp_script chk {\ninterval 1\n}\n" + router("track_script {\nchk\n}"),
            ["1:1 error: vrrp_script needs 'script'"],
        ),
        (
            script() + router("track_script {\nchk weight\n}"),
            ["12:5 error: 'weight' needs a value"],
        ),
        (
            script() + router("track_script {\nchk reverse noreverse\n}"),
            ["12:13 error: 'noreverse' is given again"],
        ),
        (
            script() + router("track_script {\nchk\nchk weight 5\n}"),
            ["13:1 warning: chk is given already: ignored"],
        ),
    ],
)
def test_what_is_wrong_is_pointed_at(text: str, said: list[str]) -> None:
    assert complaints(text) == said


OPTIONS = {"process": ("haproxy",), "param_match": "", "full_command": False, "quorum": 1, "quorum_max": 0}


@pytest.mark.parametrize(
    ("inside", "settings", "options"),
    [
        ("", {}, {}),
        ("process haproxy -f 'a b' \"c d\"", {}, {"process": ("haproxy", "-f", "'a", "b'", "c d")}),
        ("param_match", {}, {"param_match": "exact"}),
        ("param_match partial\nfull_command", {}, {"param_match": "partial", "full_command": True}),
        ("quorum 2\nquorum_max 3", {}, {"quorum": 2, "quorum_max": 3}),
        ("quorum_max 0", {"reverse": True}, {}),
        ("terminate_delay 0.5", {"fall": 2, "delay_before_retry": 0.5}, {}),
        ("fork_delay 0.25", {"rise": 2, "fast_interval": 0.25}, {}),
        ("delay 0.1", {"rise": 2, "fall": 2, "fast_interval": 0.1, "delay_before_retry": 0.1}, {}),
        (
            "delay 0.1\nfork_delay 0.2",
            {"rise": 2, "fall": 2, "fast_interval": 0.2, "delay_before_retry": 0.1},
            {},
        ),
    ],
)
def test_a_process_is_a_check_of_it(inside: str, settings: dict[str, object], options: dict[str, object]) -> None:
    text = inside if inside.startswith("process") else f"process haproxy\n{inside}"
    config = good(f"vrrp_track_process proxy {{\n{text}\n}}\n" + router("track_process proxy"))
    plain = Checker(name="proxy", keyword="PROCESS_CHECK", warmup=0.0, rise=1, fall=1, aims="never")
    expected = tuple((OPTIONS | options).items())
    assert config.checkers == (replace(plain, options=expected, **settings),)  # type: ignore[arg-type]


def test_a_process_has_a_weight_for_its_followers() -> None:
    text = "vrrp_track_process chk {\nprocess a\nweight 5 reverse\n}\n" + router("track_process {\nchk\n}")
    assert good(text).vrrp_instances[0].checkers == (Tracked("chk", weight=5, reverse=True),)
    text = text.replace("{\nchk", "{\nchk weight -254 noreverse")
    assert good(text).vrrp_instances[0].checkers == (Tracked("chk", weight=-254),)


def test_most_processes_are_no_fewer_than_the_least() -> None:
    text = "vrrp_track_process proxy {\nprocess a\nquorum 3\nquorum_max 2\n}\n" + router("track_process proxy")
    assert complaints(text) == ["4:12 error: quorum_max 2 is below quorum 3"]


@pytest.mark.parametrize("title", ["track_file", "vrrp_track_file"])
@pytest.mark.parametrize(
    ("inside", "create", "follows"),
    [
        ("", "", Tracked("load", weight=1, counts=True)),
        ("weight -3 reverse", "", Tracked("load", weight=-3, reverse=True, counts=True)),
        ("weight 0\ninit_file", "0", Tracked("load", counts=True)),
        ("init_file -20", "-20", Tracked("load", weight=1, counts=True)),
    ],
)
def test_a_file_is_a_check_whose_number_counts(title: str, inside: str, create: str, follows: Tracked) -> None:
    config = good(f"{title} load {{\nfile /run/load\n{inside}\n}}\n" + router("track_file {\nload\n}"))
    options = (("file", "/run/load"), ("counts", True), ("create", create))
    expected = Checker(name="load", keyword="FILE_CHECK", warmup=0.0, rise=1, fall=1, aims="never", options=options)
    assert config.checkers == (expected,)
    assert config.vrrp_instances[0].checkers == (follows,)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("overwrite", ["3:11 warning: what a file has is never overwritten: it is made if it is not there"]),
        ("5 overwrite", ["3:11 warning: what a file has is never overwritten: it is made if it is not there"]),
        ("5 6", ["3:11 error: surplus word '6'"]),
        ("five", ["3:11 error: 'five' does not fit 'init_file'"]),
    ],
)
def test_a_file_is_made_with_one_number_and_never_overwritten(words: str, said: list[str]) -> None:
    text = f"track_file load {{\nfile /run/load\ninit_file {words}\n}}\n" + router("track_file {\nload\n}")
    assert complaints(text) == said


def test_a_user_that_is_not_there_is_told() -> None:
    text = script("user wwww") + router("track_script {\nchk\n}")
    (found,) = read(text, users=frozenset({"www"})).diagnostics
    assert (found.span.line, found.message) == (3, "no user 'wwww' on this machine")


def test_where_there_is_no_such_checker_there_is_no_such_tracker() -> None:
    files, others = Memory({"lb.conf": script()}), {"TCP_CHECK": BLOCKS["TCP_CHECK"]}
    loaded = load_from(files, "lb.conf", lambda location: others)
    assert loaded.diagnostics[0].message == "unknown keyword 'vrrp_script'"


def server(inside: str) -> str:
    return f"""virtual_server 10.0.0.1 80 {{
    protocol TCP
    real_server 10.0.1.1 80 {{
        FILE_CHECK {{
            {inside}
        }}
    }}
}}
"""


NOBODY = "1:12 warning: nobody names the checker 'load': it is not run"
LOAD = "track_file load {\nfile /run/load\nweight 3\n}\n"


@pytest.mark.parametrize(
    ("inside", "follows"),
    [
        ("track_file load", Tracked("load", weight=3, counts=True)),
        ("track_file load\nweight -2147483647", Tracked("load", weight=-2147483647, counts=True)),
        ("track_file load\nweight 0 reverse", Tracked("load", reverse=True, counts=True)),
    ],
)
def test_a_real_server_follows_a_file_with_a_weight(inside: str, follows: Tracked) -> None:
    (service,) = good(LOAD + server(inside)).virtual_servers
    (found,) = service.real_servers
    assert (found.files, found.track_files, found.checks) == ((follows,), (), ())


def test_a_real_server_may_have_a_file_of_its_own() -> None:
    (found,) = good(server("file /run/x")).virtual_servers[0].real_servers
    (check,) = found.checks
    assert (dict(check.options)["file"], found.files) == ("/run/x", ())
    assert {"track_file", "weight"}.isdisjoint(dict(check.options))


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("track_file lod", [NOBODY, "9:24 error: no checker is named 'lod'"]),
        ("counts", ["4:9 error: FILE_CHECK has no file"]),
        ("file /run/x\nweight 3", ["6:8 error: only a track_file has a weight"]),
        ("track_file load\nfile /x", ["10:6 error: a FILE_CHECK with a track_file has that and a weight alone"]),
        ("track_file load\nweight 3 up", ["10:10 error: 'up' is not a value of 'reverse'"]),
    ],
)
def test_what_a_file_check_of_a_real_server_cannot_be_is_told_with_its_place(inside: str, said: list[str]) -> None:
    assert complaints((LOAD if "track_file" in inside else "") + server(inside)) == said
