"""What is done to the network: see `tests.system.faults.steps`."""

import subprocess
import time

from tests.system.faults.stage import SECOND
from tests.system.faults.steps import Scene
from tests.system.netns import VIP, Host, Router, ip

FLOOD = 400
"""Links and addresses that come and go at once."""


def spoil_a_cable(scene: Scene) -> None:
    """Packets of a router are lost, late, twice and out of order."""
    router, seconds = _router(scene), scene.last(1, 4)
    loss, delay, twice = scene.last(0, 0.5), scene.last(0, 0.2), scene.last(0, 0.3)
    scene.tell(
        f"the cable of {_name(scene, router)} loses {loss:.0%}, delays by {delay} s, doubles {twice:.0%}, {seconds} s"
    )
    with scene.stage.bad_cable(router.host, scene.random, loss, delay, twice):
        time.sleep(seconds)


def unplug(scene: Scene) -> None:
    """The link of a router goes down and comes back, a few times."""
    router, times = _router(scene), scene.random.choice((1, 1, 4))
    scene.tell(f"unplug {_name(scene, router)}, {times} times")
    for _ in range(times):
        router.host.plug("down")
        time.sleep(scene.last(0.1, 1.5))
        router.host.plug("up")
        time.sleep(scene.last(0, 0.5))


def part(scene: Scene) -> None:
    """A router and the others do not hear each other, and links stay up: there are two leaders, until they meet."""
    router, seconds = _router(scene), scene.last(0.2, 3)
    scene.tell(f"{_name(scene, router)} is cut off for {seconds} s")
    router.host.part()
    time.sleep(seconds)
    router.host.join()


def set_the_interface_down(scene: Scene) -> None:
    """An operator sets the interface down and up again."""
    router, seconds = _router(scene), scene.last(0.1, 2)
    scene.tell(f"eth0 of {_name(scene, router)} is set down for {seconds} s")
    _set(router.host, "down")
    time.sleep(seconds)
    _set(router.host, "up")


def take_virtual_addresses(scene: Scene) -> None:
    """Somebody removes the virtual addresses from the leader, a few times."""
    times = scene.random.randint(1, 4)
    scene.tell(f"the virtual addresses are taken from whoever leads, {times} times")
    for _ in range(times):
        for router in scene.stage.routers:
            for address in scene.random.sample((VIP, SECOND), scene.random.randint(1, 2)):
                _take(router.host, address)
        time.sleep(scene.last(0.1, 0.6))


def take_the_own_address(scene: Scene) -> None:
    """Somebody removes the address that a router of ours speaks from, and gives it back."""
    program, seconds = scene.program(), scene.last(0.1, 2)
    host = program.host
    scene.tell(f"the own address of {program.name} is taken for {seconds} s")
    ip("-n", host.name, "addr", "del", f"{host.address}/24", "dev", "eth0")
    time.sleep(seconds)
    ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", "eth0")


def flood(scene: Scene) -> None:
    """Hundreds of links and addresses come and go: more news than a socket holds."""
    program = scene.program()
    scene.tell(f"{FLOOD} addresses and {FLOOD // 4} links come and go on {program.name}")
    places = [f"127.1.{number // 250}.{number % 250 + 1}/32" for number in range(FLOOD)]
    links = [f"flood{number}" for number in range(FLOOD // 8)]
    lines = [f"addr {verb} {place} dev lo" for verb in ("add", "del") for place in places]
    lines += [f"link add {link} type veth peer name {link}x" for link in links]
    lines += [f"link del {link}" for link in links]
    text = "\n".join(lines) + "\n"
    command = ("ip", "-n", program.host.name, "-batch", "-")
    subprocess.run(command, input=text, text=True, check=True, capture_output=True)


def _router(scene: Scene) -> Router:
    return scene.random.choice(scene.stage.routers)


def _name(scene: Scene, router: Router) -> str:
    return ("one", "two", "three")[scene.stage.routers.index(router)]


def _take(host: Host, address: str) -> None:
    """Once, if it is there: not ``flush``, which takes again what was put back at once."""
    command = ("ip", "-n", host.name, "addr", "del", f"{address}/24", "dev", "eth0")
    subprocess.run(command, check=False, capture_output=True)


def _set(host: Host, state: str) -> None:
    ip("-n", host.name, "link", "set", "eth0", state)
