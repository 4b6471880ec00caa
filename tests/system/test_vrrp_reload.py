"""A leader reads its configuration again, with Debian's keepalived as its backup and a third host that listens."""

from pathlib import Path

from tests.system.duel import OURS_FIRST, PATIENCE, Duel, Net, duel
from tests.system.lab import until
from tests.system.netns import VIP, Ours, asked, ip

QUICK = Net(interval=0.05)
"""A backup takes over after 0.18 s: the whole reload has less."""


def reload(made: Duel, count: str) -> None:
    """Have ours read its configuration again, and wait until it has."""
    before = made.better.log.read_text().count(count)
    made.better.reload()
    until(lambda: made.better.log.read_text().count(count) > before, limit=PATIENCE)


def test_a_reload_of_a_leader_of_20_adverts_a_second_is_no_takeover(tmp_path: Path) -> None:
    with duel("", tmp_path / "duel", OURS_FIRST, QUICK) as made:
        made.begin()
        for priority in (150, 160, 170):
            made.configure(better={"priority": priority})
            reload(made, '"event":"children"')
            made.spoken(10, by=made.better)
        assert {each.priority for each in made.recording.adverts()} == {150, 160, 170}
        made.leads(made.better)
        made.judge("better")


def test_a_changed_vrid_is_told_to_who_backs_up_the_old_one(tmp_path: Path) -> None:
    with duel("", tmp_path / "duel", OURS_FIRST, Net()) as made:
        made.begin()
        text = made.better.conf.read_text()
        made.better.conf.write_text(text.replace("virtual_router_id 51", "virtual_router_id 52"))
        reload(made, '"event":"children"')
        until(lambda: 52 in {each.vrid for each in made.adverts(made.better)}, limit=PATIENCE)
        (*_, last) = (each for each in made.adverts(made.better) if each.vrid == 51)
        first = made.adverts(made.worse)[0]
        assert last.priority == 0
        assert first.at - last.at < 0.6  # the skew is 0.15 s; without the farewell it would take 0.9 s
        assert isinstance(made.better, Ours)
        assert asked(made.better, ask="status")["routers"][0]["role"] == "MASTER"


def test_a_leader_that_moves_to_another_interface_leaves_the_old_one(tmp_path: Path) -> None:
    with duel("", tmp_path / "duel", OURS_FIRST, Net()) as made:
        host = made.better.host
        ip("-n", host.name, "link", "add", "eth1", "type", "veth", "peer", "name", "other")
        ip("-n", host.name, "addr", "add", "10.98.0.1/24", "dev", "eth1")
        for link in ("eth1", "other"):
            ip("-n", host.name, "link", "set", link, "up")
        made.begin()
        text = made.better.conf.read_text()
        made.better.conf.write_text(text.replace("interface eth0", "interface eth1"))
        reload(made, '"event":"children"')
        made.leads(made.worse)
        assert made.adverts(made.better)[-1].priority == 0
        made.judge("better", "worse")
        until(lambda: VIP in ip("-n", host.name, "-o", "addr", "show", "dev", "eth1"), limit=PATIENCE)
