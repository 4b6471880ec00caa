"""Keywords of keepalived that mean nothing here: a configuration that has them runs, and a warning says why they do not
matter. What would be missed is not among them: that is an unknown keyword, an error."""

from itertools import chain

_MAIL = "no mail is sent"
_SNMP = "there is no SNMP agent"
_DBUS = "nothing is on D-Bus"
_BFD = "there is no BFD"
_NAMES = "processes have the names of what they do"
_LIMITS = "hang_limit ends a process that does not answer"
_BUFFERS = "sockets have the room that they need"
_FILTERS = "the table of the firewall is this program's own"
_DUMPS = "the state is written beside the control socket"
_COPIES = "no copy of the configuration is made"
_ROUTES = "routes and rules are not set"
_EXTRA = "addresses are announced where they are"
_CLOCK = "timers that are late are always looked into"

_URLS = "every check fetches all urls"

_GLOBALS = {
    _MAIL: "smtp_alert smtp_alert_vrrp smtp_alert_checker smtp_helo_name no_email_faults no_checker_emails",
    _SNMP: "enable_traps enable_snmp_vrrp enable_snmp_checker enable_snmp_keepalived enable_snmp_rfc enable_snmp_rfcv2 "
    "enable_snmp_rfcv3 snmp_socket snmp_vs_stats_update_interval snmp_rs_stats_update_interval",
    _DBUS: "enable_dbus dbus_service_name dbus_no_interface_name",
    _BFD: "bfd_priority bfd_no_swap bfd_rt_priority bfd_cpu_affinity bfd_rlimit_rttime bfd_rlimit_rtime "
    "bfd_process_name",
    _NAMES: "process_names process_name vrrp_process_name checker_process_name lvs_process_name",
    _LIMITS: "vrrp_rlimit_rttime vrrp_rlimit_rtime checker_rlimit_rttime checker_rlimit_rtime max_auto_priority "
    "min_auto_priority_delay",
    _BUFFERS: "vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force "
    "vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force lvs_netlink_cmd_rcv_bufs "
    "lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force "
    "process_monitor_rcv_bufs process_monitor_rcv_bufs_force",
    _FILTERS: "vrrp_iptables vrrp_ipsets nftables nftables_priority nftables_ifindex nftables_counters",
    _DUMPS: "state_dump_file stats_dump_file json_dump_file data_use_instance",
    _COPIES: "tmp_config_directory config_save_dir",
    _ROUTES: "iproute_usr_dir iproute_etc_dir",
    "of a program's path both the name and what it leads to are looked at": "use_symlink_paths",
    _EXTRA: "vrrp_garp_extra_if vrrp_vmac_garp_intvl",
    "adverts of unknown routers are counted": "log_unknown_vrids",
    "files and sockets of this program are for its user alone": "umask",
    "nothing depends on it": "random_seed",
    "a new configuration is always tried before it is taken": "reload_check_config",
    "understudyctl status --json has a form of its own": "json_version",
}

_INSTANCE = {
    _MAIL: "smtp_alert",
    _BUFFERS: "kernel_rx_buf_size",
    _EXTRA: "garp_extra_if vmac_garp_intvl",
    _CLOCK: "timer_expired_backup thread_timer_expired",
    "the kernel tells of links": "linkbeat_use_polling",
    "an instance is of the family of its addresses": "native_ipv6",
}

_SERVICE = {
    _MAIL: "smtp_alert",
    _SNMP: "snmp_name",
    "the kernel sets it itself": "hashed",
}

_ROOT = {"the kernel tells of links": "linkbeat_interfaces"}


def _by_keyword(reasons: dict[str, str]) -> dict[str, str]:
    return dict(chain.from_iterable(((word, reason) for word in words.split()) for reason, words in reasons.items()))


UNUSED: dict[str, dict[str, str]] = {
    "": _by_keyword(_ROOT),
    "global_defs": _by_keyword(_GLOBALS),
    "vrrp_instance": _by_keyword(_INSTANCE),
    "vrrp_sync_group": _by_keyword({_MAIL: "smtp_alert"}),
    "virtual_server": _by_keyword(_SERVICE),
    "HTTP_GET": _by_keyword(
        {"there is no TLS in HTTP_GET": "enable_sni sni_name tls_compliant", _URLS: "fast_recovery"}
    ),
    "SSL_GET": _by_keyword({_URLS: "fast_recovery"}),
    "url": _by_keyword({"a search needs no stack of its own": "regex_stack"}),
    "real_server": _by_keyword({_MAIL: "smtp_alert", _SNMP: "snmp_name"}),
}
"""Why a keyword means nothing, by the block that it stands in ("": none) and by its name."""
