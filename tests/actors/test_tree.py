"""The tree: a configuration turned into children, in start order, each check once."""

from dataclasses import replace
from typing import Any

import pytest

from actors.checker_actor import CheckerActor, CheckerSpec
from actors.children import Child
from actors.combine_actor import CombineActor
from actors.core.combining import Leaf, Not, Some
from actors.core.health import Debounce
from actors.core.quorum import Member, Quorum, Roster, Sorry
from actors.core.restart import Beyond
from actors.core.table import Destination, Service, ServiceKey
from actors.core.tracking import Follow
from actors.ipvs_actor import IpvsActor, ServiceSpec
from actors.messages import Program
from actors.notify_actor import FAREWELL, NotifyActor
from actors.real_server_actor import RealServerActor, RealServerSpec
from actors.services_actor import ServicesActor, ServicesSpec
from actors.tree import endpoint, grow, service_id
from loader.model import (
    Checker,
    Config,
    GlobalDefs,
    Identity,
    Position,
    RealServer,
    Script,
    SorryServer,
    VirtualServer,
)
from tests.loader.house import good

HERE = {"connect_ip": "10.0.2.1", "connect_port": 8080}


def checker(name: str = "web", **settings: Any) -> Checker:
    return Checker(name=name, **({"keyword": "HTTP_GET"} | settings))


def server(last: int = 1, *checkers: str, **settings: Any) -> RealServer:
    return RealServer(address=f"10.0.1.{last}", port=80, checkers=checkers, **settings)


def service(*servers: RealServer, **settings: Any) -> VirtualServer:
    return VirtualServer(real_servers=servers, **({"address": "10.0.0.1", "port": 80} | settings))


def config(*services: VirtualServer, checkers: tuple[Checker, ...] = (checker(),)) -> Config:
    return Config(checkers=checkers, virtual_servers=services)


def ids(of: Config) -> list[str]:
    return [child.id for child in grow(of).children]


def check_of(of: Config) -> CheckerSpec:
    """The only check of a configuration."""
    (spec,) = (child.args[0] for child in grow(of).children if child.kind is CheckerActor)
    assert isinstance(spec, CheckerSpec)
    return spec


def script(*command: str) -> Script:
    """A script with these words, whatever else it holds."""
    return Script(command=command, user="nobody", group="nogroup")


def combine(name: str, expression: str, **settings: Any) -> Checker:
    return checker(name, keyword="COMBINE", options=(("expression", tuple(expression.split())),), **settings)


class TestWho:
    def test_nothing_is_configured_and_only_notification_lives(self) -> None:
        assert ids(Config()) == ["notify"]

    def test_who_tells_starts_before_who_listens(self) -> None:
        tree = grow(config(service(server(1, "web"), server(2, "web")), service(server(1, "web"), port=443)))
        assert [(child.id, child.kind) for child in tree.children] == [
            ("notify", NotifyActor),
            ("check/web@10.0.1.1:80", CheckerActor),
            ("check/web@10.0.1.2:80", CheckerActor),
            ("services", ServicesActor),
            ("vs/10.0.0.1:80:tcp/rs/10.0.1.1:80", RealServerActor),
            ("vs/10.0.0.1:80:tcp/rs/10.0.1.2:80", RealServerActor),
            ("vs/10.0.0.1:443:tcp/rs/10.0.1.1:80", RealServerActor),
            ("vs/10.0.0.1:80:tcp", IpvsActor),
            ("vs/10.0.0.1:443:tcp", IpvsActor),
        ]

    def test_only_notification_is_vital(self) -> None:
        tree = grow(config(service(server(1, "web"))))
        vital = [child.id for child in tree.children if child.policy.beyond is Beyond.ESCALATE]
        assert vital == ["notify"]

    def test_notification_may_take_all_of_its_farewell_before_it_counts_as_hanging(self) -> None:
        assert grow(Config()).children[0].stop_limit > FAREWELL

    def test_an_equal_configuration_grows_equal_children(self) -> None:
        one, two = (grow(config(service(server(1, "web"), quorum_up=script("/bin/x")))) for _ in range(2))
        assert one.children == two.children
        assert grow(config(service(server(1, "web", weight=2)))).children != one.children

    @pytest.mark.parametrize(
        ("settings", "id"),
        [
            ({}, "vs/10.0.0.1:80:tcp"),
            ({"address": "::1", "protocol": "udp"}, "vs/[::1]:80:udp"),
            ({"address": "", "port": 0, "fwmark": 7}, "vs/fwmark:7"),
            ({"address": "", "port": 0, "fwmark": 7, "family": 6}, "vs/fwmark:7:6"),
        ],
    )
    def test_a_service_is_called_by_what_identifies_it(self, settings: dict[str, Any], id: str) -> None:
        assert service_id(service(**settings)) == id

    def test_an_address_with_colons_stands_in_brackets(self) -> None:
        assert (endpoint("10.0.0.1", 80), endpoint("fe80::1", 80)) == ("10.0.0.1:80", "[fe80::1]:80")


class TestChecks:
    def test_a_check_of_its_own_target_is_one_for_all_its_followers(self) -> None:
        tree = grow(config(service(server(1, "web"), server(2, "web")), checkers=(checker(**HERE),)))
        followed = [child.args[0].checks for child in tree.children if child.kind is RealServerActor]
        assert followed == [("check/web",), ("check/web",)]
        assert [child.id for child in tree.children if child.kind is CheckerActor] == ["check/web"]

    def test_the_same_check_under_two_names_lives_once_and_is_known_by_both(self) -> None:
        tree = grow(config(service(server(1, "web", "www")), checkers=(checker("web"), checker("www"))))
        assert tree.names == {"check/web@10.0.1.1:80": ("web", "www")}
        assert [c.args[0].checks for c in tree.children if c.kind is RealServerActor] == [("check/web@10.0.1.1:80",)]

    def test_one_target_with_other_settings_is_another_check(self) -> None:
        quick = service(server(1, "web", delay_loop=1.0), port=443)
        tree = grow(config(service(server(1, "web", delay_loop=9.0)), quick))
        specs = [child.args[0] for child in tree.children if child.kind is CheckerActor]
        assert [(spec.id, spec.interval) for spec in specs] == [
            ("check/web@10.0.1.1:80", 9.0),
            ("check/web@10.0.1.1:80#2", 1.0),
        ]
        followed = [child.args[0].checks for child in tree.children if child.kind is RealServerActor]
        assert followed == [("check/web@10.0.1.1:80",), ("check/web@10.0.1.1:80#2",)]

    def test_a_checker_that_nobody_names_does_not_live(self) -> None:
        assert ids(config(checkers=(checker(**HERE),))) == ["notify"]

    def test_what_nobody_says_has_the_defaults(self) -> None:
        assert check_of(config(service(server(1, "web")))) == CheckerSpec(
            "check/web@10.0.1.1:80",
            "HTTP_GET",
            False,
            "10.0.1.1",
            80,
            timeout=5.0,
            interval=60.0,
            retry_interval=1.0,
            warmup=1.0,
            jitter=0.1,
            debounce=Debounce(1, 2),
        )

    def test_a_checkers_own_say_goes_before_its_servers(self) -> None:
        own = {"connect_timeout": 2.0, "delay_loop": 3.0, "delay_before_retry": 0.5, "warmup": 0.0, "retry": 0}
        servers = {"connect_timeout": 9.0, "delay_loop": 9.0, "delay_before_retry": 9.0, "warmup": 9.0, "retry": 9}

        def settings(*, own: dict[str, Any]) -> tuple[float, ...]:
            spec = check_of(config(service(server(1, "web", **servers)), checkers=(checker(**own),)))
            return (spec.timeout, spec.interval, spec.retry_interval, spec.warmup, spec.debounce.fall)

        assert settings(own={}) == (9.0, 9.0, 9.0, 9.0, 10)
        assert settings(own=own) == (2.0, 3.0, 0.5, 0.0, 1)

    def test_a_check_of_its_own_target_takes_nothing_from_who_follows_it(self) -> None:
        spec = check_of(config(service(server(1, "web", delay_loop=9.0, retry=9)), checkers=(checker(**HERE),)))
        assert (spec.interval, spec.debounce) == (60.0, Debounce(1, 2))

    @pytest.mark.parametrize(("retry", "fall", "needed"), [(None, None, 2), (0, None, 1), (3, None, 4), (3, 7, 7)])
    def test_fall_goes_before_retry_which_counts_what_is_forgiven(
        self, retry: int | None, fall: int | None, needed: int
    ) -> None:
        spec = check_of(config(service(server(1, "web")), checkers=(checker(retry=retry, fall=fall, rise=5),)))
        assert spec.debounce == Debounce(5, needed)

    def test_the_warm_up_is_never_longer_than_the_interval_unless_asked_for(self) -> None:
        assert check_of(config(service(server(1, "web", delay_loop=0.2)))).warmup == 0.2
        assert check_of(config(service(server(1, "web", delay_loop=0.2, warmup=5.0)))).warmup == 5.0

    @pytest.mark.parametrize(("own", "asked"), [("", "site"), ("mine", "mine")])
    def test_a_host_name_comes_from_the_server_unless_the_checker_has_one(self, own: str, asked: str) -> None:
        options = (("virtualhost", own), ("path", ""))
        spec = check_of(config(service(server(1, "web", virtualhost="site")), checkers=(checker(options=options),)))
        assert spec.options == (("virtualhost", asked), ("path", ""))

    def test_every_field_of_a_checker_arrives(self) -> None:
        way = {"bindto": "10.0.3.1", "bind_port": 99, "fwmark": 7, "tos": 16, "bind_if": "eth1"}
        one = checker(threaded=True, connect_port=8080, jitter=50.0, init="down", **way)
        spec = check_of(config(service(server(1, "web")), checkers=(one,)))
        assert (spec.id, spec.title, spec.port) == ("check/web@10.0.1.1:8080", "TH_HTTP_GET", 8080)
        assert (spec.bindto, spec.bind_port, spec.jitter, spec.init) == ("10.0.3.1", 99, 0.5, "down")
        assert (spec.fwmark, spec.tos, spec.interface) == (7, 16, "eth1")


def test_every_field_of_a_service_arrives() -> None:
    servers = (
        server(1, "web", weight=3, inhibit_on_failure=True, alpha=True, notify_up=script("/up"), method="DR"),
        server(2, uthreshold=9, lthreshold=5, notify_down=script("/down")),
    )
    whole = service(
        *servers,
        scheduler="sh",
        flags=("sh-port",),
        persistence_timeout=360,
        persistence_prefix=24,
        quorum=2,
        hysteresis=1,
        quorum_up=script("/gained"),
        quorum_down=script("/lost", "now"),
        sorry_server=SorryServer(address="10.0.9.9", port=80, method="TUN", inhibit=True),
        omega=True,
    )
    first, second = "vs/10.0.0.1:80:tcp/rs/10.0.1.1:80", "vs/10.0.0.1:80:tcp/rs/10.0.1.2:80"
    run = {name: Program(words, "nobody", "nogroup") for name, words in PROGRAMS.items()}
    roster = Roster(
        Service(ServiceKey(4, "10.0.0.1", 80, "tcp"), "sh", ("sh-port",), 360, 24),
        (
            Member(first, Destination("10.0.1.1", 80, 3, "DR"), inhibit=True),
            Member(second, Destination("10.0.1.2", 80, 1, "NAT", 9, 5)),
        ),
        Sorry(Destination("10.0.9.9", 80, 1, "TUN"), inhibit=True),
        Quorum(2, 1),
    )
    check = ("check/web@10.0.1.1:80",)
    assert grow(config(whole)).children[2:] == (
        Child("services", ServicesActor, (ServicesSpec("services", (roster.service.key,)),), ("plane",)),
        Child(first, RealServerActor, (RealServerSpec(first, 3, check, True, True, run["up"]),)),
        Child(second, RealServerActor, (RealServerSpec(second, 1, (), False, True, None, run["down"]),)),
        Child(
            "vs/10.0.0.1:80:tcp",
            IpvsActor,
            (ServiceSpec("vs/10.0.0.1:80:tcp", roster, run["gained"], run["lost"], omega=True),),
            ("plane",),
        ),
    )


PROGRAMS = {"up": ("/up",), "down": ("/down",), "gained": ("/gained",), "lost": ("/lost", "now")}


def test_where_a_statement_stands_makes_no_difference() -> None:
    one, other = (config(service(server(1, "web")), checkers=(checker(at=Position("x", n)),)) for n in (1, 2))
    assert grow(one).children == grow(other).children


class TestIdentity:
    """Whose programs run."""

    def run_as(self, of: Script, configured: Identity | None = None, default: Identity | None = None) -> Program | None:
        whole = replace(config(service(quorum_up=of)), global_defs=GlobalDefs(script_user=configured))
        program = grow(whole, default).children[-1].args[0].quorum_up
        assert isinstance(program, Program)
        return program

    def test_a_program_runs_as_who_it_names_else_as_configured_else_as_the_default(self) -> None:
        named, nameless = script("/x"), Script(("/x",))
        configured, default = Identity("alice", "staff"), Identity("bob")
        assert self.run_as(named, configured, default) == Program(("/x",), "nobody", "nogroup")
        assert self.run_as(nameless, configured, default) == Program(("/x",), "alice", "staff")
        assert self.run_as(nameless, None, default) == Program(("/x",), "bob")
        assert self.run_as(nameless) == Program(("/x",))


class TestCombinations:
    def test_one_lives_in_main_once_for_each_server_that_its_parts_look_at(self) -> None:
        both = combine("both", "web AND NOT local")
        local = checker("local", keyword="FILE_CHECK", aims="never")
        of = config(service(server(1, "both"), server(2, "both")), checkers=(checker("web"), local, both))
        combined = {child.id: child for child in grow(of, shards=2).children if child.kind is CombineActor}
        assert {child.process for child in combined.values()} == {"main"}
        assert {id: child.args[0].term for id, child in combined.items()} == {
            f"check/both@10.0.1.{n}:80": Some(
                2, (Leaf(f"check/web@10.0.1.{n}:80", "web"), Not(Leaf("check/local", "local")))
            )
            for n in (1, 2)
        }

    def test_of_what_needs_no_server_there_is_one_for_all(self) -> None:
        local = checker("local", keyword="FILE_CHECK", aims="never")
        own = checker("own", **HERE)
        inner, outer = combine("inner", "local OR own"), combine("outer", "1 of (inner)", init="up")
        of = config(service(server(1, "outer"), server(2, "outer")), checkers=(local, own, inner, outer))
        checks = [id for id in ids(of) if id.startswith("check/")]
        assert checks == ["check/local", "check/own", "check/inner", "check/outer"]


class TestTrackers:
    """keepalived's words for what a router follows: checkers, in the processes of checkers."""

    ROUTER = "vrrp_instance a {{\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress 10.0.0.1\n{}\n}}\n"

    def tree(self, tracker: str, inside: str) -> dict[str, Child]:
        children = grow(good(tracker + self.ROUTER.format(inside)), Identity("bob"), shards=2).children
        return {child.id: child for child in children}

    def test_a_script_is_run_on_time_far_from_vrrp_and_followed_with_its_weight(self) -> None:
        script = 'vrrp_script chk {\nscript "/bin/check it"\ninterval 5\nweight 9 reverse\nrise 2\n}\n'
        tree = self.tree(script, "track_script chk")
        spec = tree["check/chk"].args[0]
        options = (("misc_path", (("/bin/check", "it"), "", "")), ("misc_timeout", 0.0), ("misc_dynamic", False))
        assert spec == CheckerSpec(
            "check/chk",
            "MISC_CHECK",
            threaded=False,
            address="",
            port=0,
            timeout=5.0,
            interval=5.0,
            retry_interval=5.0,
            warmup=0.0,
            jitter=0.0,
            debounce=Debounce(rise=2, fall=1),
            options=(*options, ("user", ())),
            user="bob",
        )
        assert tree["check/chk"].process.startswith("checkers-")
        assert tree["vrrp/a"].process == "vrrp"
        assert tree["vrrp/a"].args[0].follows == (Follow("check/chk", 9, reverse=True),)

    def test_the_limit_of_a_script_is_its_timeout(self) -> None:
        tree = self.tree("vrrp_script chk {\nscript /bin/check\ntimeout 0.3\n}\n", "track_script chk")
        assert tree["check/chk"].args[0].timeout == 0.3

    def test_a_process_is_looked_for_at_once_and_then_every_second(self) -> None:
        tree = self.tree("vrrp_track_process proxy {\nprocess haproxy\ndelay 0.2\n}\n", "track_process proxy")
        spec = tree["check/proxy"].args[0]
        assert (spec.title, spec.interval, spec.warmup) == ("RT_PROCESS_CHECK", 1.0, 0.0)
        assert (spec.fast_interval, spec.retry_interval, spec.debounce) == (0.2, 0.2, Debounce(rise=2, fall=2))
        assert tree["vrrp/a"].args[0].follows == (Follow("check/proxy"),)

    def test_a_file_is_looked_at_at_once_and_its_number_counts(self) -> None:
        tree = self.tree("track_file load {\nfile /run/load\nweight 2\n}\n", "track_file load")
        spec = tree["check/load"].args[0]
        assert (spec.title, spec.warmup, spec.debounce) == ("RT_FILE_CHECK", 0.0, Debounce(rise=1, fall=1))
        assert spec.options == (("file", "/run/load"), ("counts", True), ("create", ""))
        assert tree["vrrp/a"].args[0].follows == (Follow("check/load", 2, counts=True),)
