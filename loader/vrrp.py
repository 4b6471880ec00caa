"""The rules of a ``vrrp_instance``: what it inherits, what goes together, what is put right. Pure."""

from typing import Any

from loader.diagnostics import error, warning
from loader.draft import Draft
from loader.model import GlobalDefs
from loader.vrrp_authentication import KeyFiles, authentication, begin_as_backup, default_window, trailer
from loader.vrrp_lists import addresses, advertised, fit, followed, peers
from loader.vrrp_strict import strict

OWNER = 255
SLOWEST = 40.95
"""Longest interval in seconds that a version 3 advert can tell: 4095 hundredths."""

INHERITED = {
    "version": "vrrp_version",
    "garp_master_delay": "vrrp_garp_master_delay",
    "garp_master_repeat": "vrrp_garp_master_repeat",
    "garp_master_refresh": "vrrp_garp_master_refresh",
    "garp_master_refresh_repeat": "vrrp_garp_master_refresh_repeat",
    "garp_lower_prio_delay": "vrrp_garp_lower_prio_delay",
    "garp_lower_prio_repeat": "vrrp_garp_lower_prio_repeat",
    "garp_interval": "vrrp_garp_interval",
    "gna_interval": "vrrp_gna_interval",
    "down_timer_adverts": "vrrp_down_timer_adverts",
    "lower_prio_no_advert": "vrrp_lower_prio_no_advert",
    "higher_prio_send_advert": "vrrp_higher_prio_send_advert",
    "check_unicast_src": "vrrp_check_unicast_src",
    "skip_check_adv_addr": "vrrp_skip_check_adv_addr",
    "owner_ignore_adverts": "vrrp_owner_ignore_adverts",
    "v3_checksum_as_v2": "v3_checksum_as_v2",
    "strict_mode": "vrrp_strict",
}
"""What ``global_defs`` says for an instance that does not say it."""


def vrrp_instance(draft: Draft, defs: GlobalDefs, read_key: KeyFiles) -> dict[str, Any]:
    """The fields of an instance; ``read_key`` gives the files that its keys are in."""
    fields = _inherited(draft, defs)
    advertised(draft, fields)
    fields["unicast_peers"] = peers(draft, fields)
    fields |= followed(draft)
    _version(draft, fields)
    _priority(draft, fields)
    trailer(draft, fields, read_key)
    authentication(draft, fields)
    _announcements(draft, fields)
    if fields["strict_mode"]:
        strict(draft, fields)
    begin_as_backup(draft, fields)
    _preemption(draft, fields)
    _interval(draft, fields)
    default_window(fields)
    _addresses(draft, fields)
    _source(draft, fields)
    _vmac(draft, fields)
    return fields


def sync_group(draft: Draft) -> dict[str, Any]:
    """The fields of a group."""
    fields = draft.values | followed(draft)
    if len(fields.get("members", ())) == 1:
        draft.warn("members", "a group of one has nobody to go along with")
    return fields


def static_addresses(draft: Draft) -> dict[str, Any]:
    """The addresses of a block, each of which needs a device: there is no instance whose interface it could take."""
    for row in draft.values.get("addresses", ()):
        if "device" not in row.values:
            mark = draft.spot("addresses", row.start)
            draft.problems.append(error("a static address needs a device", mark, "add dev INTERFACE"))
    return {"addresses": addresses(draft, "addresses", set())}


def _inherited(draft: Draft, defs: GlobalDefs) -> dict[str, Any]:
    fields = {key: getattr(defs, word) for key, word in INHERITED.items()}
    usual = {"delay": defs.vrrp_garp_master_delay, "repeat": defs.vrrp_garp_master_repeat}
    for key, value in usual.items():
        if fields[f"garp_lower_prio_{key}"] is None:
            fields[f"garp_lower_prio_{key}"] = value
    return fields | draft.values


def _version(draft: Draft, fields: dict[str, Any]) -> None:
    if fields["family"] == 6:
        if draft.says("version") and fields["version"] == 2:
            draft.warn("version", "IPv6 is in version 3 alone: 3 is taken")
        fields["version"] = 3


def _priority(draft: Draft, fields: dict[str, Any]) -> None:
    """keepalived's trap: a wish to be MASTER without a priority makes the owner of the addresses."""
    if not draft.says("priority") and fields.get("state") == "MASTER":
        draft.warn("state", "without a priority, MASTER means 255, the owner of the addresses", "add priority")
        fields["priority"] = OWNER
    fields.setdefault("priority", 100)
    fields.setdefault("state", "MASTER" if fields["priority"] == OWNER else "BACKUP")


def _preemption(draft: Draft, fields: dict[str, Any]) -> None:
    """keepalived drops both keywords where they cannot be meant."""
    owner, master = fields["priority"] == OWNER, fields["state"] == "MASTER"
    if not fields.get("preempt", True) and (owner or master):
        reason = "the owner of the addresses always takes over" if owner else "nopreempt needs state BACKUP"
        draft.warn("preempt", f"{reason}: ignored")
        fields["preempt"] = True
    if fields.get("preempt_delay") and (master or not fields.get("preempt", True)):
        reason = "preempt_delay needs state BACKUP" if master else "without preemption there is nothing to delay"
        draft.warn("preempt_delay", f"{reason}: ignored")
        fields["preempt_delay"] = 0.0


def _interval(draft: Draft, fields: dict[str, Any]) -> None:
    """Whole seconds in version 2, hundredths of one up to 40.95 s in 3."""
    seconds, version = fields.get("advert_interval", 1.0), fields["version"]
    if version == 2 and seconds < 1:
        draft.error("advert_interval", f"VRRPv2 adverts come every second at most, not {seconds:.12g}", "use version 3")
    elif version == 3 and seconds > SLOWEST:
        draft.error("advert_interval", f"VRRPv3 adverts come at least every {SLOWEST} s, not {seconds:.12g}")
    else:
        unit = 1 if version == 2 else 100
        taken = int(seconds * unit + 0.5) / unit
        if abs(taken - seconds) > 1e-9:
            kind = "whole seconds" if version == 2 else "hundredths of a second"
            draft.warn("advert_interval", f"VRRPv{version} counts in {kind}: {taken:g} is taken")
        fields["advert_interval"] = taken


def _announcements(draft: Draft, fields: dict[str, Any]) -> None:
    for key in ("garp_master_repeat", "garp_master_refresh_repeat"):
        if not fields[key]:
            if draft.says(key):
                draft.warn(key, "an address is announced once at least: 1 is taken")
            fields[key] = 1


def _addresses(draft: Draft, fields: dict[str, Any]) -> None:
    """Without any, version 2 may still be there for its scripts: keepalived only warns."""
    fit(draft, fields)
    given = fields["virtual_addresses"]
    if not given and not draft.says("virtual_addresses"):
        is_fatal = fields["version"] == 3 or fields["strict_mode"]
        say = error if is_fatal else warning
        draft.problems.append(say("a vrrp_instance needs virtual_ipaddress", draft.heading()))
    if fields["family"] == 6 and given and not fields["unicast_peers"] and not given[0].address.startswith("fe80:"):
        say = error if fields["strict_mode"] else warning
        mark = draft.spot("virtual_addresses", 1)
        draft.problems.append(say("the first IPv6 address should be a link-local one (fe80::/10)", mark))


def _source(draft: Draft, fields: dict[str, Any]) -> None:
    if fields.get("track_src_ip") and not (fields.get("unicast_src_ip") or fields.get("mcast_src_ip")):
        draft.warn("track_src_ip", "there is no source address to track: ignored", "add mcast_src_ip")
        fields["track_src_ip"] = False


def _vmac(draft: Draft, fields: dict[str, Any]) -> None:
    """An interface of its own is named after the router; unicast does not go through it."""
    if "use_vmac" not in fields:
        if fields.get("vmac_xmit_base"):
            draft.warn("vmac_xmit_base", "there is no use_vmac to which this could apply")
        return
    fields["use_vmac"] = fields["use_vmac"] or f"vrrp{'6' if fields['family'] == 6 else ''}.{fields.get('vrid')}"
    if fields["unicast_peers"] and not fields.get("vmac_xmit_base"):
        message = "unicast adverts go through the interface below the VMAC: vmac_xmit_base is taken"
        draft.warn("use_vmac", message, "add vmac_xmit_base")
        fields["vmac_xmit_base"] = True
