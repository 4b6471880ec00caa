"""The arithmetic of VRRP: intervals, who outranks whom, which adverts do not count, and these things in words. Pure."""

from ipaddress import ip_address
from math import floor

from actors.core.vrrp_values import LEAVING, Heard, Hold, Router, State

HASTE = 0.25
"""The part of an interval by which an advert may come early, to fall into step with other routers."""


def advert_seconds(router: Router) -> float:
    """Seconds between two adverts of this router as MASTER (Advertisement_Interval)."""
    return router.interval / 100


def in_step(when: float, interval: float) -> float:
    """When to send the advert that is due at ``when``: with all other routers of this ``interval``, whole multiples of
    it apart. Until it has come to that, a quarter of an interval early at most; never late.

    A program with many routers that lead then wakes up for all of their adverts at once, its peers to hear them, and
    what fails over together has been silent for equally long. To be early costs nothing: the peers' timers start anew.
    """
    beat = floor(when / interval + 0.001) * interval  # the last such instant, or this one
    return max(beat, when - HASTE * interval)


def master_seconds(router: Router, state: State) -> float:
    """Seconds between two adverts of the master: in version 2 all routers' own, in version 3 as the master said."""
    return (state.interval if router.version == 3 else router.interval) / 100


def skew(router: Router, state: State) -> float:
    """Skew_Time in seconds: the lower the priority, the longer (RFC 3768 6.1; RFC 5798 6.1, where it scales)."""
    unit = master_seconds(router, state) if router.version == 3 else 1.0
    return (256 - state.priority) * unit / 256


def master_down(router: Router, state: State) -> float:
    """Master_Down_Interval in seconds: the silence after which the master counts as down (RFC 3768 and 5798, 6.1)."""
    return router.missed * master_seconds(router, state) + skew(router, state)


def learnt(router: Router, heard: Heard) -> int:
    """The master's interval, in centiseconds, after an advert that was accepted."""
    return heard.interval if router.version == 3 else router.interval


def rank(address: str) -> bytes:
    """An address as it is compared: an unsigned number in network byte order (RFC 9568 6.4.3).

    Text that is no address ranks below every address.
    """
    try:
        return ip_address(address).packed
    except ValueError:
        return b""


def refusal(router: Router, heard: Heard) -> str:
    """Why the advert does not count, or an empty text. An advert that is refused changes nothing."""
    if heard.address == router.address:
        return "it comes from our own address"
    if router.deaf:
        return "an owner of the addresses listens to nobody"
    if router.version == 2 and heard.interval != router.announced:  # RFC 3768 7.1
        return f"its interval of {heard.interval / 100:g} s is not ours of {router.announced / 100:g} s"
    if heard.interval < 1:  # RFC 9568 7.1, erratum 8301: it would make the master-down interval nothing
        return "its interval is 0"
    return ""


def superiority(router: Router, state: State, heard: Heard) -> str:
    """Why a MASTER yields to the advert, or an empty text when it does not (RFC 3768 and 5798, 6.4.3)."""
    if heard.priority > state.priority:
        return f"priority {heard.priority} of {heard.address} is above {state.priority}"
    if heard.priority == state.priority and rank(heard.address) > rank(router.address):
        return f"priority {heard.priority} of {heard.address} is equal, and its address is above {router.address}"
    return ""


def vacancy(router: Router, state: State) -> str:
    """Why a BACKUP whose master-down timer fired takes over."""
    silence = f"for {master_down(router, state):.3g} s"
    if not state.peer:
        return f"no advert {silence}"
    if state.peer_priority == LEAVING:
        return f"{state.peer} left with priority 0"
    if state.hold is Hold.OVER and state.peer_priority < state.priority:
        return f"priority {state.priority} is above {state.peer_priority} of {state.peer}"
    return f"no advert of {state.peer} {silence}"
